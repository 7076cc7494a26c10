"""METADATA with variant markers: the lines that change, and the bytes that do not."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.markers.expression import MarkerError
from variant_index.markers.metadata import MarkerDecision, has_markers, settle_metadata
from variant_index.markers.requirement import WheelVariant

CU = WheelVariant("cu")
HEAD = b"Metadata-Version: 2.4\nName: a\nVersion: 1\n"
BODY = b"\nRequires-Dist: not; variant_label == 'a header'\n\xff\n"


def test_lines_are_dropped_and_shortened() -> None:
    before = HEAD + (
        b"Requires-Dist: x\n"
        b"requires-dist:y; variant_label == 'cu'\n"
        b"Requires-Dist: z; variant_label == 'rocm'\n"
        b"Requires-Dist: w; variant_label != 'rocm' and extra == 'e'\n"
        b"Provides-Extra: e\n"
    )
    after = HEAD + (
        b"Requires-Dist: x\nrequires-dist: y\nRequires-Dist: w ; extra == 'e'\nProvides-Extra: e\n"
    )
    assert settle_metadata(before + BODY, CU).content == after + BODY
    settled = settle_metadata(before, CU)
    assert settled.content == after
    assert settled.decisions == (
        MarkerDecision("y; variant_label == 'cu'", "y"),
        MarkerDecision("z; variant_label == 'rocm'", None),
        MarkerDecision("w; variant_label != 'rocm' and extra == 'e'", "w ; extra == 'e'"),
    )
    assert has_markers(before)
    assert not has_markers(after)
    dos = (before + BODY).replace(b"\n", b"\r\n")
    assert settle_metadata(dos, CU).content == (after + BODY).replace(b"\n", b"\r\n")


def test_folded_lines_become_one() -> None:
    before = HEAD + b"Requires-Dist: y;\n  variant_label == 'cu'\n\tor os_name == 'nt'\nLicense: a\n b\n\n"
    assert settle_metadata(before, CU).content == HEAD + b"Requires-Dist: y\nLicense: a\n b\n\n"


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        HEAD,
        HEAD + BODY,
        HEAD + b"Requires-Dist: variant_lib\n",
        HEAD + b"Requires-Dist: x; os_name == 'variant_label'\n  and os_name == 'nt'",
        HEAD + b"Summary: variant_label == 'x'\n",
    ],
)
def test_without_variant_markers_the_same_object_comes_back(metadata: bytes) -> None:
    settled = settle_metadata(metadata, CU)
    assert settled.content is metadata
    assert settled.decisions == ()
    assert not has_markers(metadata)


@pytest.mark.parametrize(
    "line",
    [
        b"Requires-Dist: x; variant_label ~= '1'",
        b"Requires-Dist: x; variant_label == '\xff'",
        b"Requires-Dist: x; variant_label == 'a'\rRequires-Dist: y",
        b"Requires-Dist: x; variant_label == 'a' or os_name == '" + b"n" * (1 << 20) + b"'",
    ],
)
def test_what_cannot_be_decided_is_refused(line: bytes) -> None:
    assert has_markers(HEAD + line)
    with pytest.raises(MarkerError) as raised:
        settle_metadata(HEAD + line + b"\n\n", CU)
    assert len(str(raised.value)) < 400


@given(
    st.lists(
        st.sampled_from(
            [
                b"Requires-Dist: x; variant_label == 'cu'",
                b"Requires-Dist: x; variant_label == 'no'",
                b"Requires-Dist: y; os_name == 'nt'",
                b" continued",
                b"Summary: s",
                b"Requires-Dist: z;\n variant_label in 'cu'",
            ]
        )
    ),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"", b"\n", BODY]),
)
def test_every_other_header_stays(lines: list[bytes], end: bytes, body: bytes) -> None:
    before = b"".join(line + end for line in [b"Name: a", *lines]).replace(b"'cu'\r\n cont", b"'cu'\n cont")
    try:
        settled = settle_metadata(before + body, CU)
    except MarkerError:
        return  # a continuation made nonsense of a marker
    after = settled.content
    assert after.endswith(body)
    policy = email.policy.compat32

    def others(data: bytes) -> list[tuple[str, str]]:
        items = email.message_from_bytes(data, policy=policy).items()
        return [(name, value) for name, value in items if "variant_" not in value and name != "Requires-Dist"]

    assert others(before) == others(after[: len(after) - len(body)] if body else after)
    assert b"variant_" not in after[: len(after) - len(body)] if body else True
    # What explanations say of a requirement is what the wheel has.
    kept = [one.becomes.encode() for one in settled.decisions if one.becomes is not None]
    assert [after.count(b"Requires-Dist: " + text) >= kept.count(text) for text in kept] == [True] * len(kept)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from([b"\nRequires-Dist: x;", b"\n ", b"\r\n", b"\n\n", b"variant_label", b"'cu'"]),
            st.sampled_from([b" == ", b" in ", b" not in ", b"(", b")", b" and ", b" or ", b"os_name"]),
            st.sampled_from([b"'nvidia'", b"variant_namespaces", b"variant_x", b"\xff", b"\0", b"\x1b["]),
        ),
        max_size=30,
    )
)
def test_any_bytes_are_decided_or_refused_in_one_line(parts: list[bytes]) -> None:
    metadata = HEAD + b"".join(parts)
    settled, problem = None, ""
    try:
        settled = settle_metadata(metadata, CU)
    except MarkerError as error:
        problem = str(error)
    assert problem.isprintable()
    if settled is None:
        assert has_markers(metadata)
        return
    assert has_markers(metadata) == bool(settled.decisions)
    again = settle_metadata(settled.content, CU)
    assert again.content is settled.content


def test_work_grows_with_a_limit() -> None:
    line = b"Requires-Dist: x; variant_label == 'cu' or os_name == 'nt'\n"
    assert settle_metadata(HEAD + line * 1000, CU).content == HEAD + b"Requires-Dist: x\n" * 1000
    with pytest.raises(MarkerError, match="more than 256 KB"):
        settle_metadata(HEAD + line * 10_000, CU)

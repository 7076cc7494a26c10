from __future__ import annotations

import json
import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import documents, supported
from tests.making import document
from variant_index.model.document import VariantsDocument, parse_document
from variant_index.model.filename import WheelFilename
from variant_index.selection.choice import Choice, TargetTags, choose
from variant_index.selection.ordering import rank_labels

Nested = dict[str, dict[str, list[str]]]

_TAGS = TargetTags(
    [
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp312-cp312-linux_x86_64",
        "cp312-abi3-linux_x86_64",
        "py3-none-any",
    ]
)
_MACHINE: Nested = {"nvidia": {"cuda_version_lower_bound": ["12.8", "12.7", "12.6"]}}


def _document() -> VariantsDocument:
    bounds = {"cu126": "12.6", "cu128": "12.8", "cu130": "13.0"}
    variants: dict[str, Nested] = {
        label: {"nvidia": {"cuda_version_lower_bound": [bound]}} for label, bound in bounds.items()
    }
    return parse_document(json.dumps(document({**variants, "null": {}})).encode(), "x")


def _choose(
    *filenames: str, document: VariantsDocument | None = None, machine: Nested | None = None
) -> Choice:
    wheels = [WheelFilename.parse(filename) for filename in filenames]
    return choose(wheels, document, _MACHINE if machine is None else machine, _TAGS)


def _names(choice: Choice) -> list[str]:
    return [candidate.wheel.filename for candidate in choice.candidates if candidate.compatible]


_FAMILY = [f"x-1-py3-none-any{suffix}.whl" for suffix in ("", "-null", "-cu126", "-cu128", "-cu130")]


def test_the_whole_verdict() -> None:
    choice = _choose(*_FAMILY, document=_document())
    assert [(c.wheel.label, c.compatible, c.rank, c.reason) for c in choice.candidates] == [
        ("cu128", True, 1, "CUDA ≥ 12.8 (driver supports 12.8)"),
        ("cu126", True, 2, "CUDA ≥ 12.6 (driver supports 12.8)"),
        ("null", True, 3, "needs no particular hardware"),
        ("", True, 4, "the default wheel, taken where no variant fits"),
        ("cu130", False, None, "needs CUDA ≥ 13.0, driver supports 12.8"),
    ]
    assert choice.selected is choice.candidates[0]


def test_a_machine_without_gpu_gets_null_then_the_plain_wheel() -> None:
    assert _names(_choose(*_FAMILY, document=_document(), machine={})) == [_FAMILY[1], _FAMILY[0]]


def test_a_build_without_hardware_support_is_explained_by_what_does_not_fit() -> None:
    choice = _choose(*_FAMILY, document=_document(), machine={})
    assert choice.explanation == (
        "needs no particular hardware; no other fits: cu126 needs CUDA ≥ 12.6, no NVIDIA driver or "
        "GPU found; cu128 needs CUDA ≥ 12.8, no NVIDIA driver or GPU found; 1 more"
    )


def test_the_default_wheel_is_named_once_and_explained_by_what_does_not_fit() -> None:
    choice = _choose(_FAMILY[0], _FAMILY[2], document=_document(), machine={})
    assert choice.explanation == "no variant fits: cu126 needs CUDA ≥ 12.6, no NVIDIA driver or GPU found"
    assert _choose(_FAMILY[0]).explanation == "an ordinary wheel"


@pytest.mark.parametrize(
    ("wheels", "before"),
    [
        (["x-1-2-py3-none-any.whl", *_FAMILY[1:3]], "cu126, null"),
        (["x-1-2-py3-none-any.whl", _FAMILY[1], _FAMILY[4]], "null"),
        (["x-1-2-py3-none-any-null.whl", _FAMILY[0], _FAMILY[3], _FAMILY[4]], "cu128"),
    ],
)
def test_a_higher_build_number_is_the_reason(wheels: list[str], before: str) -> None:
    choice = _choose(*wheels, document=_document())
    assert choice.explanation == f"its build number goes before that of {before}"


def test_a_variant_that_fits_is_explained_by_its_own_reason() -> None:
    choice = _choose(*_FAMILY, document=_document())
    assert choice.selected is not None
    assert choice.explanation == choice.selected.reason


def test_without_a_document_only_the_plain_wheel_is_left() -> None:
    choice = _choose(*_FAMILY)
    assert _names(choice) == [_FAMILY[0]]
    assert {c.reason for c in choice.candidates[1:]} == {"the release has no usable variants document"}


def test_a_label_the_document_does_not_have() -> None:
    choice = _choose(_FAMILY[0], "x-1-py3-none-any-other.whl", document=_document())
    assert _names(choice) == [_FAMILY[0]]
    assert choice.candidates[1].reason == "its label is not in the variants document"


def test_nothing_fits() -> None:
    choice = _choose("x-1-cp311-cp311-linux_x86_64.whl", "x-1-py3-none-any-cu130.whl", document=_document())
    assert choice.selected is None
    assert choice.presented == ()
    assert [c.reason for c in choice.candidates] == [
        "for another Python or platform, tags cp311-cp311-linux_x86_64",
        "needs CUDA ≥ 13.0, driver supports 12.8",
    ]
    assert choose([], None, {}, _TAGS).selected is None


def test_the_variant_decides_before_the_platform_tag() -> None:
    best, worse = "x-1-cp312-cp312-manylinux_2_28_x86_64-cu126.whl", "x-1-py3-none-any-cu128.whl"
    assert _names(_choose(best, worse, document=_document())) == [worse, best]


def test_inside_a_label_the_platform_tag_decides() -> None:
    wheels = [
        f"x-1-{tags}-cu128.whl"
        for tags in (
            "py3-none-any",
            "cp312-abi3-linux_x86_64",
            "cp312-cp312-linux_x86_64",
            "py2.cp312-cp312-manylinux_2_17_x86_64.manylinux_2_28_x86_64",
        )
    ]
    choice = _choose(*wheels, document=_document())
    assert _names(choice) == wheels[::-1]
    assert [wheel.filename for wheel in choice.presented] == wheels[::-1]


def test_a_higher_build_number_decides_first() -> None:
    wheels = [
        "x-1-10-py3-none-any.whl",
        "x-1-9-py3-none-any-cu128.whl",
        "x-1-9-py3-none-any-null.whl",
        "x-1-py3-none-any-cu128.whl",
    ]
    choice = _choose(*wheels[::-1], document=_document())
    assert _names(choice) == wheels
    assert [wheel.filename for wheel in choice.presented] == wheels[:1]


def test_only_the_winners_label_and_build_are_presented() -> None:
    wheels = [
        "x-1-cp312-cp312-linux_x86_64-cu128.whl",
        "x-1-cp311-cp311-linux_x86_64-cu128.whl",
        "x-1-cp312-cp312-linux_x86_64-cu126.whl",
        "x-1-cp312-cp312-linux_x86_64.whl",
    ]
    choice = _choose(*wheels, document=_document())
    assert [wheel.filename for wheel in choice.presented] == wheels[:1]


def test_an_older_build_of_the_winner_is_not_presented() -> None:
    wheels = ["x-1-2-py3-none-any-cu128.whl", "x-1-1-py3-none-any-cu128.whl", "x-1-py3-none-any-cu128.whl"]
    choice = _choose(*wheels, document=_document())
    assert _names(choice) == wheels
    assert [wheel.filename for wheel in choice.presented] == wheels[:1]


@pytest.mark.parametrize(
    ("tags", "position"),
    [
        ("cp312-cp312-manylinux_2_28_x86_64", 0),
        ("CP312-cp312-linux_x86_64", 1),
        ("cp39.cp312-abi3-linux_x86_64.win32", 2),
        ("py2.py3-none-any", 3),
        ("cp312-abi3.cp312-linux_x86_64.manylinux_2_28_x86_64", 0),
        ("cp312-none-any", None),
        ("cp312-cp312-any", None),
        ("pp312-x-y", None),
    ],
)
def test_the_position_of_compressed_tags(tags: str, position: int | None) -> None:
    assert _TAGS.position(WheelFilename.parse(f"x-1-{tags}.whl")) == position


def test_a_tag_named_twice_keeps_its_best_position() -> None:
    assert TargetTags(["a-b-c", "py3-none-any", "a-b-c"]).position(WheelFilename.parse("x-1-a-b-c.whl")) == 0


def test_many_unknown_tags_cost_nothing() -> None:
    many = ".".join([*string.ascii_lowercase, *(f"_{letter}" for letter in "abcdefg")])
    wheel = WheelFilename.parse(f"x-1-{many}-{many}-{many}.whl")
    start = time.thread_time()
    for _ in range(3000):  # 35937 combinations each, were they tried
        assert _TAGS.position(wheel) is None
    assert time.thread_time() - start < 20


def test_reasons_are_one_short_line() -> None:
    wheel = f"x-1-py3-none-{'a' * 230}.whl"
    assert all(len(candidate.reason) <= 200 for candidate in _choose(wheel).candidates)


@given(documents(), supported(), st.data())
def test_the_choice_is_the_ranking_and_ignores_input_order(
    content: dict[str, Any], machine: Nested, data: st.DataObject
) -> None:
    read = parse_document(json.dumps(content).encode(), "x")
    labels = ["", *read.variants, "unheard.of"]
    wheels = [WheelFilename("x", "1", "", "py3", "none", "any", label) for label in labels]
    choice = choose(data.draw(st.permutations(wheels)), read, machine, _TAGS)
    assert choice == choose(wheels, read, machine, _TAGS)
    fitting = [candidate.wheel.label for candidate in choice.candidates if candidate.compatible]
    assert fitting == [*rank_labels(read, machine), ""]
    assert [candidate.rank for candidate in choice.candidates if candidate.compatible] == [
        *range(1, len(fitting) + 1)
    ]
    assert len(choice.candidates) == len(wheels)
    assert all(candidate.reason.isprintable() for candidate in choice.candidates)


def test_null_comes_after_other_variants_without_properties() -> None:
    empty = parse_document(json.dumps(document({"z": {}, "null": {}})).encode(), "x")
    names = [f"x-1-py3-none-any{suffix}.whl" for suffix in ("-z", "-null", "")]
    assert rank_labels(empty, {}) == ["z", "null"]
    assert _names(_choose(*reversed(names), document=empty)) == names


@pytest.mark.parametrize(
    ("version", "shown"),
    [("3.12.1", "3.12.1"), ("3.14.0rc1", "3.14.0"), ("3.13.0+", "3.13.0"), ("3", "3"), (None, None)],
)
def test_the_version_of_the_target(version: str | None, shown: str | None) -> None:
    assert TargetTags([], version).python_version == shown


@pytest.mark.parametrize("version", ["", "x3", "-1"])
def test_what_is_no_version_of_python(version: str) -> None:
    with pytest.raises(ValueError, match="not the version of a Python"):
        TargetTags([], version)


@pytest.mark.parametrize(
    ("needs", "refused"),
    [
        (None, False),
        ("", False),
        (">=3.8", False),
        (">=3.13", True),
        ("<3.12", True),
        ("not a specifier", False),
        (">=3.*", False),
        (">=3.13\n", True),
    ],
)
def test_requires_python_as_pip_has_it(needs: str | None, refused: bool) -> None:
    from pip._internal.index.package_finder import _check_link_requires_python
    from pip._internal.models.link import Link

    link = Link("https://h/a-1-py3-none-any.whl", requires_python=needs)
    assert _check_link_requires_python(link, (3, 12, 1)) is not refused
    tags = TargetTags([], "3.12.1")
    reason = tags.refusal(needs)
    assert (reason is not None) is refused
    assert reason is None or (reason.isprintable() and reason.endswith("the target has 3.12.1"))
    assert tags.refusal(needs) is reason
    assert tags.for_any_python().refusal(needs) is None


def test_why_no_other_fits_is_about_the_hardware() -> None:
    """Wheels for other platforms are no reason, where wheels for this one say more."""
    labels = {"cu13": {"nvidia": {"cuda_version_lower_bound": ["13.0"]}}, "null": {}}
    parsed = parse_document(json.dumps(document(labels)).encode(), "d")
    names = [
        f"a-1-py3-none-{platform}-{label}.whl"
        for platform in ("aarch64", "x86_64")
        for label in ("cu13", "null")
    ]
    choice = choose(map(WheelFilename.parse, names), parsed, {}, TargetTags(["py3-none-x86_64"]))
    assert choice.explanation == (
        "needs no particular hardware; no other fits: cu13 needs CUDA ≥ 13.0, no NVIDIA driver or GPU found"
    )

"""Fields of METADATA that installers cannot read are found, and those that they can read are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making import document, make_wheel
from tests.variant_index.publish.family import CU128
from variant_index.publish.find import find_files
from variant_index.publish.requirements import unreadable_fields
from variant_index.publish.scan import scan


def codes(*lines: str, label: str = "") -> list[str]:
    metadata = "\n".join(["Name: demo", "Version: 1.0", *lines, "", "Requires-Dist: !! the body"]).encode()
    return [code for code, problem in unreadable_fields(metadata, label) if problem.isprintable()]


@pytest.mark.parametrize(
    "requirement",
    [
        "foo",
        "foo (>=1.0)",
        "foo (>=1.0,<2) ; extra == 'x'",
        "foo[a,b]>=1; python_version < '3.8' and sys_platform == 'win32'",
        "foo @ https://example.org/foo.whl ; os_name == 'nt'",
        "\n foo>=1",
        'foo ; variant_label == "cu128"',
        'foo>=2 ; "nvidia" in variant_namespaces and python_version > "3"',
        'foo ; "nvidia :: sm_arch" not in variant_features',
    ],
)
@pytest.mark.parametrize("label", ["", "cu128"])
def test_what_installers_read_is_fine(requirement: str, label: str) -> None:
    assert codes(f"Requires-Dist: {requirement}", label=label) == []


@pytest.mark.parametrize(
    "requirement",
    [
        "foo >=dev!!",
        "pytz (>dev)",
        "this is not ==== valid ;;;",
        "",
        "foo ; bogus == '1'",
        "foo ; variant_label > 'x'",
        "foo ; variant_unknown == 'x'",
        "foo >=dev!! ; variant_label == 'never'",
        f"foo ; {'(' * 5000}os_name == 'x'{')' * 5000}",
        f"foo{'>=1,' * 20_000}",
    ],
)
def test_other_requirements_are_found(requirement: str) -> None:
    assert codes("Requires-Dist: fine", f"Requires-Dist: {requirement}") == ["WHL209"]


def test_there_may_not_be_any_number_of_requirements() -> None:
    assert codes(*["Requires-Dist: foo"] * 10_001) == ["WHL209"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (">=3.10", []),
        (">=2.7, !=3.0.*, !=3.1.*, <4", []),
        (">=3.6.*", []),
        ("~=3.6", []),
        ("", []),
        ("not a spec", ["WHL209"]),
        (">=3.8.*.x", ["WHL209"]),
        ("3.8", ["WHL209"]),
        (f">=3{',>=3' * 20_000}", ["WHL209"]),
    ],
)
def test_requires_python(text: str, wanted: list[str]) -> None:
    assert codes(f"Requires-Python: {text}") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1.0", []), ("1.2", []), ("2.1", []), ("2.9", []), ("3.0", ["WHL210"]), ("99.0", ["WHL210"])],
)
def test_metadata_version(text: str, wanted: list[str]) -> None:
    assert codes(f"Metadata-Version: {text}") == wanted


def test_the_release_is_refused_and_the_file_named(tmp_path: Path) -> None:
    good = 'foo ; variant_label == "cu128"'
    own = document({"cu128": CU128})
    make_wheel(tmp_path, "good-1.0-py3-none-any-cu128.whl", requires_dist=[good], variant_json=own)
    path = make_wheel(tmp_path, "bad-1.0-py3-none-any.whl", requires_dist=["foo >=dev!!"])
    (refusal,) = scan(find_files([tmp_path])).refusals
    assert (refusal.release, refusal.rule, refusal.path) == (("bad", "1.0"), "WHL209", str(path))
    assert refusal.reason.startswith(f"{path.name}: METADATA: Requires-Dist 'foo >=dev!!' is not")

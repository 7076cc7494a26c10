from __future__ import annotations

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from tests.variant_index.shim.family import NAME, cuda_machine
from tests.variant_index.shim.test_present import DIGEST, PARSED
from tests.variant_index.shim.test_present import wheel as labelled
from variant_index.selection.choice import Choice, TargetTags
from variant_index.shim.present import choose_release, present
from variant_index.shim.version_choice import ReleaseVerdict, choose_version
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.upstream.releases import Release, group_releases

# The copy that pip itself uses; releases of packaging differ in when prereleases count.
PIP_SPECIFIERS = importlib.import_module("pip._vendor.packaging.specifiers")


def file(filename: str, *, yanked: bool | str = False, requires_python: str | None = None) -> ProjectFile:
    return ProjectFile(filename, f"https://h/{filename}", DIGEST, requires_python, yanked)


def wheel(
    version: str, *, tags: str = "py3-none-any", yanked: bool | str = False, needs: str | None = None
) -> ProjectFile:
    return file(f"a-{version}-{tags}.whl", yanked=yanked, requires_python=needs)


def verdict_on(
    requirement: str, *files: ProjectFile, pre: bool = False, python: str = "3.11.7"
) -> ReleaseVerdict | None:
    releases = group_releases(ProjectPage("a", files)).by_version.values()
    tags = TargetTags(["py3-none-any"], python)

    def judge(release: Release) -> Choice:
        return choose_release(release, None, {}, tags)

    return choose_version(Requirement(requirement), releases, tags, judge, allow_prereleases=pre)


def chosen(requirement: str, *files: ProjectFile, pre: bool = False) -> str | None:
    verdict = verdict_on(requirement, *files, pre=pre)
    return verdict.selected.file.filename if verdict and verdict.selected else None


def test_the_newest_release_that_can_be_installed() -> None:
    files = (wheel("1.0"), wheel("1.10"), wheel("1.9"), wheel("2.0", tags="py3-none-win32"))
    assert chosen("a", *files) == wheel("1.10").filename
    assert chosen("a<1.10", *files) == wheel("1.9").filename


def test_an_sdist_makes_a_release_installable_and_comes_last() -> None:
    verdict = verdict_on(
        "a", wheel("1.0"), file("a-2.0.tar.gz"), wheel("2.0"), wheel("2.0", tags="py3-none-win32")
    )
    assert verdict is not None
    assert [(one.file.filename, one.rank) for one in verdict.files] == [
        ("a-2.0-py3-none-any.whl", 1),
        ("a-2.0.tar.gz", 2),
        ("a-2.0-py3-none-win32.whl", None),
    ]
    assert (
        chosen("a", wheel("1.0"), file("a-2.0.tar.gz"), wheel("2.0", tags="py3-none-win32")) == "a-2.0.tar.gz"
    )


def test_requires_python_is_that_of_the_target() -> None:
    files = (wheel("1.0"), wheel("2.0", needs=">=3.12"), wheel("3.0", needs="not a specifier"))
    assert chosen("a<3", *files) == wheel("1.0").filename
    assert chosen("a", *files) == wheel("3.0").filename
    verdict = verdict_on("a==2.0", *files)
    assert verdict is not None
    assert verdict.selected is None
    assert verdict.files[0].reason == "requires Python >=3.12, the target has 3.11.7"


def test_sdists_need_the_right_python_too() -> None:
    assert chosen("a", wheel("1.0"), file("a-2.0.tar.gz", requires_python=">=3.12")) == wheel("1.0").filename


@pytest.mark.parametrize("needs", [">=3.12", ">=3.13", "==3.13.0", "<3.14,>=3.13.0"])
def test_prereleases_of_python_count_as_their_release(needs: str) -> None:
    verdict = verdict_on("a", wheel("1.0", needs=needs), python="3.13.0rc1")
    assert verdict is not None
    assert verdict.selected is not None


def test_a_pin_takes_a_yanked_wheel_beside_one_for_another_platform() -> None:
    files = (wheel("2.0", yanked="broken"), wheel("2.0", tags="py3-none-win32"))
    assert chosen("a==2.0", *files) == wheel("2.0").filename
    assert chosen("a==2.0", *files, file("a-2.0.tar.gz")) == "a-2.0.tar.gz"


@pytest.mark.parametrize(
    ("requirement", "pre", "expected"),
    [
        ("a", False, "1.0"),
        ("a", True, "2.0rc1"),
        ("a>=2.0rc1", False, "2.0rc1"),
        ("a>1.0", False, "2.0rc1"),
        ("a>=1.0.dev0", False, "2.0rc1"),
    ],
)
def test_prereleases(requirement: str, pre: bool, expected: str) -> None:
    assert chosen(requirement, wheel("1.0"), wheel("2.0rc1"), pre=pre) == wheel(expected).filename


def test_yanked_files_need_a_pin() -> None:
    files = (wheel("1.0"), wheel("2.0", yanked="broken"))
    assert chosen("a", *files) == chosen("a==1.*", *files) == wheel("1.0").filename
    for pin in ("a==2.0", "a===2.0", "a>=1,==2.0"):
        assert chosen(pin, *files) == wheel("2.0").filename
    assert chosen("a==2.*", *files) is None
    verdict = verdict_on("a>1", *files)
    assert verdict is not None
    assert verdict.files[0].reason == "yanked: broken"


def test_a_pin_takes_what_is_not_yanked_first() -> None:
    half = (wheel("2.0", yanked=True), file("a-2.0.tar.gz"))
    assert chosen("a==2.0", *half) == "a-2.0.tar.gz"


def test_no_release_matches() -> None:
    assert verdict_on("a>5", wheel("1.0")) is None
    assert verdict_on("a") is None


_VERSIONS = st.sampled_from(["0.9", "1.0", "1.0rc1", "1.0.post1", "1.1.dev2", "2.0a1", "2.0", "2.0+cu1"])
_SPECIFIERS = st.sampled_from(
    ["", ">=1", "<2", "==1.0", "==2.0", "~=1.0", ">=2.0a1", "!=2.0", "==1.*", "==2.0+cu1"]
)


@given(versions=st.sets(_VERSIONS), specifier=_SPECIFIERS, pre=st.booleans())
def test_versions_are_filtered_as_pip_does(versions: set[str], specifier: str, pre: bool) -> None:
    allowed = PIP_SPECIFIERS.SpecifierSet(specifier).filter(list(versions), prereleases=pre or None)
    best = max(allowed, key=Version, default=None)
    assert chosen(f"a{specifier}", *map(wheel, versions), pre=pre) == (wheel(best).filename if best else None)


_NEEDS = st.sampled_from([None, None, ">=3.8", ">=3.12", "<3.12", "broken"])
_PAGES = st.lists(
    st.builds(
        labelled,
        st.sampled_from(["", "cu126", "cu128", "cu130", "null"]),
        version=st.sampled_from(["1.0", "2.0"]),
        platform=st.sampled_from(["any", "win32"]),
        requires_python=_NEEDS,
        yanked=st.sampled_from([False, False, "why"]),
    ),
    max_size=10,
)


@given(files=_PAGES, specifier=st.sampled_from(["", "<2", "==2.0"]))
def test_explain_and_the_page_agree(files: list[ProjectFile], specifier: str) -> None:
    """What pip takes of the page that is presented is what `explain` says."""
    tags = TargetTags(["py3-none-any"], "3.11.7")
    supported = cuda_machine("12.8").supported()
    page = ProjectPage(NAME, tuple(files))
    releases = group_releases(page)
    documents = dict.fromkeys(releases.by_version, PARSED)
    requirement = Requirement(f"{NAME}{specifier}")
    explained = choose_version(
        requirement,
        releases.by_version.values(),
        tags,
        lambda release: choose_release(release, documents[release.version], supported, tags),
    )
    shown = present(page, releases, documents, supported, tags, prefer="version")
    plain = group_releases(ProjectPage(NAME, tuple(listed.file for listed in shown.files)))
    taken = choose_version(
        requirement,
        plain.by_version.values(),
        tags,
        lambda release: choose_release(release, None, {}, tags),
    )
    one, other = (
        verdict and verdict.selected and verdict.selected.file.url for verdict in (explained, taken)
    )
    assert one == other

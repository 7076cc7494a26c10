from __future__ import annotations

from packaging.version import Version

from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.upstream.releases import Releases, group_releases


def group(*filenames: str, name: str = "my-pkg") -> Releases:
    return group_releases(
        ProjectPage(name, tuple(ProjectFile(name, f"https://h/{name}") for name in filenames))
    )


def test_files_of_one_version_meet_however_it_is_spelled() -> None:
    releases = group(
        "my_pkg-1.0-py3-none-any.whl",
        "My.Pkg-1.0.0-py3-none-any-cu128.whl",
        "my-pkg-1.0.tar.gz",
        "my_pkg-1.0-variants.json",
        "my_pkg-1.1.zip",
    )
    assert list(releases.by_version) == [Version("1.0"), Version("1.1")]
    release = releases.by_version[Version("1.0")]
    assert (len(release.wheels), len(release.sdists), len(release.sidecars)) == (2, 1, 1)
    assert releases.with_variants == (release,)
    assert str(release) == "my-pkg 1.0"


def test_wheels_with_unusable_names_are_reported() -> None:
    releases = group(
        "my_pkg-1.0-py3-none-any-CU128.whl", "other-1.0-py3-none-any.whl", "my_pkg-x-py3-none-any.whl"
    )
    assert not releases.by_version
    assert len(releases.problems) == 3
    assert "variant label" in releases.problems[0]


def test_files_that_belong_to_no_release() -> None:
    releases = group("my_pkg-1.0.exe", "notes.tar.gz", "my_pkg-x-variants.json", "other-1.0-variants.json")
    assert not releases.by_version
    assert not releases.of_file
    assert not releases.problems


def test_the_first_of_two_equal_names_counts() -> None:
    page = ProjectPage("a", tuple(ProjectFile("a-1-py3-none-any.whl", f"https://{host}/") for host in "xy"))
    (release,) = group_releases(page).by_version.values()
    assert [file.url for file in release.wheels.values()] == ["https://x/"]

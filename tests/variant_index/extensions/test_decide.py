"""Which builds stay, which are yanked, which are hidden, and what is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.extensions.coupling import read_coupling
from variant_index.extensions.decide import ExtensionWheel, match_builds
from variant_index.extensions.torch_build import TorchBuild, torch_from_files

CU128 = TorchBuild.of(Version("2.9.1+cu128"), "installed")


def wheel(
    version: str, tag: str = "cp312", position: int | None = 0, *, yanked: bool = False
) -> ExtensionWheel:
    coupling = read_coupling(version, "")
    assert coupling is not None
    return ExtensionWheel(f"a-{version}-{tag}.whl", Version(version), position, coupling, not yanked)


def chosen(torch: TorchBuild | None, *versions: str) -> list[str]:
    matched = match_builds("a", [wheel(version) for version in versions], torch)
    return sorted(name.split("-")[1] for name in matched.chosen)


@pytest.mark.parametrize(
    ("torch", "expected"),
    [
        ("2.9.0+cu128", "1.0+pt2.9.0cu128"),
        ("2.9.1+cu128", "1.0+pt2.9.1cu128"),
        ("2.9.2+cu129", "1.0+pt2.9.1cu128"),
        ("2.9.0+cu130", "1.0+pt2.9.0cu130"),
        ("2.9.0+cpu", "1.0+pt2.9.0cpu"),
        ("2.8.0+cu128", "1.0+pt2.8.0cu126"),
        ("2.9.0+rocm6.4", None),
        ("2.9.0+cu118", None),
        ("2.10.0+cu128", None),
        ("2.7.0+cu128", None),
    ],
)
def test_version_hardware_and_toolkit_decide(torch: str, expected: str | None) -> None:
    versions = ["pt2.8.0cu126", "pt2.9.0cpu", "pt2.9.0cu128", "pt2.9.0cu130", "pt2.9.1cu126", "pt2.9.1cu128"]
    found = chosen(TorchBuild.of(Version(torch), "pinned"), *(f"1.0+{local}" for local in versions))
    assert found == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("torch", "abi"), [("2.9.0+cu128", "true"), ("2.5.1+cu124", "false"), ("2.6.0+cu124", None)]
)
def test_the_abi_decides(torch: str, abi: str | None) -> None:
    minor = torch[:3]
    both = [f"2.8+cu12torch{minor}cxx11abi{known}" for known in ("true", "false")]
    found = chosen(TorchBuild.of(Version(torch), "installed"), *both)
    assert len(found) == 1
    assert abi is None or found == [f"2.8+cu12torch{minor}cxx11abi{abi}"]
    stated = TorchBuild.of(Version(torch), "installed", cxx11_abi=False)
    assert chosen(stated, *both) == [both[1]]


@pytest.mark.parametrize(
    ("torch", "locals_", "expected"),
    [
        ("2.9.0+cu128", ["cu12torch2.9", "cu128torch2.9", "cu129torch2.9"], "cu128torch2.9"),
        ("2.9.0+cu129", ["cu126torch2.9", "cu128torch2.9"], "cu128torch2.9"),
        ("2.9.0+cu124", ["cu126torch2.9", "cu128torch2.9"], "cu126torch2.9"),
        ("2.9.1+cu128", ["pt2.9.0cu128", "pt2.9.1cu126"], "pt2.9.1cu126"),
    ],
)
def test_the_closest_build_comes_first(torch: str, locals_: list[str], expected: str) -> None:
    build = TorchBuild.of(Version(torch), "installed")
    assert chosen(build, *(f"1.0+{local}" for local in locals_)) == [f"1.0+{expected}"]


def test_others_of_the_version_are_yanked_and_versions_without_a_build_hidden() -> None:
    wheels = [
        wheel("1.0+pt2.9.0cu128"),
        wheel("1.0+pt2.9.0cu128", "cp311", None),
        wheel("1.0+pt2.9.0cu128", "py3", 7),
        wheel("1.0+pt2.8.0cu128"),
        wheel("2.0+pt2.10.0cu128"),
        wheel("2.0+pt2.10.0cpu"),
    ]
    matched = match_builds("a", wheels, CU128)
    assert set(matched.chosen) == {"a-1.0+pt2.9.0cu128-cp312.whl", "a-1.0+pt2.9.0cu128-py3.whl"}
    assert matched.yanked == {
        "a-1.0+pt2.8.0cu128-cp312.whl": "built for torch 2.8.0 cu128; 1.0+pt2.9.0cu128 goes with"
        " torch 2.9.1+cu128 (CUDA 12.8, installed)"
    }
    assert matched.hidden == {"a-2.0+pt2.10.0cu128-cp312.whl", "a-2.0+pt2.10.0cpu-cp312.whl"}
    assert matched.warning is None
    assert matched.note == (
        "a 2.0 has no build for torch 2.9.1+cu128 (CUDA 12.8, installed);"
        " there are builds for torch 2.10.0 (cpu, cu128)"
    )


def test_when_none_matches_the_versions_that_would_are_named() -> None:
    wheels = [wheel(f"1.0+pt2.{minor}.0cu128") for minor in range(1, 9)]
    matched = match_builds("a", wheels, CU128)
    assert not matched.chosen
    assert matched.warning == (
        "a: no build for torch 2.9.1+cu128 (CUDA 12.8, installed); there are builds for torch"
        " 2.8.0 (cu128), 2.7.0 (cu128), 2.6.0 (cu128), 2.5.0 (cu128), 2.4.0 (cu128), 2.3.0 (cu128)"
        " and 2 older ones"
    )


def test_without_a_torch_nothing_changes_and_a_line_says_why() -> None:
    matched = match_builds("a", [wheel("1.0+pt2.9.0cu128")], None)
    assert (matched.chosen, matched.yanked, matched.hidden) == ({}, {}, frozenset())
    assert matched.warning is not None
    assert "install torch first, or pin it" in matched.warning


def test_a_torch_of_unknown_hardware_takes_no_build_for_one() -> None:
    torch = TorchBuild.of(Version("2.9.0"), "stated")
    assert chosen(torch, "1.0+torch2.9") == ["1.0+torch2.9"]
    matched = match_builds("a", [wheel("1.0+pt2.9.0cu128")], torch)
    assert matched.warning is not None
    assert "name it as in torch==2.9.0+cu128" in matched.warning


def test_yanked_builds_are_not_chosen() -> None:
    matched = match_builds("a", [wheel("1.0+pt2.9.1cu128", yanked=True), wheel("1.0+pt2.9.0cu128")], CU128)
    assert list(matched.chosen) == ["a-1.0+pt2.9.0cu128-cp312.whl"]


@given(
    st.permutations(
        [f"{v}+pt{t}{b}" for v in ("1.0", "2.0") for t in ("2.8.0", "2.9.0") for b in ("cpu", "cu128")]
    )
)
def test_the_order_of_the_page_does_not_matter(versions: list[str]) -> None:
    assert chosen(CU128, *versions) == ["1.0+pt2.9.0cu128", "2.0+pt2.9.0cu128"]


@pytest.mark.parametrize(
    ("version", "text", "cmake", "shown", "abi"),
    [
        ("2.9.0", "cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n", "", "CUDA 12.8", True),
        ("2.9.0+cu128", "", "", "CUDA 12.8", True),
        ("2.9.0", "cuda = None\nhip = '6.4.43484-123eb5128'\n", "", "ROCm 6.4", True),
        ("2.9.0+cpu", "cuda = None\nhip = None\nxpu = None\n", "", "CPU only", True),
        ("2.9.0", "cuda: Optional[str] = None\nxpu: Optional[str] = '20250201'\n", "", "Intel GPUs", True),
        ("2.9.0", "__version__ = '2.9.0'\n", "", "", True),
        ("2.6.0", "cuda = '12.4'", 'set(X "-D_GLIBCXX_USE_CXX11_ABI=0")', "CUDA 12.4", False),
        ("2.6.0", "cuda = '12.4'", "", "CUDA 12.4", None),
    ],
)
def test_the_installed_torch_is_read_from_text(
    version: str, text: str, cmake: str, shown: str, abi: bool | None
) -> None:
    torch = torch_from_files(version, text, cmake)
    assert torch is not None
    assert str(torch) == f"torch {version} ({', '.join(filter(None, (shown, 'installed')))})"
    assert torch.cxx11_abi is abi


def test_a_version_that_is_none_is_no_torch() -> None:
    assert torch_from_files("not-a-version", "", "") is None


def test_builds_for_other_platforms_are_held_back_like_those_for_this_one() -> None:
    wheels = [
        wheel("1.0+pt2.9.0cu128"),
        wheel("1.0+pt2.9.0cu128", "win", None),
        wheel("1.0+pt2.9.0cu130", "win", None),
        wheel("0.9+pt2.8.0cu128"),
        wheel("0.9+pt2.9.0cu128", "win", None),
        wheel("0.8+pt2.8.0cu128", "win", None),
    ]
    matched = match_builds("a", wheels, CU128)
    assert list(matched.chosen) == ["a-1.0+pt2.9.0cu128-cp312.whl"]
    assert list(matched.yanked) == ["a-1.0+pt2.9.0cu130-win.whl"]
    assert matched.hidden == {"a-0.9+pt2.8.0cu128-cp312.whl", "a-0.9+pt2.9.0cu128-win.whl"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("", f"a 1.1 has no build for {CU128}; there are builds for torch 2.10.0 (cu130)"),
        ("<1.1", None),
        ("==1.1", f"a==1.1: no build for {CU128}; there are builds for torch 2.10.0 (cu130)"),
        ("==0.9", f"a==0.9: no build for {CU128}; there are builds for torch 2.8.0 (cu128)"),
        ("==7", None),
    ],
)
def test_what_is_said_is_about_what_is_asked_for(asked: str, said: str | None) -> None:
    wheels = [wheel("1.1+pt2.10.0cu130"), wheel("1.0+pt2.9.0cu128"), wheel("0.9+pt2.8.0cu128")]
    matched = match_builds("a", wheels, CU128, SpecifierSet(asked))
    assert (matched.warning or matched.note) == said
    unknown = match_builds("a", wheels, None, SpecifierSet(asked))
    assert (unknown.warning is None) == (asked == "==7")

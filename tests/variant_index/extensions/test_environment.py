"""What is installed, read from files, of environments that are odd or hostile."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.version import Version

from variant_index.extensions import environment
from variant_index.extensions.abi_dependency import AbiDependencyError, abi_properties, parse_stated
from variant_index.extensions.environment import (
    Environment,
    installed_torch,
    installed_versions,
    package_folders,
)
from variant_index.extensions.torch_build import TorchBuild


def write_torch(folder: Path, version: str = "2.9.0+cu128", cuda: str | None = "12.8") -> None:
    """Write the files of a torch that cannot be imported."""
    (folder / f"torch-{version}.dist-info").mkdir(parents=True)
    package = folder / "torch"
    (package / "share" / "cmake" / "Torch").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "version.py").write_text(
        f"__version__ = '{version}'\ncuda: Optional[str] = {cuda!r}\nhip = None\n"
    )
    (package / "share" / "cmake" / "Torch" / "TorchConfig.cmake").write_text(
        'set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=1")'
    )


def test_names_and_versions(tmp_path: Path) -> None:
    for name in (
        "Foo_Bar-1.0.dist-info",
        "numpy-2.3.1.dist-info",
        "x-not_a_version.dist-info",
        "y-1.egg-info",
    ):
        (tmp_path / name).mkdir()
    assert installed_versions([tmp_path / "missing", tmp_path]) == {
        "foo-bar": Version("1.0"),
        "numpy": Version("2.3.1"),
    }


def test_torch_is_not_imported(tmp_path: Path) -> None:
    write_torch(tmp_path)
    torch = installed_torch([tmp_path])
    assert torch is not None
    assert (str(torch), torch.cxx11_abi) == ("torch 2.9.0+cu128 (CUDA 12.8, installed)", True)
    assert installed_torch([tmp_path / "torch"]) is None


def test_a_torch_without_metadata_is_found_all_the_same(tmp_path: Path) -> None:
    write_torch(tmp_path, "2.5.1", "12.4")
    (tmp_path / "torch-2.5.1.dist-info").rmdir()
    torch = installed_torch([tmp_path])
    assert str(torch) == "torch 2.5.1 (CUDA 12.4, installed)"


@pytest.mark.skipif(os.name != "posix", reason="needs FIFOs and symbolic links")
def test_odd_files_count_as_missing(tmp_path: Path) -> None:
    write_torch(tmp_path)
    version = tmp_path / "torch" / "version.py"
    version.unlink()
    os.mkfifo(version)
    torch = installed_torch([tmp_path])
    assert torch is not None
    assert torch.kind == "cuda"  # by its local version
    version.unlink()
    version.write_bytes(b"\xff\0" * (1 << 20) + b"\ncuda = '11.8'\n")
    torch = installed_torch([tmp_path])
    assert torch is not None
    assert torch.toolkit == (12, 8)


def test_an_interpreter_is_asked_once_for_its_folders() -> None:
    assert any(path.name == "site-packages" for path in package_folders(sys.executable))
    assert package_folders("/nowhere/python") == ()
    asked = []

    def python() -> str:
        asked.append(1)
        return sys.executable

    here = Environment(python)
    assert "pytest" in here.versions()
    assert here.torch() is None
    assert asked == [1]


def test_it_is_read_again_once_packages_came_or_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site-packages"
    write_torch(folder, "2.8.0")
    (folder / "numpy-2.3.1.dist-info").mkdir()
    monkeypatch.setattr(environment, "package_folders", lambda _python: (folder, tmp_path / "gone"))
    read: list[str] = []

    def counted(folders: Iterable[Path]) -> TorchBuild | None:
        read.append("torch")
        return installed_torch(folders)

    monkeypatch.setattr(environment, "installed_torch", counted)
    known = Environment(lambda: "python")
    assert [str(known.versions()["torch"]) for _ in range(3)] == ["2.8.0"] * 3
    assert read == ["torch"]
    (folder / "torch-2.8.0.dist-info").rename(folder / "torch-2.9.0.dist-info")
    os.utime(folder, ns=(0, folder.stat().st_mtime_ns + 1))  # clocks of some file systems are slow
    assert str(known.versions()["torch"]) == "2.9.0"
    torch = known.torch()
    assert torch is not None
    assert torch.version == Version("2.9.0")


def test_stated_versions() -> None:
    assert parse_stated("") == {}
    assert parse_stated("torch==2.9.0+cu128, Foo_Bar == 1") == {
        "torch": Version("2.9.0+cu128"),
        "foo-bar": Version("1"),
    }
    for text in ("torch", "torch==x", "==1", "torch>=2"):
        with pytest.raises(AbiDependencyError, match="a list such as"):
            parse_stated(text)


def test_packages_support_their_versions_and_shorter_ones() -> None:
    assert abi_properties({}) == {}
    assert abi_properties({"foo-bar": Version("1.2.3.post1"), "a": Version("4")}) == {
        "abi_dependency": {"a": ("4.0.0", "4.0", "4"), "foo_bar": ("1.2.3", "1.2", "1")}
    }

"""What differs on Windows, as far as another system can pretend to be it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from torch_variant_provider import library, presence, programs
from torch_variant_provider.amd import detect as amd
from torch_variant_provider.intel import detect as intel
from torch_variant_provider.nvidia import detect as nvidia
from torch_variant_provider.sources import Source


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("WINDIR", "D:\\Windows")
    monkeypatch.setenv("ProgramW6432", "D:\\Programs")
    return monkeypatch


@pytest.fixture
def reloaded(windows: pytest.MonkeyPatch) -> Iterator[list[ModuleType]]:
    """The modules that decide on the platform when they are imported."""
    names = ("nvidia.nvml", "nvidia.libcuda", "intel.level_zero", "amd.tools")
    modules = [importlib.import_module(f"torch_variant_provider.{name}") for name in names]
    yield [importlib.reload(module) for module in modules]
    windows.undo()
    for module in modules:
        importlib.reload(module)


def test_libraries_are_named_by_absolute_path(windows: pytest.MonkeyPatch) -> None:
    assert library.paths("nvml.dll", "/") == [
        "D:\\Windows\\System32\\nvml.dll",
        "D:\\Programs\\NVIDIA Corporation\\NVSMI\\nvml.dll",
    ]


def test_without_variables_the_usual_folders_are_searched(windows: pytest.MonkeyPatch) -> None:
    windows.delenv("WINDIR")
    windows.delenv("ProgramW6432")
    assert library.paths("nvcuda.dll", "/")[0] == "C:\\Windows\\System32\\nvcuda.dll"


def test_nothing_else_is_in_sight(windows: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A library in the loader's path of another system, or in the working directory, does not count."""
    (tmp_path / "nvml.dll").write_text("planted")
    windows.chdir(tmp_path)
    windows.setenv("LD_LIBRARY_PATH", str(tmp_path))
    windows.setenv("PATH", str(tmp_path))
    assert not library.in_sight("nvml.dll", "/")
    loaded: list[str] = []
    windows.setattr("ctypes.CDLL", loaded.append)
    assert library.load("nvml.dll", "/") is None
    assert loaded == []
    assert not presence.driver_present(str(tmp_path))


def test_a_library_where_it_belongs(windows: pytest.MonkeyPatch) -> None:
    windows.setattr("os.path.exists", lambda path: path == "D:\\Windows\\System32\\nvml.dll")
    assert library.in_sight("nvml.dll", "/")
    assert presence.driver_present()


def test_names(reloaded: list[ModuleType]) -> None:
    nvml, libcuda, level_zero, tools = reloaded
    assert (nvml._SONAME, libcuda.SONAME, level_zero._SONAME) == ("nvml.dll", "nvcuda.dll", "ze_loader.dll")
    assert tools._TOOLS == ("hipinfo",)


def test_nvidia_smi_is_where_the_libraries_are(windows: pytest.MonkeyPatch) -> None:
    from torch_variant_provider.nvidia.nvidia_smi import _windows_folders

    assert _windows_folders() == ("D:\\Windows\\System32", "D:\\Programs\\NVIDIA Corporation\\NVSMI")


def test_macos_has_nothing_and_asks_nothing(
    monkeypatch: pytest.MonkeyPatch, nvml_folder: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(nvml_folder))
    monkeypatch.setattr(Source, "read", lambda *_: pytest.fail("a source was asked"))
    for detect in (nvidia.detect, amd.detect, intel.detect):
        assert (detect({}, "/").facts, detect({}, "/").warnings) == ({}, [])
    forced = {"NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8"}
    assert nvidia.detect(forced, "/").text("cuda_version") == "12.8"


def test_programs_end_in_exe(windows: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("nvidia-smi", "nvidia-smi.exe"):
        (tmp_path / name).touch(mode=0o755)
    windows.setenv("PATH", str(tmp_path))
    assert programs.find_program("nvidia-smi") == str(tmp_path / "nvidia-smi.exe")

"""ROCm's tools as scripts on PATH, the installed release, and HSA_OVERRIDE_GFX_VERSION."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.torch_variant_provider.conftest import Answer, clean_environment, write_program
from tests.torch_variant_provider.test_kfd import CPU, gpu, tree
from torch_variant_provider.amd.detect import detect
from torch_variant_provider.amd.gfx import normal_gfx
from torch_variant_provider.amd.tools import parse_architectures

Ask = Callable[..., Answer]

ROCMINFO = """
\x1b[37mROCk module is loaded\x1b[0m
=====================
HSA System Attributes
=====================
Runtime Version:         1.18
*******
Agent 1
*******
  Name:                    AMD Ryzen 9 7950X 16-Core Processor
  Uuid:                    CPU-XX
*******
Agent 2
*******
  Name:                    \x1b[1;32mgfx1100\x1b[0m
  Marketing Name:          Radeon RX 7900 XTX
  ISA Info:
    ISA 1
      Name:                    amdgcn-amd-amdhsa--gfx1100
    ISA 2
      Name:                    amdgcn-amd-amdhsa--gfx11-generic
  Name:                    gfx90a
      Name:                    amdgcn-amd-amdhsa--gfx90a:sramecc+:xnack-
      Name:                    amdgcn-amd-amdhsa--gfx9-4-generic
*** Done ***
"""


def test_rocminfo(ask: Ask, tmp_path: Path) -> None:
    folder = write_program(tmp_path / "bin", "rocminfo", f"cat <<'E'\n{ROCMINFO}\nE")
    answer = ask("amd", PATH=f"{folder}:/usr/bin:/bin")
    assert answer.features == {"gfx_arch": ["gfx1100", "gfx90a"]}
    assert answer.stdout == ""


def test_rocm_agent_enumerator(ask: Ask, tmp_path: Path) -> None:
    folder = write_program(tmp_path / "bin", "rocm_agent_enumerator", "echo gfx000; echo gfx942; echo gfx942")
    write_program(folder, "rocminfo", "exit 1")
    assert ask("amd", PATH=f"{folder}:/usr/bin:/bin").features == {"gfx_arch": ["gfx942"]}


def test_what_a_failing_tool_printed_counts(ask: Ask, tmp_path: Path) -> None:
    folder = write_program(tmp_path / "bin", "rocminfo", "echo gfx1100; exit 1")
    assert ask("amd", PATH=f"{folder}:/usr/bin:/bin").features == {"gfx_arch": ["gfx1100"]}


def test_the_tools_are_asked_what_is_there(ask: Ask, tmp_path: Path) -> None:
    """They would honour variables that are about one run."""
    folder = write_program(
        tmp_path / "bin", "rocminfo", 'echo "${ROCR_VISIBLE_DEVICES-gfx942}${HSA_OVERRIDE_GFX_VERSION}"'
    )
    variables = {"ROCR_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "PATH": f"{folder}:/usr/bin:/bin"}
    assert ask("amd", **variables).features == {"gfx_arch": ["gfx942"]}


@pytest.mark.parametrize(
    "body", ["exit 1", "kill -6 $$", "echo ROCk module is NOT loaded", "echo gfx11-generic"]
)
def test_a_tool_that_fails(ask: Ask, tmp_path: Path, body: str) -> None:
    folder = write_program(tmp_path / "bin", "rocminfo", body)
    answer = ask("amd", PATH=f"{folder}:/usr/bin:/bin")
    assert (answer.features, answer.stdout, answer.stderr) == ({}, "", "")


def test_a_tool_that_hangs(tmp_path: Path) -> None:
    folder = write_program(tmp_path / "bin", "rocminfo", "sleep 600")
    done = subprocess.run(
        [sys.executable, "-m", "torch_variant_provider", "--timeout", "3"],
        env={**clean_environment(), "PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "warning: ROCm tools: rocminfo: it did not answer in 3 s" in done.stderr
    assert done.returncode == 3


def test_hipinfo_of_windows() -> None:
    text = "device#   0\nName:              AMD Radeon RX 7900 XTX\ngcnArchName:       gfx1100\n"
    assert parse_architectures(text) == ("gfx1100",)


def test_the_kernel_answers_before_the_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(write_program(tmp_path / "bin", "rocminfo", "echo gfx1201")))
    root = tree(tmp_path / "root", CPU, gpu(90402))
    assert detect({}, root).facts["gfx_arch"].source == "KFD"


def test_the_installed_release_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts where no kernel driver tells, as on WSL2."""
    monkeypatch.setenv("PATH", str(write_program(tmp_path / "bin", "rocminfo", "echo gfx1201")))
    (tmp_path / "opt/rocm/.info").mkdir(parents=True)
    (tmp_path / "opt/rocm/.info/version").write_text("7.0.2-1234\n")
    facts = detect({}, str(tmp_path)).facts
    assert (facts["installed_rocm"].value, facts["installed_rocm"].source) == ("7.0", "ROCm installation")
    root = tree(tmp_path, gpu(120001), module="6.12.12")
    assert "installed_rocm" not in detect({}, root).facts


def test_hsa_override(tmp_path: Path) -> None:
    root = tree(tmp_path, gpu(100302))
    known = detect({"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}, root)
    assert known.facts["gfx_arch"].value == ("gfx1030", "gfx1032")
    assert known.facts["gfx_arch"].source == "HSA_OVERRIDE_GFX_VERSION, KFD"
    assert known.warnings == []


def test_hsa_override_makes_no_gpu(tmp_path: Path) -> None:
    assert "gfx_arch" not in detect({"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}, tree(tmp_path, CPU)).facts


def test_a_forced_architecture_is_the_last_word(tmp_path: Path) -> None:
    environ = {"HSA_OVERRIDE_GFX_VERSION": "10.3.0", "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "gfx942"}
    assert detect(environ, tree(tmp_path, gpu(100302))).facts["gfx_arch"].value == ("gfx942",)


def test_a_bad_hsa_override_is_said_without_a_gpu(tmp_path: Path) -> None:
    known = detect({"HSA_OVERRIDE_GFX_VERSION": "10.3"}, str(tmp_path))
    assert [warning.partition(":")[0] for warning in known.warnings] == ["HSA_OVERRIDE_GFX_VERSION"]


@pytest.mark.parametrize("text", ["gfx1030", "10.3", "10.3.99", "10.3.0.0", "abc"])
def test_a_bad_hsa_override_is_named_and_ignored(tmp_path: Path, text: str) -> None:
    known = detect({"HSA_OVERRIDE_GFX_VERSION": text}, tree(tmp_path, gpu(100302)))
    assert known.facts["gfx_arch"].value == ("gfx1032",)
    assert known.warnings[0].startswith("HSA_OVERRIDE_GFX_VERSION: ")


def test_colours_are_no_part_of_a_name() -> None:
    assert parse_architectures("Name: \x1b[1;32mgfx1201\x1b[0m\n\x1b[?25l") == ("gfx1201",)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(normal_gfx(name) == name for name in parse_architectures(text))

"""AMD SMI's binding, as a module that behaves as badly as the real one may."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import clean_environment, write_program
from tests.torch_variant_provider.test_kfd import gpu, tree

QUERY = """
import sys
from torch_variant_provider.amd.detect import detect
known = detect({}, sys.argv[1])
fact = known.facts.get("gfx_arch")
print("answer", fact and fact.value, fact and fact.source, known.unanswered is not None)
"""

GOOD = """
print("amdsmi says hello")
def amdsmi_init(): print("more chatter")
def amdsmi_get_processor_handles(): return [0, 1, 2]
def amdsmi_get_gpu_asic_info(device):
    if device == 0: raise RuntimeError("GPU lost")
    return {"target_graphics_version": ["", "gfx90a", "gfx942"][device]}
"""


def ask(root: str, modules: Path, tools: Path = Path("/nowhere")) -> str:
    done = subprocess.run(
        [sys.executable, "-c", QUERY, root],
        env={**clean_environment(), "PYTHONPATH": str(modules), "PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gpus_the_kernel_does_not_name(tmp_path: Path) -> None:
    (tmp_path / "amdsmi.py").write_text(GOOD)
    assert ask(tree(tmp_path / "root", gpu(None)), tmp_path) == "answer ('gfx942', 'gfx90a') AMD SMI False\n"


def test_the_kernel_answers_first(tmp_path: Path) -> None:
    (tmp_path / "amdsmi.py").write_text(GOOD)
    assert ask(tree(tmp_path / "root", gpu(110000)), tmp_path) == "answer ('gfx1100',) KFD False\n"


def test_a_machine_without_amd_driver_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "amdsmi.py").write_text(GOOD)
    assert ask(str(tmp_path / "root"), tmp_path) == "answer None None False\n"


def test_a_binding_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "amdsmi.py").write_text("import time; time.sleep(600)")
    assert ask(tree(tmp_path / "root", gpu(None)), tmp_path) == "answer None None True\n"


def test_a_binding_that_crashes(tmp_path: Path) -> None:
    (tmp_path / "amdsmi.py").write_text("import os; os.abort()")
    root = tree(tmp_path / "root", gpu(None))
    assert ask(root, tmp_path) == "answer None None True\n"
    tools = write_program(tmp_path / "bin", "rocminfo", "echo gfx906")
    assert ask(root, tmp_path, tools) == "answer ('gfx906',) ROCm tools False\n"


@pytest.mark.parametrize(
    "text",
    ["raise KeyError('libamd_smi.so')", "print('x')", "import nothing_like_it", "def amdsmi_init(): 1/0"],
)
def test_a_binding_that_fails(tmp_path: Path, text: str) -> None:
    (tmp_path / "amdsmi.py").write_text(text)
    assert ask(tree(tmp_path / "root", gpu(None)), tmp_path) == "answer None None False\n"

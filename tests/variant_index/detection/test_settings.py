"""This machine, a file, or a name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from variant_index.detection.failure import DetectionError
from variant_index.detection.named import named_machine
from variant_index.detection.settings import DetectionSettings
from variant_index.errors import InputError


def test_a_machine_that_is_nothing_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file, and no machine's name such as cpu"):
        DetectionSettings(str(tmp_path / "none.json")).check()
    with pytest.raises(InputError, match="no such file"):
        DetectionSettings(str(tmp_path)).check()
    for odd in ("x" * 5000, "x\ny\x1b"):
        with pytest.raises(InputError, match="no such file") as caught:
            DetectionSettings(odd).check()
        assert str(caught.value).isprintable()
    with pytest.raises(InputError, match="says it twice"):
        DetectionSettings("cuda12.8-cuda12.9").check()


def test_a_name() -> None:
    assert DetectionSettings("cuda12.8-sm90").profile() == named_machine("cuda12.8-sm90")


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "box.json"
    file.write_text(named_machine("rocm6.4-gfx942").model_dump_json())
    assert DetectionSettings(str(file)).profile() == named_machine("rocm6.4-gfx942")


def test_a_file_of_a_machine_that_could_not_be_examined(tmp_path: Path) -> None:
    file = tmp_path / "box.json"
    profile = named_machine("cuda12.8").model_copy(update={"unanswered": {"nvidia": "NVML crashed"}})
    file.write_text(profile.model_dump_json())
    with pytest.raises(DetectionError, match="GPU not detected: NVML crashed"):
        DetectionSettings(str(file)).profile()
    lines: list[str] = []
    assert DetectionSettings(str(file), on_failure="cpu").profile(lines.append).properties == {}
    assert len(lines) == 1


def test_a_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cpu").write_text(named_machine("cuda12.8").model_dump_json())
    assert list(DetectionSettings("cpu").profile().properties) == ["nvidia"]


def test_a_file_that_is_no_profile(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(InputError, match="not a machine profile"):
        DetectionSettings(str(tmp_path / "x.json")).profile()


def test_settings_are_read_without_models() -> None:
    """variant-pip reads them in every run; a machine is only looked at where a release has variants."""
    code = (
        "import sys\nfrom variant_index.detection.settings import DetectionSettings\n"
        "DetectionSettings('cuda12.8-sm90').check()\n"
        "print([name for name in ('pydantic', 'click', 'archspec', 'subprocess') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr

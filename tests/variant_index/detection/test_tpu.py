"""Google's TPUs on trees in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from variant_index.detection.tpu import FORCE_PRESENT, detect_tpu


def tree(root: Path, *devices: tuple[str, str]) -> Path:
    for number, (vendor, device) in enumerate(devices):
        folder = root / f"sys/bus/pci/devices/0000:00:{number:02}.0"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "device").write_text(f"{device}\n")
    (root / "sys/bus/pci/devices/no-device").mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    ("device", "present"),
    [(("0x1ae0", "0x0063"), True), (("0x1ae0", "0x0042"), False), (("0x10de", "0x0063"), False)],
)
def test_present(tmp_path: Path, device: tuple[str, str], present: bool) -> None:
    profile = detect_tpu({}, tree(tmp_path, ("0x8086", "0x1237"), device))
    assert profile.properties == ({"tpu": {"present": ["true"]}} if present else {})


def test_no_pci_bus(tmp_path: Path) -> None:
    assert detect_tpu({}, tmp_path).properties == {}


@pytest.mark.parametrize(("text", "present"), [("1", True), ("YES", True), ("0", False), ("false", False)])
def test_override(tmp_path: Path, text: str, present: bool) -> None:
    root = tree(tmp_path, *(() if present else [("0x1ae0", "0x0063")]))
    assert bool(detect_tpu({FORCE_PRESENT: text}, root).properties) is present


def test_a_bad_value_is_named_and_ignored(tmp_path: Path) -> None:
    profile = detect_tpu({FORCE_PRESENT: "maybe\n"}, tree(tmp_path, ("0x1ae0", "0x0063")))
    assert profile.properties
    assert profile.notes[0].startswith(f"{FORCE_PRESENT}: 'maybe' is not")

"""The demonstrated family: a sound ordinary wheel, and machines that tell its variants apart."""

from __future__ import annotations

from pathlib import Path

from variant_index.demo.family import MODULE, VARIANTS, VERSION, write_plain_wheel
from variant_index.demo.machines import MACHINES
from variant_index.wheel.read import read_wheel


def test_the_plain_wheel_is_sound(tmp_path: Path) -> None:
    contents = read_wheel(write_plain_wheel(tmp_path))
    assert contents.filename.filename == f"{MODULE}-{VERSION}-py3-none-any.whl"
    assert contents.findings == ()


def test_eight_machines_show_every_variant() -> None:
    assert len(MACHINES) == 8
    assert {machine.expected for machine in MACHINES} == set(VARIANTS)
    assert len({machine.name for machine in MACHINES}) == len(MACHINES)

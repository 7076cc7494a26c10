"""What docs/repack.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

from tests.making import make_wheel
from variant_index.repack.carry_out import carry_out
from variant_index.repack.load import BUILT_IN, find_wheels, read_sources
from variant_index.repack.patterns import parse_pattern
from variant_index.repack.plan import plan_repack
from variant_index.repack.rules import parse_rules
from variant_index.wheel.read import read_wheel

_TEXT = (Path(__file__).parents[3] / "docs" / "repack.md").read_text(encoding="utf-8")


def test_the_example_rules_do_what_is_said(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", _TEXT, re.DOTALL)
    rules = parse_rules(example.encode(), "docs/repack.md")
    tags = "cp312-cp312-linux_x86_64"
    requires = ["acme-core-cuda12==1.0", "acme-gpu-x-headers", "numpy"]
    make_wheel(tmp_path / "in", f"acme_gpu_cuda12-1.0-{tags}.whl", requires_dist=requires)
    make_wheel(tmp_path / "in", f"acme_cpu-1.0-{tags}.whl", requires_dist=["numpy"])
    make_wheel(tmp_path / "in", f"numpy-2.0-{tags}.whl")
    sources, _ = read_sources(find_wheels([tmp_path / "in"], tmp_path / "out"))
    plan = plan_repack(sources, [rules])
    assert [one.reason for one in plan.left_out] == ["not ours"]
    assert not [outcome.error for outcome in carry_out(plan.planned, tmp_path / "out") if outcome.error]
    variant = read_wheel(tmp_path / "out" / f"acme-1.0-{tags}-cuda12.whl", verify=True)
    lines = variant.metadata.decode().splitlines()
    assert [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist")] == [
        "acme-core==1.0",
        "numpy",
        "nvidia-cudnn-cu12; sys_platform == 'linux'",
        "acme-cuda-tools",
    ]
    plain = read_wheel(tmp_path / "out" / f"acme-1.0-{tags}.whl", verify=True)
    assert plain.metadata.count(b"Requires-Dist") == 1


def test_every_set_and_field_is_told() -> None:
    for name in BUILT_IN:
        assert f"| `{name}` |" in _TEXT
    for field in ("backend", "cuda", "rocm", "torch", "abi", "commit"):
        assert parse_pattern(f"{{{field}}}").fields
        assert f"| `{{{field}}}` |" in _TEXT

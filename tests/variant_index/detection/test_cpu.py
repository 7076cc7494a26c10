"""The processor's namespaces, as uv's built-in providers answer them."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import document
from tests.torch_variant_provider.test_against_uv import chosen_by_uv, serve
from variant_index.detection.cpu import FORCE_LEVEL, FORCE_VERSION, cpu_profile, detect_cpu, levels, versions

VALUE = st.from_regex(r"[a-z0-9_.]+", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("x86_64", ["v1"]),
        ("x86_64_v2", ["v2", "v1"]),
        ("x86_64_v3", ["v3", "v2", "v1"]),
        ("x86_64_v4", ["v4", "v3", "v2", "v1"]),
        ("x86_64_v5", ["v4", "v3", "v2", "v1"]),
        ("x86-64-v3", ["v3", "v2", "v1"]),
        ("v3", ["v3", "v2", "v1"]),
        ("3", ["v3", "v2", "v1"]),
        ("v0", []),
        ("skylake", []),
        ("", []),
    ],
)
def test_levels(name: str, values: list[str]) -> None:
    assert levels(name) == values


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("aarch64", ["8a"]),
        ("armv8.1a", ["8.1a", "8a"]),
        ("armv8.2a", ["8.2a", "8.1a", "8a"]),
        ("armv8.4a", ["8.4a", "8.3a", "8.2a", "8.1a", "8a"]),
        ("armv8.6a", ["8.4a", "8.3a", "8.2a", "8.1a", "8a"]),
        ("armv9.0a", ["8.4a", "8.3a", "8.2a", "8.1a", "8a"]),
        ("armv9.2a", ["8.4a", "8.3a", "8.2a", "8.1a", "8a"]),
        ("8.2", ["8.2a", "8.1a", "8a"]),
        ("8a", ["8a"]),
        ("armv8-a", ["8a"]),
        ("armv7", []),
        ("arm", []),
        ("", []),
    ],
)
def test_versions(name: str, values: list[str]) -> None:
    assert versions(name) == values


def test_every_generic_processor_that_archspec_knows() -> None:
    from archspec.cpu import TARGETS

    for name, target in TARGETS.items():
        if target.vendor == "generic" and target.family.name == "x86_64":
            assert levels(name) == ["v4", "v3", "v2", "v1"][3 - len(target.ancestors) :]
        if target.vendor == "generic" and target.family.name == "aarch64":
            known = [versions(other.name)[0] for other in (target, *target.ancestors)]
            assert versions(name) == list(dict.fromkeys(known))


@pytest.mark.parametrize(
    ("environ", "properties"),
    [
        ({}, {"x86_64": {"level": ["v3", "v2", "v1"]}}),
        ({FORCE_LEVEL: "V2"}, {"x86_64": {"level": ["v2", "v1"]}}),
        ({FORCE_LEVEL: "none"}, {}),
        (
            {FORCE_VERSION: "8.1a"},
            {"x86_64": {"level": ["v3", "v2", "v1"]}, "aarch64": {"version": ["8.1a", "8a"]}},
        ),
    ],
)
def test_overrides(environ: dict[str, str], properties: dict[str, object]) -> None:
    profile = cpu_profile({"x86_64": "x86_64_v3"}, environ)
    assert (profile.properties, profile.notes) == (properties, [])


@pytest.mark.parametrize("variable", [FORCE_LEVEL, FORCE_VERSION])
def test_a_bad_value_is_named_and_ignored(variable: str) -> None:
    profile = cpu_profile({"x86_64": "x86_64_v3", "aarch64": "armv8.2a"}, {variable: "fast\x1b"})
    assert list(profile.properties) == ["x86_64", "aarch64"]
    assert profile.notes[0].startswith(f"{variable}: 'fast")
    assert profile.notes[0].isprintable()


@given(st.text() | VALUE)
def test_any_text_is_read(text: str) -> None:
    levels(text)
    versions(text)
    assert all(note.isprintable() for note in cpu_profile({}, {FORCE_LEVEL: text, FORCE_VERSION: text}).notes)


def test_without_archspec_there_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "archspec.cpu", None)
    profile = detect_cpu({})
    assert profile.properties == {}
    assert "archspec is not installed" in profile.notes[0]


def test_archspec_that_fails_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    import archspec.cpu

    def host() -> None:
        raise RuntimeError("no\ncpuinfo")

    monkeypatch.setattr(archspec.cpu, "host", host)
    assert detect_cpu({}).notes == ["CPU: RuntimeError: no\\ncpuinfo"]


def test_help_does_not_load_it() -> None:
    for arguments in (["--help"], ["machine", "--help"]):
        code = (
            "import sys\nfrom variant_index.cli import main\n"
            f"try: main({arguments})\nexcept SystemExit: pass\n"
            "print([name for name in sys.modules if name.startswith(('archspec', 'pynvml'))])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="not an x86-64 processor")
def test_this_processor_as_uv_sees_it(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each level is offered alone, so that uv says of each whether it runs."""
    supported = detect_cpu({}).properties["x86_64"]["level"]
    provider = {"x86_64": {"requires": ["x86-64-variant-provider>=0.2.1"]}}
    for level in ("v1", "v2", "v3", "v4"):
        variants: dict[str, dict[str, dict[str, list[str]]]] = {
            "null": {},
            level: {"x86_64": {"level": [level]}},
        }
        whole = document(variants, ["x86_64"], provider)
        with serve(tmp_path_factory.mktemp(level), whole) as index:
            chosen = chosen_by_uv(index, tmp_path / level, {})
        assert chosen == (level if level in supported else "null")
    variants = {"null": {}, **{level: {"x86_64": {"level": [level]}} for level in ("v1", "v2", "v3", "v4")}}
    with serve(tmp_path_factory.mktemp("all"), document(variants, ["x86_64"], provider)) as index:
        assert chosen_by_uv(index, tmp_path / "all", {}) == supported[0]

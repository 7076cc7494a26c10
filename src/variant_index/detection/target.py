"""Another machine than this one, of which an installer's target platform is all that is known; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from variant_index.detection.forced import forced_profile
from variant_index.errors import printable

if TYPE_CHECKING:
    from variant_index.model.machine import MachineProfile

__all__ = ["foreign_platform", "target_machine"]

# Words in a platform -> what it is; "darwin" has "win" in it and goes first.
_SYSTEMS = (("macos", "macos"), ("darwin", "macos"), ("linux", "linux"), ("win", "windows"))
_ARCHITECTURES = (("x86_64", "x86_64"), ("amd64", "x86_64"), ("aarch64", "aarch64"), ("arm64", "aarch64"))
_BOTH = "universal2"
_GPUS = frozenset(("nvidia", "amd", "intel"))


def foreign_platform(platforms: Sequence[str], host: str) -> str | None:
    """Return the first platform that this machine is not; None where it is all of them.

    Args:
        platforms: as wheels or installers spell them: `manylinux2014_aarch64`, `win_amd64`,
            `macosx_11_0_arm64`, `aarch64-unknown-linux-gnu`; `any` is every machine.
        host: this machine, its system and its architecture: `linux_x86_64`, `darwin_arm64`, `win32_AMD64`.
    """
    here = _machine(host)
    for platform in platforms:
        system, architecture = _machine(platform)
        if platform != "any" and (system != here[0] or architecture not in (here[1], _BOTH)):
            return platform
    return None


def target_machine(platforms: Sequence[str], environ: Mapping[str, str]) -> tuple[MachineProfile, list[str]]:
    """Return what is certain of a machine that is not this one, and warnings.

    That is the least that every processor of its architecture runs, and what the environment forces.
    Nothing is said of this machine: not its processor, nor its GPUs.

    Args:
        platforms: as `foreign_platform` takes them.
        environ: the environment variables that force facts, as the provider knows them.
    """
    machines = {_machine(platform) for platform in platforms if platform != "any"}
    architectures = {architecture for _, architecture in machines} - {"", _BOTH}
    processor = {name: name for name in architectures} if len(architectures) == 1 else {}
    profile, warnings = forced_profile(environ, processor, "target platform")
    if _GPUS.isdisjoint(profile.properties) and any(system != "macos" for system, _ in machines):
        shown = printable(", ".join(platforms))
        warnings.append(
            f"platform {shown} is not this machine, so its GPUs are not known and builds without GPU are "
            "chosen; name the machine with VARIANT_INDEX_MACHINE, such as cuda12.8-sm90"
        )
    return profile, warnings


def _machine(platform: str) -> tuple[str, str]:
    """Return a platform's system and architecture, each "" where it is none that we know."""
    text = platform.lower().replace("-", "_")
    system = next((name for word, name in _SYSTEMS if word in text), "")
    if text.endswith(_BOTH):
        return system, _BOTH
    return system, next((name for word, name in _ARCHITECTURES if word in text), "")

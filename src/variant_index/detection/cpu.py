"""What the processor runs, in the namespaces `x86_64` and `aarch64`, through archspec.

The features, values and their order are those of the providers that uv has built in. On Linux
archspec reads /proc/cpuinfo, on Windows it asks the processor, on macOS it runs sysctl.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from variant_index.errors import printable
from variant_index.model.machine import Fact, MachineProfile

if TYPE_CHECKING:
    from archspec.cpu import Microarchitecture

__all__ = ["FORCE_LEVEL", "FORCE_VERSION", "cpu_profile", "detect_cpu", "levels", "versions"]

FORCE_LEVEL = "X86_64_VARIANT_PROVIDER_FORCE_LEVEL"
"""Forces the x86-64 level: `v3`, `3`, `x86_64_v3`, or `none`."""

FORCE_VERSION = "AARCH64_VARIANT_PROVIDER_FORCE_VERSION"
"""Forces the Arm architecture version: `8.2a`, `8.2`, `armv8.2a`, or `none`."""

_SOURCE = "archspec"

_LEVELS = ("v4", "v3", "v2", "v1")
_VERSIONS = ("8.4a", "8.3a", "8.2a", "8.1a", "8a")


def detect_cpu(environ: Mapping[str, str] | None = None) -> MachineProfile:
    """Return what this machine's processor runs; a failure becomes a note, never an error.

    Args:
        environ: the environment variables, for overrides; None for those of this process.
    """
    host, notes = _host()
    return cpu_profile(host, os.environ if environ is None else environ, notes)


def cpu_profile(
    generic: Mapping[str, str],
    environ: Mapping[str, str],
    notes: list[str] | None = None,
    *,
    source: str = _SOURCE,
) -> MachineProfile:
    """Return the profile of a processor; pure.

    Args:
        generic: namespace -> what archspec calls the closest generic processor (`x86_64_v3`, `armv8.2a`).
        environ: the environment variables, for overrides.
        notes: remarks to pass on.
        source: where `generic` comes from.
    """
    notes = list(notes or ())
    properties: dict[str, dict[str, list[str]]] = {}
    facts: dict[str, dict[str, Fact]] = {}
    for namespace, feature, variable, values_of in (
        ("x86_64", "level", FORCE_LEVEL, levels),
        ("aarch64", "version", FORCE_VERSION, versions),
    ):
        forced = environ.get(variable, "").strip().lower()
        known, origin = generic.get(namespace), source
        if forced == "none":
            known, origin = None, variable
        elif forced and values_of(forced):
            known, origin = forced, variable
        elif forced:
            example = values_of(known or "x86_64_v3")[:1] or ["8.2a"]
            notes.append(
                f"{variable}: {printable(forced, 60)!r} is not a value such as {example[0]}, or none; "
                "it is ignored"
            )
        if known is not None and (values := values_of(known)):
            properties[namespace] = {feature: values}
            facts[namespace] = {feature: Fact(value=values[0], source=origin)}
    return MachineProfile(
        properties=properties,
        feature_order={namespace: list(features) for namespace, features in properties.items()},
        facts=facts,
        notes=notes,
    )


def levels(name: str) -> list[str]:
    """Return the x86-64 levels that `x86_64_v3` (or `v3`, `3`) runs, best first; nothing for another name."""
    level = name.replace("-", "_").removeprefix("x86_64")
    level = "1" if not level and name else level.removeprefix("_").removeprefix("v")
    if not (level.isascii() and level.isdigit() and len(level) <= 2) or not int(level):
        return []
    # A level newer than the newest known runs that one too.
    return list(_LEVELS[max(0, len(_LEVELS) - int(level)) :])


def versions(name: str) -> list[str]:
    """Return the Arm versions that `armv8.2a` (or `8.2a`, `8.2`) runs, best first; nothing for another name.

    Of Armv9, which includes Armv8.5, the newest that the published providers name is 8.4a.
    """
    version = "8" if name == "aarch64" else name.removeprefix("armv").removesuffix("a").removesuffix("-")
    major, _, minor = version.partition(".")
    minor = minor or "0"
    if not ((major + minor).isascii() and major.isdigit() and minor.isdigit() and len(version) <= 4):
        return []
    if int(major) < 8:
        return []
    steps = int(minor) if int(major) == 8 else len(_VERSIONS)
    return list(_VERSIONS[max(0, len(_VERSIONS) - 1 - steps) :])


def _host() -> tuple[dict[str, str], list[str]]:
    try:
        from archspec.cpu import host

        return _generic(host()), []
    except ModuleNotFoundError:
        return {}, ["CPU: archspec is not installed, so x86_64 :: level and aarch64 :: version are not known"]
    except Exception as error:  # noqa: BLE001 - reading odd systems raises anything; a CPU build still runs
        return {}, [f"CPU: {type(error).__name__}: {printable(str(error))}"]


def _generic(host: Microarchitecture) -> dict[str, str]:
    family = host.family.name
    return {family: host.generic.name} if family in ("x86_64", "aarch64") else {}

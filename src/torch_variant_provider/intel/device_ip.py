"""Intel's device IP versions (GMDID): the architecture of a GPU, as `architecture.release.revision`.

The names, and which older version's code a GPU also runs, are those that Intel's own variant provider
publishes; it filters what it does not list, so a version that is missing here is answered by nobody.
"""

from __future__ import annotations

__all__ = ["KNOWN", "device_ip_of_number", "device_ip_order", "normal_device_ip", "runs"]

KNOWN: dict[str, str | None] = {
    "35.11.0": None,
    "35.10.4": None,
    "30.5.4": "30.0.4",
    "30.4.4": "30.0.4",
    "30.3.1": "30.0.4",
    "30.1.0": "30.0.4",
    "30.0.4": None,
    "20.4.4": "20.1.0",
    "20.2.0": "20.1.0",
    "20.1.0": None,
    "12.74.4": None,
    "12.71.4": "12.70.4",
    "12.70.4": None,
    "12.60.7": None,
    "12.57.0": "12.55.8",
    "12.56.5": "12.55.8",
    "12.55.8": None,
    "12.10.0": None,
    "12.4.0": None,
    "12.3.0": None,
    "12.2.0": None,
    "12.1.0": None,
    "12.0.0": None,
}
"""Version -> the base version whose code it runs as well; newest first."""


def normal_device_ip(text: str) -> str | None:
    """Read `20.1.0` or `20.1.0 `; None for anything that is not three numbers."""
    parts = text.strip().split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return None
    return ".".join(str(int(part)) for part in parts)


def device_ip_of_number(number: int) -> str:
    """Return the version of Level Zero's number: 10 bits architecture, 8 release, 8 reserved, 6 revision."""
    return f"{number >> 22}.{number >> 14 & 0xFF}.{number & 0x3F}"


def device_ip_order(version: str) -> tuple[int, ...]:
    """Return a normal version as numbers, to order by."""
    return tuple(int(part) for part in version.split("."))


def runs(version: str) -> list[str]:
    """Return the versions whose code a GPU runs, its own first; nothing for a version not listed."""
    if version not in KNOWN:
        return []
    base = KNOWN[version]
    return [version] if base is None else [version, base]

"""Facts forced by environment variables; pure.

Each fact has its own variables, in order of precedence: the first usable value wins, and forcing
one fact leaves the others to detection. A bad value becomes a warning that names the variable, and
counts as unset; so does an empty one.
"""

from __future__ import annotations

from torch_variant_provider.amd.gfx import gfx_number, gfx_of_target_version, normal_gfx
from torch_variant_provider.facts import NONE, Fact, Knowledge
from torch_variant_provider.intel.device_ip import device_ip_order, normal_device_ip
from torch_variant_provider.nvidia.capability import parse_capability
from torch_variant_provider.nvidia.driver_table import OLDEST_BRANCH, cuda_of_driver
from torch_variant_provider.versions import parse_version, version_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch_variant_provider.facts import Value

    Parser = Callable[[str], Value | None]

__all__ = [
    "DISABLE_AMD",
    "HSA_OVERRIDE",
    "VARIABLES",
    "amd_overrides",
    "hsa_override",
    "intel_overrides",
    "nvidia_overrides",
]

DISABLE_AMD = "ROCM_BOOTSTRAP_DISABLE_DETECTION"
"""Switches the look for AMD hardware off; forced facts stay."""

HSA_OVERRIDE = "HSA_OVERRIDE_GFX_VERSION"
"""The architecture that ROCm is to assume for every GPU, as `major.minor.stepping`."""

_NO = ("none", "0", "0.0")
_FALSE = ("", "0", "false", "no", "off")
_MOST = 64  # values in a forced list


def _cuda(text: str) -> str | None:
    if text in _NO:
        return NONE
    version = parse_version(text)
    if version is not None and version[0] >= OLDEST_BRANCH:
        return _cuda_by_driver(text)
    return None if version is None else version_text(version)


def _cuda_by_driver(text: str) -> str | None:
    if text in _NO:
        return NONE
    version = cuda_of_driver(text)
    return None if version is None else version_text(version)


def _capabilities(text: str) -> tuple[str, ...] | None:
    if text in _NO:
        return ()
    capabilities = [parse_capability(word) for word in _words(text)]
    known = {capability for capability in capabilities if capability is not None}
    if not known or None in capabilities:
        return None
    return tuple(version_text(capability) for capability in sorted(known, reverse=True))


def _gfx(text: str) -> tuple[str, ...] | None:
    if text in _NO:
        return ()
    names = [normal_gfx(word) for word in _words(text)]
    known = {name for name in names if name is not None}
    if not known or None in names:
        return None
    return tuple(sorted(known, key=gfx_number, reverse=True))


def _rocm(text: str) -> str | None:
    if text in _NO:
        return NONE
    version = parse_version(text, suffix="-~+")
    return None if version is None else version_text(version)


def _device_ip(text: str) -> tuple[str, ...] | None:
    if text in _NO:
        return ()
    versions = [normal_device_ip(word) for word in _words(text)]
    known = {version for version in versions if version is not None}
    if not known or None in versions:
        return None
    return tuple(sorted(known, key=device_ip_order, reverse=True))


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()[: _MOST + 1]


_CUDA_RULE = "is not a CUDA version such as 12.8, a driver version such as 570.133.20, or none"
_DRIVER_RULE = "is not a driver version such as 570.133.20, or none"
_SM_RULE = "is not a list of compute capabilities such as 9.0,8.6, or none"
_GFX_RULE = "is not a list of AMD architectures such as gfx942,gfx1100, or none"
_ROCM_RULE = "is not a ROCm version such as 6.4, or none"
_DEVICE_IP_RULE = "is not a list of Intel device IP versions such as 20.1.0, or none"

_NVIDIA: tuple[tuple[str, str, Parser, str], ...] = (
    ("cuda_version", "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION", _cuda, _CUDA_RULE),
    # Despite its name it holds a CUDA version; it comes from the WheelNext tutorial.
    ("cuda_version", "NV_PROVIDER_FORCE_DRIVER_VERSION", _cuda, _CUDA_RULE),
    ("cuda_version", "UV_CUDA_DRIVER_VERSION", _cuda_by_driver, _DRIVER_RULE),
    ("compute_capability", "NV_VARIANT_PROVIDER_FORCE_SM_ARCH", _capabilities, _SM_RULE),
)
_AMD: tuple[tuple[str, str, Parser, str], ...] = (
    ("gfx_arch", "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH", _gfx, _GFX_RULE),
    ("gfx_arch", "ROCM_BOOTSTRAP_FORCE_GFX_ARCH", _gfx, _GFX_RULE),
    ("gfx_arch", "UV_AMD_GPU_ARCHITECTURE", _gfx, _GFX_RULE),
    ("rocm_version", "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION", _rocm, _ROCM_RULE),
)
# Intel's own provider has no variables; this one is ours.
_INTEL: tuple[tuple[str, str, Parser, str], ...] = (
    ("device_ip", "INTEL_VARIANT_PROVIDER_FORCE_DEVICE_IP", _device_ip, _DEVICE_IP_RULE),
)

VARIABLES: tuple[str, ...] = (
    *(row[1] for row in _NVIDIA),
    *(row[1] for row in _AMD),
    *(row[1] for row in _INTEL),
    DISABLE_AMD,
    HSA_OVERRIDE,
)
"""Every environment variable that forces something."""


def nvidia_overrides(environ: Mapping[str, str]) -> Knowledge:
    """Return the forced facts `cuda_version` and `compute_capability`, and warnings about bad values."""
    return _forced(_NVIDIA, environ)


def amd_overrides(environ: Mapping[str, str]) -> tuple[Knowledge, bool]:
    """Return the forced facts `gfx_arch` and `rocm_version`, and whether detection stays on."""
    return _forced(_AMD, environ), environ.get(DISABLE_AMD, "").strip().lower() in _FALSE


def intel_overrides(environ: Mapping[str, str]) -> Knowledge:
    """Return the forced fact `device_ip`, and warnings about a bad value."""
    return _forced(_INTEL, environ)


def hsa_override(environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return the architecture of HSA_OVERRIDE_GFX_VERSION, and warnings about a bad value."""
    text = environ.get(HSA_OVERRIDE, "").strip()
    if not text:
        return None, []
    parts = text.split(".")
    if len(parts) == 3 and all(part.isascii() and part.isdigit() and len(part) <= 2 for part in parts):
        major, minor, step = map(int, parts)
        name = gfx_of_target_version(major * 10000 + minor * 100 + step)
        if name is not None:
            return name, []
    return None, [f"{HSA_OVERRIDE}: {text[:60]!a} is not an architecture such as 10.3.0; it is ignored"]


def _forced(rows: tuple[tuple[str, str, Parser, str], ...], environ: Mapping[str, str]) -> Knowledge:
    facts: dict[str, Fact] = {}
    warnings: list[str] = []
    for fact, variable, parse, rule in rows:
        text = environ.get(variable, "").strip().lower()
        if not text or fact in facts:
            continue
        value = parse(text)
        if value is None:
            warnings.append(f"{variable}: {text[:60]!a} {rule}; it is ignored")
        else:
            facts[fact] = Fact(value, variable)
    return Knowledge(facts, warnings)

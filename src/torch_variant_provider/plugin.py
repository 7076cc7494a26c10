"""The provider plugins, as installers load them: the only module that knows the hosts' protocol.

One class per vendor serves all generations at once: PEP 817 and variantlib 0.0.3 (`namespace`,
`is_aot_plugin`), and variantlib 0.2 (`all_properties_compatible`). In a host one failing plugin
fails all of them, and standard output is the host's data channel: nothing here raises, and nothing
is printed but warnings on standard error.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["AmdPlugin", "FeatureConfig", "IntelPlugin", "NvidiaPlugin"]


class FeatureConfig:
    """One feature and its values (`VariantFeatureConfigType` of the protocol).

    Attributes:
        name: the feature's name.
        values: its values, best first; never empty, each once.
        multi_value: whether a variant may list several of them.
    """

    __slots__ = ("multi_value", "name", "values")

    def __init__(self, name: str, values: list[str], multi_value: bool) -> None:
        self.name = name
        self.values = values
        self.multi_value = multi_value

    def __repr__(self) -> str:
        return f"FeatureConfig({self.name!r}, {self.values!r}, {self.multi_value!r})"


class _Plugin:
    """What every vendor's plugin does; the vendor's package is named after its namespace."""

    namespace: str
    is_aot_plugin = False
    all_properties_compatible = False

    @classmethod
    def get_all_configs(cls) -> list[FeatureConfig]:
        """Return every feature with every value this release can name; the same on all machines."""
        properties = _module(cls.namespace, "properties")
        return _configs(properties.all_properties(), properties.FEATURES)

    @classmethod
    def get_supported_configs(cls) -> list[FeatureConfig]:
        """Return what this machine supports, best first; nothing of what there is no driver for."""
        try:
            knowledge = _module(cls.namespace, "detect").detect(os.environ)
            properties = _module(cls.namespace, "properties")
            configs = _configs(properties.supported_properties(knowledge), properties.FEATURES)
        except Exception as error:  # noqa: BLE001 - an exception here would fail every provider of the host
            _print([f"{cls.namespace}: detection failed: {type(error).__name__}: {error}"])
            return []
        _print(knowledge.warnings)
        return configs


class NvidiaPlugin(_Plugin):
    """NVIDIA GPUs: the CUDA version the driver supports, and the code the GPUs run."""

    namespace = "nvidia"


class AmdPlugin(_Plugin):
    """AMD GPUs: their architectures, and the ROCm releases the kernel driver runs."""

    namespace = "amd"


class IntelPlugin(_Plugin):
    """Intel GPUs: the device IP versions whose code they run."""

    namespace = "intel"


def _module(vendor: str, name: str) -> Any:
    return __import__(f"torch_variant_provider.{vendor}.{name}", fromlist=[name])


def _configs(properties: dict[str, list[str]], features: dict[str, bool]) -> list[FeatureConfig]:
    return [
        FeatureConfig(name, properties[name], multi_value)
        for name, multi_value in features.items()
        if properties.get(name)
    ]


def _print(lines: Iterable[str]) -> None:
    try:
        for line in lines:
            sys.stderr.write(f"torch-variant-provider: {line}\n")
    except (AttributeError, OSError, ValueError):  # a host without a usable standard error
        return

"""What the rooms below need to know, taken out of the configuration; variant-pip starts without click."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from variant_index.configuration.effective import Configuration

if TYPE_CHECKING:
    from typing import Literal

    from variant_index.detection import DetectionSettings
    from variant_index.selection.preference import Preference
    from variant_index.torch_index.settings import TorchSettings
    from variant_index.upstream.routing import Routing

__all__ = ["detection_settings", "routing", "torch_settings"]


def detection_settings(configuration: Configuration) -> DetectionSettings:
    """Return how to learn what the machine can run.

    Raises:
        InputError: the machine is neither a name nor an existing file.
    """
    from variant_index.detection import DetectionSettings
    from variant_index.providers.settings import ProviderSettings

    settings = DetectionSettings(
        configuration.text("machine"),
        configuration.seconds("detection-timeout"),
        cast("Literal['error', 'cpu'] | None", configuration.text("on-detection-failure")),
        ProviderSettings(configuration.text("providers") == "on", configuration.seconds("provider-timeout")),
    )
    with configuration.naming("machine"):
        settings.check()
    return settings


def torch_settings(configuration: Configuration, *, own_index: bool) -> TorchSettings:
    """Return where the torch family comes from.

    Args:
        configuration: the settings in effect.
        own_index: as `torch_index.settings.torch_settings` takes it.

    Raises:
        InputError: index or backends cannot be understood.
    """
    from variant_index.torch_index.settings import torch_settings

    backends = configuration.items("torch-backends")
    with configuration.naming("torch-backends"):
        torch_settings(torch_index="off", backends=backends)
    with configuration.naming("torch-index"):
        return torch_settings(
            torch_index=configuration.text("torch-index"),
            backends=backends,
            prefer=cast("Preference", configuration.text("prefer")),
            allow_unhashed=configuration.flag("allow-unhashed"),
            own_index=own_index,
        )


def routing(configuration: Configuration) -> Routing:
    """Return the rules beside the order of sources.

    Raises:
        SourceError: an index of a route is a folder that is missing.
        InputError: a rule cannot be understood.
    """
    from variant_index.upstream.local import check_local
    from variant_index.upstream.routing import Routing, read_routing

    with configuration.naming("route"):
        routes = read_routing(configuration.items("route")).routes
    with configuration.naming("merge"):
        merged = read_routing(merge=configuration.items("merge")).merged
    found = Routing(routes, merged)
    check_local(found.sources)
    return found

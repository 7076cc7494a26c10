"""The plugin that published documents name as `plugin-api`."""

from torch_variant_provider.plugin import NvidiaPlugin as NvidiaVariantPlugin

__all__ = ["NvidiaVariantPlugin"]

"""The plugin that published documents name as `plugin-api`."""

from torch_variant_provider.plugin import IntelPlugin as IntelVariantPlugin

__all__ = ["IntelVariantPlugin"]

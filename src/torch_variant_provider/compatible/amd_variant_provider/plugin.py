"""The plugin that published documents name as `plugin-api`."""

from torch_variant_provider.plugin import AmdPlugin as AMDVariantPlugin

__all__ = ["AMDVariantPlugin"]

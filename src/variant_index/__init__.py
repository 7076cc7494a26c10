"""Publish, choose and install wheel variants (PEP 825) with unmodified installers."""

from torch_variant_provider import __version__

__all__ = ["__version__"]

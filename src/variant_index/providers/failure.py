"""The errors of trusted providers."""

from __future__ import annotations

from variant_index.errors import InputError, UpstreamError

__all__ = ["ProviderError", "ProviderFailure", "ProviderInstallError"]


class ProviderError(InputError):
    """A request to trust a provider, or what is remembered of earlier ones, breaks a rule."""


class ProviderInstallError(UpstreamError):
    """A provider could not be installed from the user's sources."""


class ProviderFailure(Exception):  # noqa: N818 - no error for the user: what was asked may do without it
    """A trusted provider gave no usable answer; one printable line that says why, without its name."""

"""How the providers that the user trusts are dealt with in one run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ProviderSettings"]


@dataclass(frozen=True)
class ProviderSettings:
    """What to do about third-party providers.

    Attributes:
        enabled: whether those that the user trusts are asked.
        timeout: seconds that each of them has to answer.
    """

    enabled: bool = True
    timeout: float = 10.0

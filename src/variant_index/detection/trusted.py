"""What the third-party providers that the user trusts say of this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from variant_index.detection.failure import DetectionError
from variant_index.model.machine import MachineProfile
from variant_index.providers.folder import TRUSTED, providers_folder
from variant_index.providers.settings import ProviderSettings

if TYPE_CHECKING:
    from variant_index.providers.remembered import TrustedProvider

__all__ = ["ask_trusted", "trusted_providers"]


def trusted_providers(settings: ProviderSettings) -> tuple[TrustedProvider, ...]:
    """Return whom to ask; most users trust nobody, and for them nothing is loaded.

    Raises:
        ProviderError: the list of trusted providers is damaged, or others may have written it.
    """
    folder = providers_folder()
    if not settings.enabled or not os.path.lexists(folder / TRUSTED):
        return ()
    from variant_index.providers.remembered import read_remembered

    return read_remembered(folder)


def ask_trusted(
    providers: tuple[TrustedProvider, ...], timeout: float, on_failure: Literal["error", "cpu"] | None
) -> list[MachineProfile]:
    """Return what each provider says; one that fails supports nothing, which a note says.

    Args:
        providers: whom to ask.
        timeout: seconds that each has.
        on_failure: `error` to give up when one fails.

    Raises:
        DetectionError: one failed, and `on_failure` is `error`.
    """
    from variant_index.providers.answer import without_answer
    from variant_index.providers.query import ask_providers

    profiles = []
    answers = ask_providers(providers_folder(), providers, timeout, os.environ)
    for provider, answer in zip(providers, answers, strict=True):
        if isinstance(answer, MachineProfile):
            profiles.append(answer)
            continue
        if on_failure == "error":
            raise DetectionError(
                f"provider {provider} gave no answer: {answer}; `variant-index providers forget "
                f"{provider.name}` stops asking it"
            )
        profiles.append(without_answer(provider, str(answer)))
    return profiles

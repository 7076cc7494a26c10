"""Trusts a provider, and takes that back: installed apart, then remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from variant_index.errors import NoAnswerError, printable
from variant_index.providers.announced import announced
from variant_index.providers.environment import (
    environment_key,
    environment_python,
    install,
    remove_environments,
)
from variant_index.providers.failure import ProviderError
from variant_index.providers.loader import loader_pins
from variant_index.providers.pins import Pin
from variant_index.providers.remembered import (
    PinnedFile,
    TrustedProvider,
    locked,
    read_remembered,
    write_remembered,
)
from variant_index.providers.request import TrustRequest, answered_namespaces

__all__ = ["forget", "trust"]

_WAIT: Final = 300.0
"""Seconds to wait for another process that installs a provider."""


def trust(
    root: Path, request: TrustRequest, pip_variables: Mapping[str, str], *, wait: float = _WAIT
) -> tuple[TrustedProvider, bool]:
    """Install what the user trusts and remember it; another version of it is replaced.

    None of its code is run.

    Args:
        root: the folder of all providers.
        request: what to trust.
        pip_variables: pip's sources, as `environment.install` takes them.
        wait: seconds to wait for another process that does the same.

    Returns:
        What is remembered, and whether that is new.

    Raises:
        ProviderError: the request breaks a rule, or its bytes are not those that are trusted.
        ProviderInstallError: the sources do not have it or cannot be reached.
        OSError: the folder cannot be written.
    """
    with locked(root, wait):
        before = read_remembered(root)
        kept = [key for one in before for key in (one.environment, one.loader)]
        kept.append(environment_key(loader_pins(), dependencies=False))  # for the next attempt
        try:
            environment = install(root, request.pins, pip_variables)
            loader = install(root, loader_pins(), pip_variables, dependencies=False)
            provider = _provider(root, request, environment, loader)
            others = [one for one in before if one.name != provider.name]
            for other in others:
                for namespace in sorted(other.namespaces.keys() & provider.namespaces.keys()):
                    raise ProviderError(
                        f"{provider}: {other} answers for {namespace} already; forget it first: "
                        f"variant-index providers forget {other.name}"
                    )
            if provider not in before:
                write_remembered(root, [*others, provider])
            kept = [key for one in (*others, provider) for key in (one.environment, one.loader)]
        finally:
            remove_environments(root, kept)
    return provider, provider not in before


def forget(root: Path, name: str, *, wait: float = _WAIT) -> TrustedProvider:
    """Trust a provider no longer, and remove its files.

    Raises:
        NoAnswerError: it is not trusted.
        ProviderError: the list of trusted providers is damaged or in use.
        OSError: the folder cannot be written.
    """
    with locked(root, wait):
        before = read_remembered(root)
        left = [one for one in before if one.name != name]
        found = next((one for one in before if one.name == name), None)
        if found is None:
            raise NoAnswerError(f"{printable(name)}: no such provider is trusted")
        write_remembered(root, left)
        remove_environments(root, [key for one in left for key in (one.environment, one.loader)])
    return found


def _provider(root: Path, request: TrustRequest, environment: str, loader: str) -> TrustedProvider:
    name, namespaces = answered_namespaces(request, announced(environment_python(root, environment)))
    installed: Sequence[Pin] = [pin for pin in request.pins if pin.applies]
    return TrustedProvider(
        name=name,
        version=next(pin.version for pin in installed if pin.name == name),
        namespaces=namespaces,
        pins=[
            PinnedFile(name=pin.name, version=pin.version, hashes=list(pin.hashes))
            for pin in sorted(installed)
        ],
        environment=environment,
        loader=loader,
    )

"""What the user asks to trust: pins, and the namespaces that the provider may answer for; pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from variant_index.errors import printable
from variant_index.providers.failure import ProviderError
from variant_index.providers.pins import Pin, parse_pin, parse_pins

__all__ = ["BUILT_IN", "PLUGIN_API", "Found", "TrustRequest", "answered_namespaces", "parse_request"]

BUILT_IN: Final = frozenset(("nvidia", "amd", "intel", "tpu", "x86_64", "aarch64"))
"""Namespaces that we answer for ourselves; a provider takes one over only where the user names it."""

PLUGIN_API: Final = r"^[A-Za-z_][A-Za-z0-9_.]{0,200}(:[A-Za-z_][A-Za-z0-9_.]{0,200})?$"
"""Where a plugin is: `module` or `module:attribute`."""

_RESERVED: Final = frozenset(("abi_dependency",))
_NAMESPACE: Final = re.compile(r"[a-z0-9_]{1,100}")
_API: Final = re.compile(PLUGIN_API)
_OPTION: Final = "--namespace="
_FILE_OPTIONS: Final = ("-r", "--requirement")


@dataclass(frozen=True, slots=True)
class TrustRequest:
    """One provider to trust.

    Attributes:
        pins: the provider and everything it needs.
        namespaces: namespace -> where its plugin is, or None for what the installed provider says; empty
            for the namespaces that it names itself.
        text: what the user wrote, for messages.
    """

    pins: tuple[Pin, ...]
    namespaces: tuple[tuple[str, str | None], ...]
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that an installed distribution announces.

    Attributes:
        distribution: the distribution's normal name.
        namespace: the entry point's name, by which hosts know the namespace.
        plugin_api: where the plugin is.
    """

    distribution: str
    namespace: str
    plugin_api: str


def parse_request(text: str, read: Callable[[str], str]) -> TrustRequest:
    """Read the value of `--trust-provider`.

    That is `NAME==VERSION --hash=sha256:HEX`, or `-r FILE` for a provider with dependencies; then
    `--namespace=NAMESPACE` or `--namespace=NAMESPACE=MODULE:ATTRIBUTE` for each namespace that it is to
    answer for, where that is not to be taken from the provider itself.

    Args:
        text: the value.
        read: returns the text of a requirements file.

    Raises:
        ProviderError: it breaks a rule.
    """
    shown = printable(text, 100)
    words = text.split()
    namespaces = tuple(_namespace(word, shown) for word in words if word.startswith(_OPTION))
    words = [word for word in words if not word.startswith(_OPTION)]
    names = [name for name, _ in namespaces]
    apis = [api for _, api in namespaces if api is not None]
    if len(set(names)) != len(names) or len(set(apis)) != len(apis):
        raise ProviderError(f"{shown}: names a namespace or a plugin twice")
    if words and words[0] in _FILE_OPTIONS:
        file = " ".join(words[1:])
        if not file:
            raise ProviderError(f"{shown}: names no requirements file")
        return TrustRequest(parse_pins(read(file), file), namespaces, text)
    return TrustRequest((parse_pin(" ".join(words), shown),), namespaces, text)


def answered_namespaces(request: TrustRequest, found: tuple[Found, ...]) -> tuple[str, dict[str, str]]:
    """Decide what an installed provider is called and what it may answer for.

    Args:
        request: what the user said.
        found: what the installed distributions announce.

    Returns:
        The distribution's normal name, and namespace -> where its plugin is.

    Raises:
        ProviderError: that cannot be told, or it claims a namespace that the user must name.
    """
    shown = printable(request.text, 100)
    pinned = [pin.name for pin in request.pins if pin.applies]
    ours = [one for one in found if one.distribution in pinned]
    if not request.namespaces:
        if len({one.distribution for one in ours}) != 1:
            what = "several distributions announce" if ours else "no distribution announces"
            raise ProviderError(
                f"{shown}: {what} a plugin; say which to use with --namespace=NAMESPACE=MODULE:ATTRIBUTE"
            )
        for one in ours:
            _check_found(one, shown)
        return ours[0].distribution, _unique({one.namespace: one.plugin_api for one in ours}, shown)
    chosen: dict[str, str] = {}
    name = pinned[0] if pinned else request.pins[0].name
    for namespace, api in request.namespaces:
        if api is None:
            fitting = [one for one in ours if one.namespace == namespace] or ours
            if len(fitting) != 1:
                raise ProviderError(
                    f"{shown}: announces {len(fitting)} plugins, none for {namespace}; say which with "
                    f"--namespace={namespace}=MODULE:ATTRIBUTE"
                )
            name, api = fitting[0].distribution, fitting[0].plugin_api  # noqa: PLW2901
        chosen[namespace] = api
    return name, _unique(chosen, shown)


def _namespace(word: str, shown: str) -> tuple[str, str | None]:
    name, equals, api = word.removeprefix(_OPTION).partition("=")
    if not _NAMESPACE.fullmatch(name) or name in _RESERVED:
        raise ProviderError(f"{shown}: {printable(name, 60)!r} is not a namespace that a provider can have")
    if equals and not _API.fullmatch(api):
        raise ProviderError(f"{shown}: {printable(api, 60)!r} is not MODULE:ATTRIBUTE")
    return name, api if equals else None


def _check_found(found: Found, shown: str) -> None:
    name = found.namespace
    if not _NAMESPACE.fullmatch(name) or name in _RESERVED:
        raise ProviderError(
            f"{shown}: announces a plugin as {printable(name, 60)!r}, which is no namespace; say which one "
            "with --namespace=NAMESPACE"
        )
    if name in BUILT_IN:
        raise ProviderError(
            f"{shown}: wants to answer for {name}, which is known without it; add --namespace={name} if it "
            "shall take that over"
        )


def _unique(namespaces: dict[str, str], shown: str) -> dict[str, str]:
    for api in namespaces.values():
        if not _API.fullmatch(api):
            raise ProviderError(f"{shown}: {printable(api, 60)!r} is not where a plugin can be")
    if len(set(namespaces.values())) != len(namespaces):
        raise ProviderError(f"{shown}: one plugin cannot answer for two namespaces")
    return namespaces

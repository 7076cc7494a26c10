"""Which generation a variants document is of, and the way from one to another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError

from variant_index.errors import printable
from variant_index.generations.content import Content, Notice, place
from variant_index.generations.pep817 import read_pep817, write_pep817
from variant_index.model.document import (
    SCHEMA_URL,
    DocumentError,
    Provider,
    VariantsDocument,
    parse_document,
    write_document,
)
from variant_index.model.properties import ABI_DEPENDENCY, NULL_LABEL
from variant_index.model.settings import DEFAULT_PROVIDERS, uv_answers_for
from variant_index.model.validation import first_rule

__all__ = ["GENERATIONS", "Converted", "Generation", "convert", "read_content", "read_old"]

Generation = Literal["0.2.0", "825", "0.0.3", "0.0.2"]
"""A published form: with providers (PEP 850 draft), plain PEP 825 v0.1.1, PEP 817's two schemas."""

GENERATIONS: tuple[Generation, ...] = ("0.2.0", "825", "0.0.3", "0.0.2")
"""Every generation, the newest first."""

_PLAIN_SCHEMA_URL = "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json"

_BY_URL: dict[str, Generation] = {
    SCHEMA_URL: "0.2.0",
    "https://variants-schema.wheelnext.dev/v0.2.0.json": "0.2.0",
    _PLAIN_SCHEMA_URL: "825",
    "https://variants-schema.wheelnext.dev/v0.0.3.json": "0.0.3",
    "https://variants-schema.wheelnext.dev/v0.0.2.json": "0.0.2",
    # The name of the first drafts; their own index renamed it to this.
    "https://variants-schema.wheelnext.dev/": "0.0.2",
}


@dataclass(frozen=True)
class Converted:
    """A document in another form.

    Attributes:
        generation: the form it had.
        data: the new JSON text; the bytes given when the document had the wanted form already.
        notices: what it does not say as the original did.
    """

    generation: Generation
    data: bytes
    notices: tuple[Notice, ...]


def convert(
    data: bytes,
    source: str,
    to: Generation = "0.2.0",
    *,
    providers: Mapping[str, Provider] = DEFAULT_PROVIDERS,
    relax_requires: bool = False,
) -> Converted:
    """Rewrite a variants document of any generation; the order of its variants stays.

    Args:
        data: the JSON text.
        source: the file or URL, named in errors.
        to: the form wanted.
        providers: taken for namespaces that the document names no provider for.
        relax_requires: write the requirement that lets uv use its built-in nvidia provider.

    Raises:
        DocumentError: one line that names `source` and the reason.
    """
    parsed = _loads(data, source)
    generation = _generation(parsed)
    content, notices = _read(data, parsed, source, generation)
    relaxed = _relaxed(content) if relax_requires else content
    if generation == to and relaxed == content:
        return Converted(generation, data, ())
    relaxed, more = _null_named(relaxed)
    notices += more
    if to == "825":
        document, more = _without_providers(relaxed, source)
        return Converted(generation, write_document(document), (*notices, *more))
    filled, more = _filled(relaxed, providers)
    notices += more
    if to == "0.2.0":
        document, more = _with_providers(filled, source)
        return Converted(generation, write_document(document), (*notices, *more, *_shut_out(filled)))
    _without_providers(filled, source)  # names and values have the same alphabets in all generations
    old, more = write_pep817(filled, to)
    _require_variants(old["variants"], content, source, more)
    return Converted(generation, (json.dumps(old, indent=2) + "\n").encode(), (*notices, *more))


def read_content(data: bytes, source: str) -> tuple[Generation, Content]:
    """Return what a document of any generation says, and of which it is; nothing is left out or filled in.

    Raises:
        DocumentError: one line that names `source` and the first rule broken.
    """
    parsed = _loads(data, source)
    generation = _generation(parsed)
    return generation, _read(data, parsed, source, generation)[0]


def read_old(data: bytes, source: str) -> VariantsDocument | None:
    """Read a document of PEP 817's generations; return None for one of a newer generation.

    Labels stay, whatever they are: they are in the names of wheels.

    Raises:
        DocumentError: one line that names `source` and the first rule broken.
    """
    parsed = _loads(data, source)
    generation = _generation(parsed)
    if generation not in ("0.0.2", "0.0.3"):
        return None
    content, _ = read_pep817(parsed, source, generation)
    if ABI_DEPENDENCY in content.namespaces:
        providers = {ABI_DEPENDENCY: Provider(builtin=ABI_DEPENDENCY), **content.providers}
        content = replace(content, providers=providers)
    return _with_providers(content, source)[0]


def _loads(data: bytes, source: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in pairs:
            if key in content:
                raise DocumentError(
                    f"{printable(source)}: key '{printable(key)}' appears twice in one object"
                )
            content[key] = value
        return content

    try:
        content = json.loads(data, object_pairs_hook=unique)
    except RecursionError:
        raise DocumentError(f"{printable(source)}: nested too deeply") from None
    except ValueError as error:
        if not isinstance(error, json.JSONDecodeError | UnicodeDecodeError):  # CPython's limit of digits
            raise DocumentError(f"{printable(source)}: holds a number of thousands of digits") from None
        raise DocumentError(f"{printable(source)}: not JSON: {printable(str(error))}") from None
    if not isinstance(content, dict):
        raise DocumentError(f"{printable(source)}: a variants document is a JSON object")
    return content


def _generation(content: Mapping[str, Any]) -> Generation:
    """Tell which form a document has: by its `$schema`, or else by its keys."""
    url = content.get("$schema")
    if isinstance(url, str) and url in _BY_URL:
        return _BY_URL[url]
    providers = content.get("providers")
    entries = [
        entry
        for entry in (providers if isinstance(providers, dict) else {}).values()
        if isinstance(entry, dict)
    ]
    priorities = content.get("default-priorities")
    if "static-properties" in content or any("install-time" in entry for entry in entries):
        return "0.0.3"
    if any("plugin-use" in entry or "enable-if" in entry for entry in entries):
        return "0.0.2"
    if isinstance(priorities, dict) and ("feature" in priorities or "property" in priorities):
        return "0.0.2"
    if "providers" not in content:
        return "825"
    return "0.0.2" if url is None else "0.2.0"  # PEP 817's examples have no $schema


def _read(
    data: bytes, parsed: dict[str, Any], source: str, generation: Generation
) -> tuple[Content, list[Notice]]:
    if generation in ("0.0.2", "0.0.3"):
        return read_pep817(parsed, source, generation)
    document = parse_document(data, source)
    return Content(document.default_priorities.namespace, document.providers or {}, document.variants), []


def _null_named(content: Content) -> tuple[Content, list[Notice]]:
    """Call the variant without properties `null`; the first drafts called it 00000000."""
    notices = []
    variants = dict(content.variants)
    for label in [label for label, properties in variants.items() if not properties and label != NULL_LABEL]:
        del variants[label]
        if NULL_LABEL in variants:
            message = f"left out: it has no properties, and {NULL_LABEL} is the label for that"
        else:
            variants[NULL_LABEL] = {}
            message = f"has no properties, so it is called {NULL_LABEL} now: rename its wheels"
        notices.append(Notice(place("variants", label), message))
    return replace(content, variants=variants), notices


def _filled(content: Content, known: Mapping[str, Provider]) -> tuple[Content, list[Notice]]:
    """Add the providers that the document does not name, where we know them."""
    added = {
        namespace: known[namespace]
        for namespace in content.namespaces
        if namespace not in content.providers and namespace in known
    }
    notices = [
        Notice(place("providers", namespace), "was missing; the usual one is written") for namespace in added
    ]
    return replace(content, providers={**content.providers, **added}), notices


def _relaxed(content: Content) -> Content:
    """Let uv use its built-in nvidia provider, which calls itself 0.0.1."""
    provider = content.providers.get("nvidia")
    usual = DEFAULT_PROVIDERS["nvidia"]
    if (
        provider is None
        or provider.requires is None
        or not _all_name(provider.requires, "nvidia-variant-provider")
    ):
        return content
    relaxed = provider.model_copy(update={"requires": usual.requires})
    return replace(content, providers={**content.providers, "nvidia": relaxed})


def _all_name(requirements: Iterable[str], name: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        return all(canonicalize_name(Requirement(text).name) == name for text in requirements)
    except InvalidRequirement:
        return False


def _shut_out(content: Content) -> list[Notice]:
    """Say when uv will choose no nvidia variant, although nothing of the document is lost."""
    provider = content.providers.get("nvidia")
    if provider is None or provider.shape != "plugin" or uv_answers_for(provider):
        return []
    usual = DEFAULT_PROVIDERS["nvidia"]
    assert usual.requires is not None
    return [
        Notice(
            place("providers", "nvidia", "requires"),
            f"kept, but uv then chooses no nvidia variant: its built-in provider needs {usual.requires[0]} "
            f"and plugin-api {usual.plugin_api}; --relax-requires writes the former",
        )
    ]


def _with_providers(content: Content, source: str) -> tuple[VariantsDocument, list[Notice]]:
    """Write the form with providers: what has none cannot stay."""
    missing = {
        namespace: "the document has no provider for it"
        for namespace in content.namespaces
        if namespace not in content.providers
    }
    left, notices = content.without(missing)
    _require_variants(left.variants, content, source, notices)
    if not left.namespaces:
        notices.append(_PLACEHOLDER)
        left = replace(left, namespaces=list(DEFAULT_PROVIDERS), providers=DEFAULT_PROVIDERS)
    providers = {name: left.providers[name] for name in left.namespaces}
    return _document(SCHEMA_URL, left, providers, source), notices


_PLACEHOLDER = Notice(
    place("default-priorities", "namespace"),
    f"has no usable namespace, which PEP 825 forbids: {' and '.join(DEFAULT_PROVIDERS)} stand there, unused",
)


def _without_providers(content: Content, source: str) -> tuple[VariantsDocument, list[Notice]]:
    """Write the form of plain PEP 825, which leaves it to installers how to ask for a namespace."""
    notices = []
    for namespace, provider in content.providers.items():
        if provider.static_properties is not None:
            lost = "dropped with its values and their order"
        elif provider.optional:
            lost = "dropped, and that it is optional"
        else:
            lost = "dropped"
        notices.append(
            Notice(place("providers", namespace), f"{lost}: plain PEP 825 leaves providers to the installer")
        )
    if not content.namespaces:
        notices.append(_PLACEHOLDER)
        content = replace(content, namespaces=list(DEFAULT_PROVIDERS))
    return _document(_PLAIN_SCHEMA_URL, content, None, source), notices


def _require_variants(
    variants: Mapping[str, object], original: Content, source: str, notices: Iterable[Notice]
) -> None:
    if original.variants and not variants:
        reason = next(notice for notice in notices if notice.path.startswith("variants."))
        raise DocumentError(f"{printable(source)}: none of its variants can be kept: {reason}")


def _document(
    url: str, content: Content, providers: Mapping[str, Provider] | None, source: str
) -> VariantsDocument:
    try:
        return VariantsDocument.model_validate(
            {
                "$schema": url,
                "default-priorities": {"namespace": list(content.namespaces)},
                "providers": providers,
                "variants": content.variants,
            }
        )
    except ValidationError as error:
        raise DocumentError(f"{printable(source)}: {first_rule(error)}") from None

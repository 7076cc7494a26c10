"""What a wheel should not have although it can be read: what is said about it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from variant_index.model.filename import FilenameError, WheelFilename, escaped_name, escaped_version
from variant_index.model.properties import NULL_LABEL
from variant_index.wheel.portable import case_collision, windows_problem

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["Broken", "odd_document", "odd_filename", "odd_names", "odd_tags"]

Broken = tuple[str, str]
"""A rule's code and what breaks it."""

_MAX_TAGS = 10_000
_LIBC = re.compile(r"-(?:manylinux(?:1|2010|2014|_[0-9]+_[0-9]+)|musllinux_[0-9]+_[0-9]+)_", re.ASCII)


def odd_filename(filename: WheelFilename) -> list[Broken]:
    """Say where name or version of a file name are not in normal form."""
    try:
        version = escaped_version(filename.version)
    except FilenameError:
        return []  # it is no version at all, and METADATA has said so
    wanted = escaped_name(filename.distribution), version
    if (filename.distribution, filename.version) == wanted:
        return []
    return [("WHL003", f"its name is not in normal form, which begins with {'-'.join(wanted)}-")]


def odd_names(names: Iterable[str]) -> list[Broken]:
    """Say which entries cannot be stored everywhere."""
    found = []
    if (problem := case_collision(names)) is not None:
        found.append(("WHL401", problem))
    if (problem := windows_problem(names)) is not None:
        found.append(("WHL402", problem))
    return found


def odd_tags(tags: Iterable[str], filename: WheelFilename) -> list[Broken]:
    """Say where the tags in a wheel's WHEEL file are not those of its name.

    Installers go by the name, so neither is a reason to stop reading. That a wheel was only renamed from
    linux to manylinux is common (cupy and ray do it) and right: WHEEL then says less than the name, and
    nothing else.
    """
    wanted = [str(tag) for tag in filename.tags]
    found = set(islice(_expanded(tags), _MAX_TAGS))
    if found == {*wanted}:
        return []
    # For each tag of the name, the two forms that WHEEL may have it in.
    forms = {tag: _LIBC.sub("-linux_", tag) for tag in wanted}
    if found <= {*forms, *forms.values()} and all(found & {*pair} for pair in forms.items()):
        return [("WHL208", "its WHEEL file says linux where the file name says manylinux or musllinux")]
    return [("WHL206", "the tags in its WHEEL file are not those of the file name")]


def _expanded(tags: Iterable[str]) -> Iterator[str]:
    """Yield single tags for compressed ones; there may be any number."""
    for tag in tags:
        if tag.count("-") != 2:
            continue
        pythons, abis, platforms = (part.split(".") for part in tag.lower().split("-"))
        yield from (
            f"{python}-{abi}-{platform}" for python in pythons for abi in abis for platform in platforms
        )


def odd_document(document: VariantsDocument) -> list[Broken]:
    """Say what in a wheel's own document is not as it should be written."""
    (label, properties), *_ = document.variants.items()
    if not properties and label != NULL_LABEL:
        return [("VAR007", f"the variant without properties is labelled {label}, not {NULL_LABEL}")]
    for namespace, features in properties.items():
        for feature, values in features.items():
            if list(values) != sorted(values):
                return [("VAR011", f"the values of {namespace} :: {feature} are not sorted")]
    return []

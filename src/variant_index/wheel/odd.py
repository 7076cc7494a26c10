"""What a wheel should not have although it can be used: the warnings about it; pure."""

from __future__ import annotations

from collections.abc import Iterable

from variant_index.model.document import VariantsDocument
from variant_index.model.filename import FilenameError, WheelFilename, escaped_name, escaped_version
from variant_index.model.properties import NULL_LABEL
from variant_index.wheel.portable import case_collision, windows_problem

__all__ = ["Broken", "odd_document", "odd_filename", "odd_names"]

Broken = tuple[str, str]
"""A rule's code and what breaks it."""


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

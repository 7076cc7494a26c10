"""Which torch a listed wheel requires, as its published metadata says."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from variant_index.errors import VariantIndexError
from variant_index.model.filename import canonical_name
from variant_index.model.marker import marker_holds
from variant_index.simple_api.page import ProjectFile
from variant_index.torch_index.family import TORCH
from variant_index.upstream.published_metadata import PublishedMetadata
from variant_index.wheel.headers import HeaderError, parse_headers

__all__ = ["TorchRequirements", "torch_requirement"]

_KEPT: Final = 256
# `torch (==2.0.1)` is how old metadata spells it; most of a METADATA file need not be parsed.
_ABOUT_TORCH: Final = re.compile(r"torch(?![A-Za-z0-9._\-])", re.ASCII | re.IGNORECASE)


class TorchRequirements:
    """Reads what wheels require, once each; safe to share between threads."""

    def __init__(self, metadata: PublishedMetadata, environment: Callable[[], Mapping[str, str]]) -> None:
        """Prepare; nothing is read yet.

        Args:
            metadata: reads the metadata of wheels.
            environment: returns the values of marker variables of the target interpreter.
        """
        self._metadata = metadata
        self._environment = environment
        self._lock = threading.Lock()
        self._known: dict[str, SpecifierSet | None] = {}

    def of(self, file: ProjectFile) -> SpecifierSet | None:
        """Return which torch a wheel takes, any where it says nothing; None where that cannot be read."""
        key = f"{file.url} {sorted(file.hashes.items())}"
        with self._lock:
            if key in self._known:
                return self._known[key]
        metadata = None
        with suppress(VariantIndexError):  # the installer says what is wrong with it
            metadata = self._metadata.of(file)
        found = None if metadata is None else torch_requirement(metadata, self._environment)
        with self._lock:
            if len(self._known) < _KEPT:
                self._known[key] = found
        return found


def torch_requirement(metadata: bytes, environment: Callable[[], Mapping[str, str]]) -> SpecifierSet | None:
    """Return which torch METADATA requires, None when it cannot be read.

    Args:
        metadata: the file.
        environment: returns the values of marker variables; called where a marker has a say.
    """
    try:
        headers = parse_headers(metadata)
    except HeaderError:
        return None
    required = SpecifierSet()
    for text in headers.get("requires-dist", []):
        if not _ABOUT_TORCH.match(text) or len(text) > 5000:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            return None
        marker = requirement.marker
        if canonical_name(requirement.name) == TORCH and (
            marker is None or marker_holds(marker, environment())
        ):
            required &= requirement.specifier
    return required

"""Releases as an index lists them: a page and its sidecars read back as the files they were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from variant_index.errors import InputError, printable
from variant_index.model.filename import SIDECAR_SUFFIX, WheelFilename, sidecar_filename
from variant_index.publish.plan import listed_path
from variant_index.publish.release import FoundSource, FoundWheel, ReleaseKey, release_of
from variant_index.publish.store import StoreError
from variant_index.simple_api.page import ProjectPage

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["listed_files", "listed_keys"]


def listed_keys(page: ProjectPage) -> frozenset[ReleaseKey]:
    """Return the releases that a page lists."""
    return frozenset(key for file in page.files if (key := release_of(file.filename)) is not None)


def listed_files(
    page: ProjectPage, key: ReleaseKey, read: Callable[[str], bytes]
) -> tuple[list[FoundWheel], list[FoundSource]]:
    """Return the wheels and source distributions that a page lists of a release, as published files.

    Args:
        page: the project's page.
        key: the release.
        read: returns a file of the index by its path, see `Store.read`.

    Raises:
        StoreError: the page or the sidecar does not hold what they must.
        OSError: the sidecar cannot be read.
    """
    wheels: list[FoundWheel] = []
    sources: list[FoundSource] = []
    document = _sidecar(page, key, read)
    for file in page.files:
        if release_of(file.filename) != key or file.filename.endswith(SIDECAR_SUFFIX):
            continue
        sha256 = file.hashes.get("sha256")
        if sha256 is None or file.size is None:
            raise _broken(page, f"{printable(file.filename)} is listed without SHA-256 or size")
        path = Path(listed_path(file) or file.filename)
        if not file.filename.endswith(".whl"):
            sources.append(FoundSource(path, file.filename, file.size, sha256, published=True))
            continue
        try:
            filename = WheelFilename.parse(file.filename)
        except InputError as error:
            raise _broken(page, str(error)) from None
        own = None
        if filename.label:
            if document is None or filename.label not in document.variants:
                raise _broken(page, f"no sidecar describes the label of {printable(file.filename)}")
            variants = {filename.label: document.variants[filename.label]}
            own = document.model_copy(update={"variants": variants})
        wheels.append(
            FoundWheel(
                path=path,
                filename=filename,
                size=file.size,
                sha256=sha256,
                metadata=b"",
                requires_python=file.requires_python,
                document=own,
                published=True,
            )
        )
    return wheels, sources


def _sidecar(page: ProjectPage, key: ReleaseKey, read: Callable[[str], bytes]) -> VariantsDocument | None:
    from variant_index.model.document import parse_document

    name = sidecar_filename(*key)
    for file in page.files:
        if file.filename == name:
            data = read(listed_path(file) or "")
            if hashlib.sha256(data).hexdigest() != file.hashes.get("sha256"):
                raise _broken(page, f"{printable(name)} is damaged")
            try:
                return parse_document(data, name)
            except InputError as error:
                raise _broken(page, str(error)) from None
    return None


def _broken(page: ProjectPage, problem: str) -> StoreError:
    return StoreError(
        f"page of {page.name}: {problem}; build the index again from all wheels, with --no-cache"
    )

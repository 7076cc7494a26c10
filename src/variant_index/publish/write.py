"""Carries out a plan in a folder: in order, each file complete or not at all.

Each file is written beside its place and moved there, so a reader never sees half of one, and a file
that is there already with the same bytes is left alone. Between two files a reader may still see an
old page with a new sidecar; a switch of the whole folder at once replaces this module's `carry_out`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from variant_index.errors import InputError, printable
from variant_index.publish.plan import Copy, Delete, Plan, Published, Put, file_folder
from variant_index.publish.release import FoundSource, FoundWheel, Refusal, Release
from variant_index.publish.scan import file_sha256
from variant_index.simple_api.page import ProjectPage
from variant_index.simple_api.parse import PageError, parse_page
from variant_index.simple_api.render import JSON_TYPE

try:
    import fcntl
except ModuleNotFoundError:  # Windows: two builds at once are not noticed there
    fcntl = None  # type: ignore[assignment]

__all__ = ["IndexFolderError", "carry_out", "exclusive", "find_conflicts", "read_published"]

_PART = ".part-"
"""How unfinished files and folders begin; the server never serves them."""


class IndexFolderError(InputError):
    """The folder cannot hold the index: something in it is not ours, or changed while we worked."""


@contextlib.contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """Keep other builds out of the folder, and clear away what a killed one left there.

    The lock is on the folder itself and ends with the process, so nothing can go stale.

    Args:
        out: the index's folder; made when missing.

    Raises:
        IndexFolderError: another build is writing there.
        OSError: the folder cannot be made or opened.
    """
    out.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    folder = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IndexFolderError(
                f"{printable(str(out))}: another build is writing there; run again when it has ended"
            ) from None
        for left in [*out.glob(f"{_PART}*"), *out.glob(f"simple/{_PART}*"), *out.glob(f"simple/*/{_PART}*")]:
            with contextlib.suppress(OSError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
    finally:
        os.close(folder)


def read_published(out: Path) -> Published:
    """Return what the index in `out` lists; nothing when there is no index yet.

    Raises:
        IndexFolderError: its pages cannot be read, so what is published already is not known.
    """
    root = out / "simple"
    published: dict[str, ProjectPage] = {}
    if not root.is_dir():
        return published
    for page in sorted(root.glob("*/index.json")):
        name = page.parent.name
        try:
            published[name] = parse_page(page.read_bytes(), JSON_TYPE, page.resolve().as_uri(), name)
        except PageError as error:
            raise IndexFolderError(
                f"{error}; remove the page, or write the index to another folder"
            ) from None
    return {name: _relative(page, root / name) for name, page in published.items()}


def _relative(page: ProjectPage, folder: Path) -> ProjectPage:
    """Undo what reading did to the links: on our pages they are relative."""
    prefix = folder.resolve().as_uri() + "/"
    return replace(page, files=tuple(replace(file, url=file.url.removeprefix(prefix)) for file in page.files))


def find_conflicts(out: Path, releases: list[Release]) -> Iterator[tuple[Release, Refusal]]:
    """Yield each release that would change the bytes of a published file, with the reason.

    Raises:
        OSError: a file of the index cannot be read.
    """
    for release in releases:
        files: tuple[FoundWheel | FoundSource, ...] = (*release.wheels, *release.sources)
        for file in files:
            place = out / file_folder(release.key[0]) / file.name
            if _has_other_bytes(place, file.size, file.sha256):
                reason = (
                    f"{printable(str(file.path))}: {printable(str(place))} is published with other bytes, "
                    "and a published file never changes; give the new one another version or build number"
                )
                yield release, Refusal(release.key, reason, "REL008", str(file.path))
                break


def _has_other_bytes(place: Path, size: int, sha256: str) -> bool:
    try:
        same_size = place.stat().st_size == size
    except FileNotFoundError:
        return False
    return not (same_size and place.is_file() and file_sha256(place) == sha256)


def carry_out(plan: Plan, out: Path, *, on_step: Callable[[str], None] | None = None) -> frozenset[str]:
    """Make the folder what the plan says.

    Args:
        plan: from `plan_index`.
        out: the index's folder; made when missing.
        on_step: called with each path when it is done.

    Returns:
        The paths that changed, relative to `out`; none when the index was up to date.

    Raises:
        IndexFolderError: a wheel changed since it was read, or a published file has other bytes.
        OSError: a file cannot be read or written.
    """
    changed = set()
    for step in plan.steps:
        place = out / step.path
        if isinstance(step, Copy):
            did = _copy(step, place)
        elif isinstance(step, Put):
            did = _put(step, place)
        else:
            did = _delete(step, place)
        if did:
            changed.add(step.path)
        if on_step is not None:
            on_step(step.path)
    return frozenset(changed)


def _copy(step: Copy, place: Path) -> bool:
    if place.exists():
        if file_sha256(place) != step.sha256:
            raise IndexFolderError(f"{printable(str(place))}: a published file never changes its bytes")
        return False
    digest = hashlib.sha256()
    with _replacing(place) as target, step.source.open("rb", buffering=0) as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            _write(target, chunk, place)
        if digest.hexdigest() != step.sha256:
            raise IndexFolderError(
                f"{printable(str(step.source))}: changed while the index was made; run again"
            )
    return True


def _put(step: Put, place: Path) -> bool:
    try:
        if place.read_bytes() == step.content:
            return False
    except FileNotFoundError:
        pass
    with _replacing(place) as target:
        _write(target, step.content, place)
    return True


def _delete(_: Delete, place: Path) -> bool:
    existed = place.exists()
    place.unlink(missing_ok=True)
    return existed


def _write(target: int, data: bytes, place: Path) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(target, view) :]
    except OSError as error:
        # Say which file: a descriptor has no name of its own.
        raise OSError(error.errno, error.strerror, str(place)) from None


@contextlib.contextmanager
def _replacing(place: Path) -> Iterator[int]:
    """Open a new file that takes `place` when the block ends well and vanishes when it does not.

    Its name begins with a dot, which the server never serves; its mode follows the umask, so that
    another user's web server can read it (a temporary file of `tempfile` is private).
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{_PART}{secrets.token_hex(8)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        try:
            yield descriptor
        finally:
            os.close(descriptor)
        part.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise

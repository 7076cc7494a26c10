"""Takes uploads into an index, one after the other: received beside it, checked, then added as `add` adds."""

from __future__ import annotations

import contextlib
import errno
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from variant_index.errors import VariantIndexError
from variant_index.model.build_report import BuildReport
from variant_index.publish.edit import add_files
from variant_index.publish.lock import FolderBusyError, lock_folder
from variant_index.publish.plan import plan_root
from variant_index.publish.reading import Reading, read_file
from variant_index.publish.store import Store
from variant_index.upload.form import FormError, FormReader
from variant_index.upload.receive import FIELDS_BYTES, discard, receive_file

__all__ = ["Answer", "Check", "Uploads", "open_uploads"]

_FOLDER = ".uploads"
_WAIT = 30.0
_PAUSE = 0.1
_MAX_REASONS = 5
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


Check = Callable[[Reading], Reading]
"""Returns what was read of a file, perhaps with refusals."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of an upload.

    Attributes:
        status: the answer to the client.
        message: one line for it.
        warnings: what is odd about the release it belongs to, for whoever runs the server.
    """

    status: HTTPStatus
    message: str
    warnings: tuple[str, ...] = ()


@contextlib.contextmanager
def open_uploads(
    out: Path,
    store: Store,
    *,
    max_bytes: int,
    now: Callable[[], str],
    wait: float = _WAIT,
    check: Check | None = None,
    base_url: str | None = None,
) -> Iterator[Uploads]:
    """Be the one server that takes uploads into the index in a folder, while the block runs.

    What a killed server had not finished receiving is removed; where there is no index, an empty one is made.

    Args:
        out: the index's folder, which is made when missing.
        store: the same as a store.
        max_bytes: how large a file may be.
        now: returns the upload time of new files, `2026-01-31T12:00:00Z`.
        wait: seconds to wait for somebody else who is publishing.
        check: what has to be true of a file besides what has to be of any; see `require_attested`.
        base_url: see `plan_project`.

    Raises:
        StoreError: another server takes uploads there.
        OSError: the folder cannot be made or written.
    """
    folder = out / _FOLDER
    with lock_folder(folder, "another upload server"):
        folder.chmod(0o700)
        for left in folder.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        if store.layout() is None:
            with store.exclusive():
                store.carry_out(plan_root(store.stamps()))
        yield Uploads(folder, store, max_bytes=max_bytes, now=now, wait=wait, check=check, base_url=base_url)
        shutil.rmtree(folder, ignore_errors=True)


class Uploads:
    """Takes uploads; any number of threads may call `accept`."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        *,
        max_bytes: int,
        now: Callable[[], str],
        wait: float,
        check: Check | None,
        base_url: str | None,
    ) -> None:
        """See `open_uploads`."""
        self._folder = folder
        self._store = store
        self._max_bytes = max_bytes
        self._now = now
        self._wait = wait
        self._check = check
        self._base_url = base_url
        self._adding = threading.Lock()

    @property
    def max_body(self) -> int:
        """How many bytes the form of an upload may have."""
        return self._max_bytes + FIELDS_BYTES

    def accept(self, form: FormReader) -> Answer:
        """Receive a file and publish it, or refuse it and leave the index as it is.

        Raises:
            OSError: the connection broke.
        """
        try:
            place = receive_file(form, self._folder, self._max_bytes)
        except FormError as error:
            return Answer(HTTPStatus.BAD_REQUEST, str(error))
        except OSError as error:
            if error.errno in _NO_SPACE:
                return Answer(HTTPStatus.INSUFFICIENT_STORAGE, "the server has no space left")
            raise
        try:
            report = self._add(place)
        except FolderBusyError:
            message = f"{place.name}: somebody else is publishing to this index; upload it again"
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, message)
        except VariantIndexError as error:
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _without_folder(str(error), place))
        except OSError as error:
            full = error.errno in _NO_SPACE
            status = HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.INTERNAL_SERVER_ERROR
            return Answer(status, f"{place.name}: the index cannot be written: {error.strerror}")
        finally:
            discard(place)
        return self._answer(place, report)

    def wait_until_idle(self) -> None:
        """Wait until the upload that is being added, if any, is part of the index."""
        if self._adding.acquire(timeout=self._wait):
            self._adding.release()

    def _add(self, place: Path) -> BuildReport:
        # Read before anybody has to wait for it. The copy is a link, and moved into the index.
        reading = read_file(place, place.parent / "checked", link=True)
        if self._check is not None:
            reading = self._check(reading)
        end = time.monotonic() + self._wait
        if not self._adding.acquire(timeout=self._wait):
            raise FolderBusyError("others are uploading")
        try:
            while True:
                try:
                    return add_files(
                        [place],
                        self._store,
                        now=self._now(),
                        reader=lambda *_: iter([reading]),
                        base_url=self._base_url,
                    )
                except FolderBusyError:  # somebody builds; a build of a large index takes a while
                    if time.monotonic() > end:
                        raise
                time.sleep(_PAUSE)
        finally:
            self._adding.release()
            shutil.rmtree(place.parent / "checked", ignore_errors=True)

    def _answer(self, place: Path, report: BuildReport) -> Answer:
        name = place.name
        if report.refused:
            reasons = [
                f"{_without_folder(refusal.reason, place)}" + (f" ({refusal.rule})" if refusal.rule else "")
                for refusal in report.refused[:_MAX_REASONS]
            ]
            exists = any(refusal.rule == "REL008" for refusal in report.refused)
            # These words are what `twine upload --skip-existing` looks for.
            begin = "File already exists: " if exists else ""
            return Answer(HTTPStatus.BAD_REQUEST, begin + "; ".join(reasons))
        changed = [path for release in report.releases for path in release.changed]
        warnings = tuple(text for release in report.releases for text in release.warnings)
        if not any(path.endswith(f"/{name}") for path in changed):
            return Answer(HTTPStatus.OK, f"{name}: is published already, with these bytes", warnings)
        return Answer(HTTPStatus.OK, f"{name}: published", warnings)


def _without_folder(text: str, place: Path) -> str:
    """Keep the places of this machine to ourselves."""
    return text.replace(str(place), place.name)

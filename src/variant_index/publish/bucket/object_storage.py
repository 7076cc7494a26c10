"""One folder of an S3 bucket, through obstore: the only module that knows obstore.

Where the server is and who we are comes from the AWS_* environment variables (AWS_ENDPOINT_URL, AWS_REGION,
AWS_ACCESS_KEY_ID, ...), from the profiles in ~/.aws, or from the roles of the machine. Messages hold none of
that: what a server answers to a wrong key names the key.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from variant_index.errors import InputError, UpstreamError, printable
from variant_index.publish.bucket.profiles import read_profile_options
from variant_index.publish.content_types import content_type
from variant_index.publish.plan import FILES

if TYPE_CHECKING:
    from obstore import Attributes, ObjectMeta, PutMode

__all__ = ["PART_BYTES", "Bucket", "BucketError", "BucketUrlError", "Stored", "is_bucket_url"]

PART_BYTES = 8 << 20
"""Larger files are uploaded in parts, and downloaded in ranges, of this size."""

_FOREVER = "public, max-age=31536000, immutable"
_NEVER = "no-cache"

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/[A-Za-z0-9._~-]+)*)/?")

_STATUS = re.compile(r"status code: ([0-9]{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")

_REASONS = (
    ("latest/api/token", "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"),
    ("Missing", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: set both"),
    ("builder error", "AWS_ENDPOINT_URL is no address, or http:// without AWS_ALLOW_HTTP=true"),
    ("error sending request", "no connection to the server (AWS_ENDPOINT_URL, AWS_REGION)"),
    ("timed out", "the server does not answer in time"),
)

_Answer = TypeVar("_Answer")


class BucketUrlError(InputError):
    """The address is not that of a bucket, or what is needed for buckets is not installed."""


class BucketError(UpstreamError):
    """The server does not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a server says of an object.

    Attributes:
        path: relative to the folder.
        size: bytes.
        tag: its ETag, as the server writes it; "" without.
        time: when it was written, by the server's clock, seconds since 1970.
    """

    path: str
    size: int
    tag: str
    time: int


def is_bucket_url(text: str) -> bool:
    """Tell whether an index's place is an address, and not a folder."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


class Bucket:
    """A folder of a bucket. All paths are relative to it; every method may be called by several threads."""

    def __init__(self, url: str) -> None:
        """Prepare to use `s3://BUCKET/PREFIX`; nothing is asked of the server yet.

        Raises:
            BucketUrlError: the address is not of this form, or obstore is missing.
            ProfileError: a profile in ~/.aws is wanted and cannot be used.
            BucketError: the AWS_* variables make no sense.
        """
        match = _URL.fullmatch(url)
        if match is None or {".", ".."} & {*match["prefix"].split("/")}:
            # The text is not repeated: it may hold a password.
            raise BucketUrlError("--out: an index's place is a folder or s3://BUCKET/PREFIX")
        try:
            import obstore
            from obstore.store import S3Store
        except ModuleNotFoundError:
            raise BucketUrlError(
                f"{url}: needs obstore; install it with pip install 'torch-variant-provider[index,s3]'"
            ) from None
        self._api = obstore
        self.title = f"s3://{match['bucket']}{match['prefix']}"
        prefix = match["prefix"].strip("/")
        # As `client_options` they would void those of the environment, AWS_ALLOW_HTTP for example.
        options: Any = {
            **read_profile_options(os.environ),
            "timeout": "120s",
            "connect_timeout": "10s",
        }
        self._store = self._ask(
            lambda: S3Store(
                match["bucket"],
                prefix=prefix or None,
                config=options,
                retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=60)},
            )
        )

    def get(self, path: str) -> bytes:
        """Return an object.

        Raises:
            FileNotFoundError: there is none.
            BucketError: the server does not give it.
        """
        return self._ask(lambda: bytes(self._api.get(self._store, path).bytes()), path)

    def ranges(self, path: str, size: int) -> Iterator[bytes]:
        """Yield an object of a known size piece by piece.

        Raises:
            FileNotFoundError: there is none.
            BucketError: the server does not give it.
        """
        for start in range(0, size, PART_BYTES):
            end = min(start + PART_BYTES, size)
            piece = partial(self._api.get_range, self._store, path, start=start, end=end)
            yield bytes(self._ask(piece, path))

    def head(self, path: str) -> Stored | None:
        """Return what the server says of an object, None when there is none."""
        try:
            found = self._ask(lambda: self._api.head(self._store, path), path)
        except FileNotFoundError:
            return None
        return _stored(found)

    def all_below(self, folder: str) -> Iterator[Stored]:
        """Yield the objects below a folder, at any depth, in the order of their paths."""
        chunks = iter(self._ask(lambda: self._api.list(self._store, folder.rstrip("/"), chunk_size=1000)))
        while chunk := self._ask(lambda: next(chunks, None)):
            yield from map(_stored, chunk)

    def directly_in(self, folder: str) -> list[Stored]:
        """Return the objects in a folder, without those in folders below it."""
        answer = self._ask(lambda: self._api.list_with_delimiter(self._store, folder.rstrip("/")))
        return [_stored(found) for found in answer["objects"]]

    def put(self, path: str, content: bytes) -> str:
        """Write an object, whatever was there, and return its ETag ("" without)."""
        return self._put(path, content, "overwrite")

    def create(self, path: str, content: bytes) -> bool:
        """Write an object where there is none (`If-None-Match: *`), and tell whether there was none.

        After an error it is not known whether the object was written.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            self._put(path, content, "create")
        except (AlreadyExistsError, PreconditionError):
            return False
        return True

    def replace(self, path: str, content: bytes, tag: str) -> bool:
        """Write an object instead of the one with this ETag (`If-Match`), and tell whether that was there."""
        from obstore.exceptions import PreconditionError

        try:
            self._put(path, content, {"e_tag": tag})
        except (PreconditionError, FileNotFoundError):
            return False
        return True

    def upload(self, path: str, parts: Iterable[bytes]) -> None:
        """Write a large object in parts; when `parts` raises, nothing is written."""
        put = partial(self._api.put, attributes=_attributes(path), use_multipart=True)
        try:
            self._ask(lambda: put(self._store, path, parts, chunk_size=PART_BYTES, max_concurrency=4), path)
        except FileNotFoundError:
            raise BucketError(f"{self.title}/{path}: the server lost parts of it; run again") from None

    def delete(self, path: str) -> None:
        """Remove an object; that there is none is as good."""
        with contextlib.suppress(FileNotFoundError):
            self._ask(lambda: self._api.delete(self._store, path), path)

    def _put(self, path: str, content: bytes, mode: PutMode) -> str:
        answer = self._ask(
            lambda: self._api.put(
                self._store, path, content, attributes=_attributes(path), mode=mode, use_multipart=False
            ),
            path,
        )
        return answer["e_tag"] or ""

    def _ask(self, call: Callable[[], _Answer], path: str = "") -> _Answer:
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        try:
            return call()
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise BucketError(f"{self.title}: there is no such bucket; make it first") from None
            raise FileNotFoundError(f"{self.title}/{path}: not there") from None
        except (AlreadyExistsError, PreconditionError):
            raise
        except (BaseError, ValueError, OSError) as error:
            raise BucketError(
                f"{printable(f'{self.title}/{path}'.rstrip('/'))}: {_reason(str(error))}"
            ) from None


def _stored(found: ObjectMeta) -> Stored:
    return Stored(found["path"], found["size"], found["e_tag"] or "", int(found["last_modified"].timestamp()))


def _attributes(path: str) -> Attributes:
    return {
        "Content-Type": content_type(path) or "application/octet-stream",
        "Cache-Control": _FOREVER if path.startswith(FILES) else _NEVER,
    }


def _reason(text: str) -> str:
    """Return why a request failed, without what servers repeat of it."""
    status = _STATUS.search(text)
    if status is None:
        return next((reason for hint, reason in _REASONS if hint in text), "the request failed")
    if _REASONS[0][0] in text:
        return _REASONS[0][1]
    code = _CODE.search(text)
    answer = f"{status[1]} {code[1]}" if code else status[1]
    if status[1] in ("401", "403"):
        return f"the server refuses these credentials, or what they want to do ({answer})"
    return f"the server answers {answer}"

"""Finds out what a server does with conditions: asked before anything is published, never assumed.

Several servers that speak S3 ignore `If-None-Match: *` and overwrite what is there. Two publishers on such
a server would each believe to have published, so nothing is published there. `If-Match` closes one more gap
and is used where it works; some servers want the ETag without its quotation marks.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from variant_index.publish.bucket.commit import LOG
from variant_index.publish.bucket.object_storage import Bucket
from variant_index.publish.store import StoreError

__all__ = ["Abilities", "ConditionError", "probe"]


class ConditionError(StoreError):
    """The server ignores conditions that publishing depends on."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server can do.

    Attributes:
        bare_tags: whether `If-Match` wants an ETag without quotation marks; None where it does not work.
        md5_tags: whether the ETag of an object is the MD5 of its bytes.
        ahead: how many seconds the server's clock is ahead of ours.
    """

    bare_tags: bool | None
    md5_tags: bool
    ahead: float

    def now(self) -> int:
        """Return the server's time: files are kept by it, whatever the clocks of publishers say."""
        return int(time.time() + self.ahead)

    def is_content(self, tag: str, md5: str) -> bool | None:
        """Tell whether an ETag is that of these bytes; None where ETags do not say it."""
        return tag.strip('"') == md5 if self.md5_tags else None


def probe(bucket: Bucket) -> Abilities:
    """Try conditions on an object of our own, which is removed again.

    Raises:
        ConditionError: "create only" is ignored or unknown.
        BucketError: the server cannot be used.
    """
    path = f"{LOG}probe-{secrets.token_hex(16)}"
    ours, other = (f"{name} {path}".encode() for name in ("first", "second"))
    try:
        created = bucket.create(path, ours)
        again = bucket.create(path, other)
        if not created or again or bucket.get(path) != ours:
            raise ConditionError(
                f"{bucket.title}: the server does not keep `If-None-Match: *` (it overwrites what it was "
                "asked to create), so publishers would overwrite each other; use a server that does, or "
                "write to a folder and copy that"
            )
        stored = bucket.head(path)
        tag = stored.tag if stored is not None else ""
        return Abilities(
            _form_of_tags(bucket, path, tag, other),
            tag.strip('"') == hashlib.md5(ours, usedforsecurity=False).hexdigest(),
            stored.time - time.time() if stored is not None else 0.0,
        )
    finally:
        bucket.delete(path)


def _form_of_tags(bucket: Bucket, path: str, tag: str, content: bytes) -> bool | None:
    """Return `bare_tags`, by trying on the object which has the ETag `tag`."""
    wrong = f'"{"0" * 32}"'
    if not tag or bucket.replace(path, content, wrong) or bucket.replace(path, content, wrong.strip('"')):
        return None
    if bucket.replace(path, content, tag):
        return False
    return True if bucket.replace(path, content, tag.strip('"')) else None

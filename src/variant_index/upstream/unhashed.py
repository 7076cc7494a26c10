"""Files that an index elsewhere lists without a hash, so that nothing can check their bytes; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from variant_index.errors import printable
from variant_index.simple_api.entry import DIGEST_LENGTHS
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.local import local_path
from variant_index.upstream.page import RawPage

__all__ = ["left_out_line", "lists_hashes", "split_unhashed"]

_IN_HTML: Final = re.compile(
    "|".join(f"#{name}=[0-9a-fA-F]{{{length}}}" for name, length in DIGEST_LENGTHS.items()).encode()
)
_DIGEST: Final = "|".join(
    rf'"{name}"\s*:\s*"[0-9a-fA-F]{{{length}}}"' for name, length in DIGEST_LENGTHS.items()
)
_IN_JSON: Final = re.compile(rf'"hashes"\s*:\s*\{{\s*(?:{_DIGEST})'.encode())


def lists_hashes(raw: RawPage) -> bool:
    """Tell whether surely every file of a page has a hash; a doubt means that it must be parsed."""
    body = raw.body
    if body.lstrip()[:1] == b"<":
        return len(_IN_HTML.findall(body)) >= body.count(b"<a") + body.count(b"<A")
    return len(_IN_JSON.findall(body)) == body.count(b'"filename"')


def split_unhashed(files: Iterable[ProjectFile]) -> tuple[list[ProjectFile], list[ProjectFile]]:
    """Return the files that can be checked, and those that cannot.

    Files of this machine need no hash, and variants documents are looked at where they are read.
    """
    kept: list[ProjectFile] = []
    left: list[ProjectFile] = []
    for file in files:
        checked = not file.hashes.keys().isdisjoint(DIGEST_LENGTHS) or file.filename.endswith(
            "-variants.json"
        )
        (kept if checked or local_path(file.url) is not None else left).append(file)
    return kept, left


def left_out_line(name: str, files: list[ProjectFile]) -> str:
    """Say what of a project is left out and how to take it, in one line."""
    what = printable(files[-1].filename)
    if len(files) > 1:
        what += f" and {len(files) - 1} more"
    return (
        f"{name}: listed without a hash, so that nothing could check the bytes, and left out: {what};"
        f" --allow-unhashed or VARIANT_INDEX_ALLOW_UNHASHED=1 takes them"
    )

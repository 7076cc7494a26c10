"""Reads a project page in HTML (PEP 503)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import unquote

from variant_index.errors import printable
from variant_index.simple_api.entry import (
    DIGEST_LENGTHS,
    EntryError,
    checked_name,
    checked_requires_python,
    checked_text,
    is_digest,
    is_upload_time,
    provenance_address,
)
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.page_reader import PageReader, check_address_text, check_api_version, page_error

__all__ = ["parse_html"]

_WHEELS: Final = (".whl", ".egg", ".exe")
_ARCHIVES: Final = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z")
_FILE_SUFFIXES: Final = (*_WHEELS, *_ARCHIVES, ".json")
_SIZE: Final = re.compile(r"[0-9]{1,19}", re.ASCII)

# What indexes write: lower case, double quotes, nothing nested, few character references.
_ATTRIBUTE: Final = re.compile(r' ([a-z\-]+)="([^"<>]*)"', re.ASCII)
_PLAIN_ANCHOR: Final = re.compile(
    r'<a((?: [a-z\-]+="[^"<>]*")+) ?>([^<>]*)</a>(?:[ \n\r\t]|<br ?/?>)*', re.ASCII
)
_ODD_REFERENCE: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|#39|#x27|#43);)", re.ASCII)


def parse_html(body: bytes, parameters: str, url: str, name: str) -> ProjectPage:
    """Read a project page in HTML.

    `parameters` are those of its `Content-Type`; the other arguments, result and errors are those of
    `parse_page`.
    """
    charset = "utf-8"
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip("\"'")
    try:
        text = body.decode(charset, "replace")
    except (LookupError, ValueError):
        raise page_error(url, f"unknown charset {printable(charset)!r}") from None
    parser = _AnchorParser(url)
    try:
        # Never closed: close() reads an unfinished tag again and again, in quadratic time.
        parser.feed_quickly(text)
    except AssertionError:
        # What html.parser raises for a declaration it cannot read, such as `<![x`.
        raise page_error(url, "the page is not HTML") from None
    return parser.reader.page(name)


class _AnchorParser(HTMLParser):
    """Turns each anchor with an address into a file."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.reader = PageReader(url)
        self._has_base = False
        self._anchor: dict[str, str | None] | None = None
        self._text: list[str] = []

    def feed_quickly(self, text: str) -> None:
        """Read a page; a run of plain anchors, which is nearly all of most pages, is read as one expects it.

        From the first anchor on that is not plain the base class reads, which is ten times slower.
        """
        position = text.find("<a ")
        if position < 0:
            self.feed(text)
            return
        self.feed(text[:position])
        if not self.rawdata and self.cdata_elem is None and self._anchor is None:
            while (found := _PLAIN_ANCHOR.match(text, position)) is not None:
                attributes = found[1]
                name = found[2]
                if ("&" in attributes or "&" in name) and _ODD_REFERENCE.search(found[0]):
                    break
                pairs = _ATTRIBUTE.findall(attributes)
                self._anchor = {key: unescape(value) for key, value in reversed(pairs)}
                self._text = [unescape(name)]
                self._finish_anchor()
                position = found.end()
        self.feed(text[position:])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._finish_anchor()
            # Of an attribute given twice HTML keeps the first.
            self._anchor = dict(reversed(attrs))
        elif tag == "base" and not self._has_base:
            href = dict(reversed(attrs)).get("href")
            if href:
                self._has_base = True
                try:
                    self.reader.base = self.reader.absolute(href)
                except EntryError as error:
                    raise page_error(self.reader.url, f"<base href>: {error}") from None
        elif tag == "meta":
            found = dict(reversed(attrs))
            if found.get("name") == "pypi:repository-version":
                check_api_version(found.get("content"), self.reader.url)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._finish_anchor()

    def handle_data(self, data: str) -> None:
        if self._anchor is not None:
            self._text.append(data)

    def _finish_anchor(self) -> None:
        anchor, text = self._anchor, "".join(self._text).strip()
        self._anchor, self._text = None, []
        href = (anchor or {}).get("href")
        if anchor is None or not href:
            return
        self.reader.check_count(len(self.reader.files) + 1)
        try:
            if (found := _file(anchor, href, text, self.reader)) is not None:
                self.reader.files.append(found)
        except EntryError as error:
            self.reader.leave_out(text, error)


def _file(anchor: Mapping[str, str | None], href: str, text: str, reader: PageReader) -> ProjectFile | None:
    href, _, fragment = href.strip().partition("#")
    check_address_text(fragment)
    address = reader.absolute(href) if href else reader.base.partition("#")[0]
    # Installers read the last part of the address. The text counts only where that is no file's name.
    filename = unquote(address.partition("?")[0].rpartition("/")[2])
    if not filename.endswith(_FILE_SUFFIXES):
        if not text.endswith(_FILE_SUFFIXES):
            return None  # a link to somewhere else, such as "home page" or ".."
        filename = text
    # Some charsets that a server may name can spell half characters too.
    checked_text(anchor.get("data-yanked") or "", "data-yanked")
    upload_time = anchor.get("data-upload-time")
    yanked: bool | str = "data-yanked" in anchor and (anchor["data-yanked"] or True)
    core_metadata = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
    size = anchor.get("data-size") or ""
    return ProjectFile(
        checked_name(filename),
        address,
        _fragment_hashes(fragment),
        checked_requires_python(anchor.get("data-requires-python")),
        yanked,
        _core_metadata(core_metadata),
        int(size) if _SIZE.fullmatch(size) else None,
        upload_time if is_upload_time(upload_time) else None,
        provenance_address(anchor.get("data-provenance")),
        reader.url,
    )


def _fragment_hashes(fragment: str) -> Mapping[str, str]:
    hashes = {}
    for part in fragment.split("&"):
        algorithm, _, digest = part.partition("=")
        if algorithm not in DIGEST_LENGTHS:
            continue  # for example egg=
        if not is_digest(algorithm, digest):
            raise EntryError(f"its {algorithm} hash is not a hexadecimal digest")
        hashes[algorithm] = digest
    return hashes


def _core_metadata(value: str | None) -> bool | Mapping[str, str]:
    if value == "true":
        return True
    algorithm, equals, digest = (value or "").partition("=")
    return {algorithm: digest} if equals and is_digest(algorithm, digest) else False

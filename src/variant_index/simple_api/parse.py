"""Reads a project page of an index: PEP 503 HTML or PEP 691 JSON, whichever the server sent.

A page as a whole that breaks the rules is an error. A single entry that cannot be used safely (its
address, name, hash, yank or `Requires-Python` is malformed) is left out and reported in
`ProjectPage.problems`: listing it without that field would promise more than the index does.
Malformed size, upload time and core metadata only lose the field: nothing depends on them.
pip ends with a traceback on some malformed values, so none of these gets through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from html import unescape
from html.parser import HTMLParser
from typing import Any, Final, TypeGuard
from urllib.parse import quote, unquote, urljoin, urlsplit

from variant_index.errors import UpstreamError, printable
from variant_index.simple_api.page import ProjectFile, ProjectPage

__all__ = ["MAX_FILES", "MAX_PAGE_BYTES", "PageError", "is_upload_time", "parse_page"]

MAX_PAGE_BYTES = 64 << 20
"""A larger page is refused; the largest real ones have about 10 MB."""

MAX_FILES = 500_000
"""A page with more files is refused."""

_MAX_PROBLEMS = 20
_MAX_REQUIRES_PYTHON: Final = 1000  # Python refuses to read numbers of more than 4300 digits

_JSON_TYPES = frozenset({"application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json"})
_HTML_TYPES = frozenset(
    {"text/html", "application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.latest+html"}
)
_API_VERSION = re.compile(r"(\d{1,6})\.\d{1,6}", re.ASCII)
_ABSOLUTE = re.compile(
    r"https?://(?:[A-Za-z0-9\-_]{1,63}\.)*[A-Za-z0-9\-_]{1,63}(?::[0-9]{1,4})?/[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*",
    re.ASCII,
)
_FULL_ADDRESS = re.compile(r"https://[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]{1,2000}", re.ASCII)
_ROOTED = re.compile(r"/(?!/)[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*", re.ASCII)
_ORIGIN = re.compile(r"https?://[A-Za-z0-9\-._~:@\[\]]+(?=/)", re.ASCII)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):", re.ASCII)
# What a URL may hold besides letters, digits and "_.-~"; all else is percent-encoded, nothing decoded.
_URL_SAFE: Final = ":/?#[]@!$&'()*+,;=%"
# PEP 700; what `datetime` says of the numbers counts too.
_UPLOAD_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+\-](?:[01]\d|2[0-3]):[0-5]\d)?", re.ASCII
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_NAME = re.compile(r"[\x00-\x1f\x7f/\\]")
# Half a character: JSON can spell it (`\ud800`), nothing can write it.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ALGORITHM = re.compile(r"[a-z0-9_\-]{1,20}", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,19}", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{8,256}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIGEST_LENGTH = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_FILE_SUFFIXES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".egg", ".exe", ".json", ".tar.xz", ".tar.Z")


class PageError(UpstreamError):
    """An index sent something that is not a project page."""


class _EntryError(Exception):
    """One entry cannot be used; the message says which rule it breaks."""


def parse_page(body: bytes, content_type: str, url: str, name: str) -> ProjectPage:
    """Read a project page.

    Args:
        body: the page's bytes.
        content_type: the response's `Content-Type`; only the types of PEP 691 and `text/html` are pages.
        url: where the page came from after redirects; relative addresses start there.
        name: the project's normal name; the result carries it.

    Returns:
        The page. Every `url` is absolute, with its percent-encoding as given and no fragment. In HTML
        the file's name is the last part of the address, as installers read it.

    Raises:
        PageError: one line that names `url` and what is wrong with the page as a whole.
    """
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if len(body) > MAX_PAGE_BYTES:
        raise _page_error(url, f"the page is larger than {MAX_PAGE_BYTES >> 20} MB")
    if kind in _JSON_TYPES:
        return _parse_json(body, url, name)
    if kind in _HTML_TYPES:
        return _parse_html(body, parameters, url, name)
    raise _page_error(
        url, f"content type {printable(kind)!r} is not a project page (PEP 503 HTML or PEP 691 JSON)"
    )


def _page_error(url: str, rule: str) -> PageError:
    return PageError(f"{printable(url)}: {rule}")


def _check_api_version(version: object, url: str) -> None:
    match = _API_VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        raise _page_error(url, f"repository version {printable(repr(version))} is not of the form 1.0")
    if int(match[1]) != 1:
        raise _page_error(url, f"repository version {match[0]} is not supported (1.x is)")


class _Reader:
    """Collects the files of one page and what was left out."""

    def __init__(self, url: str, base: str) -> None:
        self.url = url
        self.base = base
        self._split = ("", "")
        self.files: list[ProjectFile] = []
        self._problems: list[str] = []
        self._left_out = 0
        scheme = _SCHEME.match(url)
        # A page from the network must not send anyone to local files.
        self._local = scheme is not None and scheme[1].lower() == "file"

    def absolute(self, url: str) -> str:
        if _ABSOLUTE.fullmatch(url):
            return url
        if "/." not in url and _ROOTED.fullmatch(url) and (origin := self._origin()):
            return origin + url
        url = url.strip()
        if not url or _CONTROL.search(url):
            raise _EntryError("its address is empty or has control characters")
        try:
            joined = quote(urljoin(self.base, url), safe=_URL_SAFE)
        except ValueError:
            raise _EntryError(f"{printable(url)!r} is not an address") from None
        scheme, colon, _ = joined.partition(":")
        scheme = scheme.lower()
        if not colon or (scheme not in ("http", "https") and not (self._local and scheme == "file")):
            raise _EntryError(f"its address is neither http nor https: {printable(joined)}")
        if scheme != "file" and not _has_host(joined):
            raise _EntryError(f"{printable(joined)!r} has no host that can be asked")
        return joined

    def _origin(self) -> str:
        """Return scheme and host of `base`, empty where it is not from the network."""
        base, origin = self._split
        if base != self.base:
            match = _ORIGIN.match(self.base)
            origin = match[0] if match is not None else ""
            self._split = self.base, origin
        return origin

    def leave_out(self, name: object, reason: _EntryError) -> None:
        self._left_out += 1
        if self._left_out <= _MAX_PROBLEMS:
            shown = printable(name) if isinstance(name, str) and name else "an entry"
            self._problems.append(f"{shown} is left out: {reason}")

    @property
    def problems(self) -> tuple[str, ...]:
        more = self._left_out - _MAX_PROBLEMS
        return (*self._problems, f"{more} more entries are left out") if more > 0 else tuple(self._problems)


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises
    except ValueError:
        return False
    labels = (parts.hostname or "").removesuffix(".").split(".")
    return all(0 < len(label) <= 63 for label in labels)  # RFC 1035


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name or name in (".", "..") or _BAD_NAME.search(name):
        raise _EntryError("its name is missing or is not a file name")
    return _checked_text(name, "name")


def _checked_text(text: str, what: str) -> str:
    if _is_broken(text):
        raise _EntryError(f"its {what} is not Unicode text")
    return text


def _checked_requires_python(text: str | None) -> str | None:
    if text is not None and len(text) > _MAX_REQUIRES_PYTHON:
        raise _EntryError(f"its requires-python has more than {_MAX_REQUIRES_PYTHON} characters")
    return _checked_text(text, "requires-python") if text else None


def is_upload_time(value: object) -> TypeGuard[str]:
    """Tell whether installers can read a file's `upload-time` (PEP 700)."""
    if not isinstance(value, str) or _UPLOAD_TIME.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value[:19])  # all of it only from Python 3.11 on
    except ValueError:
        return False
    return True


def _is_broken(text: str) -> bool:
    return not text.isascii() and _SURROGATE.search(text) is not None


def _is_digest(algorithm: str, digest: object) -> bool:
    return (
        isinstance(digest, str)
        and _ALGORITHM.fullmatch(algorithm) is not None
        and _HEX.fullmatch(digest) is not None
        and _DIGEST_LENGTH.get(algorithm, len(digest)) == len(digest)
    )


def _is_one_sha256(hashes: dict[str, object]) -> bool:
    """Recognise what nearly every entry has, quickly."""
    digest = hashes.get("sha256")
    return len(hashes) == 1 and isinstance(digest, str) and _SHA256.fullmatch(digest) is not None


def _checked_hashes(hashes: object) -> Mapping[str, str]:
    if not isinstance(hashes, dict):
        raise _EntryError("its hashes are not an object")
    if _is_one_sha256(hashes):
        return hashes
    for algorithm, digest in hashes.items():
        if not _is_digest(algorithm, digest):
            raise _EntryError(f"its {printable(algorithm)} hash is not a hexadecimal digest")
    return hashes


def _parse_json(body: bytes, url: str, name: str) -> ProjectPage:
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        raise _page_error(url, "the page is not JSON") from None
    if not isinstance(page, dict) or not isinstance(files := page.get("files"), list):
        raise _page_error(url, "the page is not a JSON object with a list of files (PEP 691)")
    meta = page.get("meta", {})
    if not isinstance(meta, dict):
        raise _page_error(url, "meta is not an object (PEP 691)")
    if "api-version" in meta:
        _check_api_version(meta["api-version"], url)
    if len(files) > MAX_FILES:
        raise _page_error(url, f"the page lists more than {MAX_FILES} files")
    reader = _Reader(url, url)
    for entry in files:
        if not isinstance(entry, dict):
            raise _page_error(url, "an entry of files is not an object (PEP 691)")
        try:
            reader.files.append(_json_file(entry, reader))
        except _EntryError as error:
            reader.leave_out(entry.get("filename"), error)
    return ProjectPage(name, tuple(reader.files), reader.problems)


def _json_file(entry: dict[str, Any], reader: _Reader) -> ProjectFile:
    get = entry.get
    address = get("url")
    if not isinstance(address, str):
        raise _EntryError("it has no address")
    requires_python = get("requires-python")
    if requires_python is not None and not isinstance(requires_python, str):
        raise _EntryError("its requires-python is not text")
    _checked_requires_python(requires_python)
    yanked = get("yanked") or False
    if not isinstance(yanked, (bool, str)):
        raise _EntryError("its yanked is neither a boolean nor text")
    _checked_text(yanked if isinstance(yanked, str) else "", "yanked")
    core_metadata = get("core-metadata")
    if core_metadata is None:
        core_metadata = get("dist-info-metadata")  # its name before PEP 714
    size, upload_time = get("size"), get("upload-time")
    return ProjectFile(
        _checked_name(get("filename")),
        reader.absolute(address).partition("#")[0],
        _checked_hashes(get("hashes", {})),
        requires_python,
        yanked,
        _json_core_metadata(core_metadata),
        size if type(size) is int and size >= 0 else None,
        upload_time if is_upload_time(upload_time) else None,
        _provenance(get("provenance")),
        reader.url,
    )


def _provenance(value: object) -> str | None:
    """Return the address of a provenance object; only a full one with https counts (PEP 740)."""
    return value if isinstance(value, str) and _FULL_ADDRESS.fullmatch(value) else None


def _json_core_metadata(value: object) -> bool | Mapping[str, str]:
    if value is None or isinstance(value, bool):
        return value or False
    if not isinstance(value, dict):
        return False
    if not value or _is_one_sha256(value):
        return value or True
    return value if all(_is_digest(algorithm, digest) for algorithm, digest in value.items()) else False


def _parse_html(body: bytes, parameters: str, url: str, name: str) -> ProjectPage:
    charset = "utf-8"
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip("\"'")
    try:
        text = body.decode(charset, "replace")
    except (LookupError, ValueError):
        raise _page_error(url, f"unknown charset {printable(charset)!r}") from None
    parser = _AnchorParser(url)
    try:
        # Never closed: close() reads an unfinished tag again and again, in quadratic time.
        parser.feed_quickly(text)
    except AssertionError:
        # What html.parser raises for a declaration it cannot read, such as `<![x`.
        raise _page_error(url, "the page is not HTML") from None
    return ProjectPage(name, tuple(parser.reader.files), parser.reader.problems)


# What indexes write: lower case, double quotes, nothing nested, few character references.
_ATTRIBUTE: Final = re.compile(r' ([a-z\-]+)="([^"<>]*)"', re.ASCII)
_PLAIN_ANCHOR: Final = re.compile(
    r'<a((?: [a-z\-]+="[^"<>]*")+) ?>([^<>]*)</a>(?:[ \n\r\t]|<br ?/?>)*', re.ASCII
)
_ODD_REFERENCE: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|#39|#x27|#43);)", re.ASCII)


class _AnchorParser(HTMLParser):
    """Turns each anchor with an address into a file."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.reader = _Reader(url, url)
        self._url = url
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
                except _EntryError as error:
                    raise _page_error(self._url, f"<base href>: {error}") from None
        elif tag == "meta":
            found = dict(reversed(attrs))
            if found.get("name") == "pypi:repository-version":
                _check_api_version(found.get("content"), self._url)

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
        if len(self.reader.files) >= MAX_FILES:
            raise _page_error(self._url, f"the page lists more than {MAX_FILES} files")
        try:
            if (found := _html_file(anchor, href, text, self.reader)) is not None:
                self.reader.files.append(found)
        except _EntryError as error:
            self.reader.leave_out(text, error)


def _html_file(anchor: Mapping[str, str | None], href: str, text: str, reader: _Reader) -> ProjectFile | None:
    href, _, fragment = href.strip().partition("#")
    if _CONTROL.search(fragment):
        raise _EntryError("its address is empty or has control characters")
    address = reader.absolute(href) if href else reader.base.partition("#")[0]
    # Installers read the last part of the address. The text counts only where that is no file's name.
    filename = unquote(address.partition("?")[0].rpartition("/")[2])
    if not filename.endswith(_FILE_SUFFIXES):
        if not text.endswith(_FILE_SUFFIXES):
            return None  # a link to somewhere else, such as "home page" or ".."
        filename = text
    # Some charsets that a server may name can spell half characters too.
    _checked_text(anchor.get("data-yanked") or "", "data-yanked")
    upload_time = anchor.get("data-upload-time")
    yanked: bool | str = "data-yanked" in anchor and (anchor["data-yanked"] or True)
    core_metadata = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata"))
    size = anchor.get("data-size") or ""
    return ProjectFile(
        _checked_name(filename),
        address,
        _fragment_hashes(fragment),
        _checked_requires_python(anchor.get("data-requires-python")),
        yanked,
        _html_core_metadata(core_metadata),
        int(size) if _SIZE.fullmatch(size) else None,
        upload_time if is_upload_time(upload_time) else None,
        _provenance(anchor.get("data-provenance")),
        reader.url,
    )


def _fragment_hashes(fragment: str) -> Mapping[str, str]:
    hashes = {}
    for part in fragment.split("&"):
        algorithm, _, digest = part.partition("=")
        if algorithm not in _DIGEST_LENGTH:
            continue  # for example egg=
        if not _is_digest(algorithm, digest):
            raise _EntryError(f"its {algorithm} hash is not a hexadecimal digest")
        hashes[algorithm] = digest
    return hashes


def _html_core_metadata(value: str | None) -> bool | Mapping[str, str]:
    if value == "true":
        return True
    algorithm, equals, digest = (value or "").partition("=")
    return {algorithm: digest} if equals and _is_digest(algorithm, digest) else False

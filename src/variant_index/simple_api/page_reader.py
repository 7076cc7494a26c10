"""What the readers of all forms of pages share: absolute addresses, what is left out, what refuses a page."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from variant_index.errors import UpstreamError, printable
from variant_index.simple_api.entry import EntryError
from variant_index.simple_api.page import ProjectFile, ProjectPage

__all__ = ["MAX_FILES", "PageError", "PageReader", "check_address_text", "check_api_version", "page_error"]

MAX_FILES = 500_000
"""A page with more files is refused."""

_MAX_PROBLEMS: Final = 20

_API_VERSION: Final = re.compile(r"(\d{1,6})\.\d{1,6}", re.ASCII)
_ABSOLUTE: Final = re.compile(
    r"https?://(?:[A-Za-z0-9\-_]{1,63}\.)*[A-Za-z0-9\-_]{1,63}(?::[0-9]{1,4})?/[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*",
    re.ASCII,
)
_ROOTED: Final = re.compile(r"/(?!/)[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*", re.ASCII)
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9\-._~:@\[\]]+(?=/)", re.ASCII)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# What a URL may hold besides letters, digits and "_.-~"; all else is percent-encoded, nothing decoded.
_URL_SAFE: Final = ":/?#[]@!$&'()*+,;=%"


class PageError(UpstreamError):
    """An index sent something that is not a project page."""


def page_error(url: str, rule: str) -> PageError:
    """Return the error that says which rule the page at an address breaks."""
    return PageError(f"{printable(url)}: {rule}")


def check_api_version(version: object, url: str) -> None:
    """Refuse (PageError) a page of another major version of the API than 1 (PEP 629)."""
    match = _API_VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        raise page_error(url, f"repository version {printable(repr(version))} is not of the form 1.0")
    if int(match[1]) != 1:
        raise page_error(url, f"repository version {match[0]} is not supported (1.x is)")


def check_address_text(text: str) -> None:
    """Refuse (EntryError) control characters in an address or a part of one."""
    if _CONTROL.search(text):
        raise EntryError("its address has control characters")


class PageReader:
    """Collects the files of one page and what was left out.

    Attributes:
        url: where the page came from after redirects.
        base: where its relative addresses start.
        files: those that can be used, in their order.
    """

    def __init__(self, url: str) -> None:
        """Start with an empty page that came from `url`."""
        self.url = url
        self.base = url
        self.files: list[ProjectFile] = []
        self._split = ("", "")
        self._problems: list[str] = []
        self._left_out = 0
        scheme = _SCHEME.match(url)
        # A page from the network must not send anyone to local files.
        self._local = scheme is not None and scheme[1].lower() == "file"

    def absolute(self, url: str) -> str:
        """Return an absolute address, with its percent-encoding as given.

        Raises:
            EntryError: it leads nowhere, or where a page from the network may not lead.
        """
        if _ABSOLUTE.fullmatch(url):
            return url
        if "/." not in url and _ROOTED.fullmatch(url) and (origin := self._origin()):
            return origin + url
        url = url.strip()
        if not url:
            raise EntryError("its address is empty")
        check_address_text(url)
        try:
            joined = quote(urljoin(self.base, url), safe=_URL_SAFE)
        except ValueError:
            raise EntryError(f"{printable(url)!r} is not an address") from None
        scheme, colon, _ = joined.partition(":")
        scheme = scheme.lower()
        if not colon or (scheme not in ("http", "https") and not (self._local and scheme == "file")):
            raise EntryError(f"its address is neither http nor https: {printable(joined)}")
        if scheme != "file" and not _has_host(joined):
            raise EntryError(f"{printable(joined)!r} has no host that can be asked")
        return joined

    def check_count(self, files: int) -> None:
        """Refuse (PageError) a page with more files than `MAX_FILES`."""
        if files > MAX_FILES:
            raise page_error(self.url, f"the page lists more than {MAX_FILES} files")

    def leave_out(self, name: object, reason: EntryError) -> None:
        """Report an entry that cannot be used."""
        self._left_out += 1
        if self._left_out <= _MAX_PROBLEMS:
            shown = printable(name) if isinstance(name, str) and name else "an entry"
            self._problems.append(f"{shown} is left out: {reason}")

    def page(self, name: str) -> ProjectPage:
        """Return what was read as the page of a project."""
        more = self._left_out - _MAX_PROBLEMS
        problems = [*self._problems, f"{more} more entries are left out"] if more > 0 else self._problems
        return ProjectPage(name, tuple(self.files), tuple(problems))

    def _origin(self) -> str:
        """Return scheme and host of `base`, empty where it is not from the network."""
        base, origin = self._split
        if base != self.base:
            match = _ORIGIN.match(self.base)
            origin = match[0] if match is not None else ""
            self._split = self.base, origin
        return origin


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises
    except ValueError:
        return False
    labels = (parts.hostname or "").removesuffix(".").split(".")
    return all(0 < len(label) <= 63 for label in labels)  # RFC 1035

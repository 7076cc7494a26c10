"""Reads a form with a file in it (multipart/form-data, RFC 7578) while it arrives; pure, and never whole.

Of what the standard allows, only what clients send is taken: no preamble, no nested or encoded parts, no
quoted backslashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from variant_index.errors import InputError, printable

__all__ = ["FormError", "FormReader", "Part", "boundary_of"]

_MAX_HEAD = 4096
_MAX_HEADERS = 16
_MAX_PARTS = 10_000

_BOUNDARY = r"[0-9A-Za-z'()+_,\-./:=?]{1,70}"
_TYPE = re.compile(rf'multipart/form-data *; *boundary=(?:"({_BOUNDARY})"|({_BOUNDARY}))', re.ASCII | re.I)
_PARAMETER = re.compile(r'; ?(name|filename)="([^"\\]*)"', re.I)
_DISPOSITION = re.compile(rf"form-data((?:{_PARAMETER.pattern}){{1,2}})", re.I)
_PLAIN_ENCODINGS = ("7bit", "8bit", "binary")


class FormError(InputError):
    """A request is no form, or breaks off."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form.

    Attributes:
        name: the field.
        filename: the name of the file that it is, None for a plain value; checked for nothing.
    """

    name: str
    filename: str | None


def boundary_of(content_type: str) -> bytes:
    """Return what separates the parts of a form.

    Args:
        content_type: the request's header.

    Raises:
        FormError: it is that of no form.
    """
    found = _TYPE.fullmatch(content_type.strip())
    if found is None:
        raise FormError("send a form: Content-Type: multipart/form-data; boundary=...")
    return (found[1] or found[2]).encode()


class FormReader:
    """Reads the parts of a form in their order; each is a `Part`, and its bytes are read with `content`."""

    def __init__(self, chunks: Iterable[bytes], boundary: bytes) -> None:
        """Read from a body that comes in chunks of any size, none of them empty."""
        self._chunks = iter(chunks)
        self._mark = b"\r\n--" + boundary
        self._held = bytearray(b"\r\n")  # with it, the first mark looks like all the others
        self._in_part = True

    def __iter__(self) -> Iterator[Part]:
        """Yield the parts; what is not read of one is passed over.

        Raises:
            FormError: it is not well formed, or ends too early.
        """
        if any(self.content()):
            raise FormError("the form does not begin with its boundary")
        for _ in range(_MAX_PARTS):
            self._fill(2)
            if self._held.startswith(b"--"):
                self._finish()
                return
            yield self._part()
            for _ in self.content():
                pass
        raise FormError(f"the form has more than {_MAX_PARTS} fields")

    def content(self) -> Iterator[bytes]:
        """Yield the bytes of the part that was read last, once.

        Raises:
            FormError: the form ends inside it.
        """
        while self._in_part:
            at = self._held.find(self._mark)
            # The end of what is held may be the beginning of a mark.
            ready = at if at >= 0 else len(self._held) - len(self._mark) + 1
            if ready > 0:
                piece = bytes(self._held[:ready])
                del self._held[:ready]
                yield piece
            if at >= 0:
                del self._held[: len(self._mark)]
                self._in_part = False
            else:
                self._more()

    def _more(self) -> None:
        chunk = next(self._chunks, b"")
        if not chunk:
            raise FormError("the form breaks off before its end")
        self._held += chunk

    def _fill(self, size: int) -> None:
        while len(self._held) < size:
            self._more()

    def _part(self) -> Part:
        if not self._held.startswith(b"\r\n"):
            raise FormError("a boundary of the form is followed by neither a new line nor --")
        while (end := self._held.find(b"\r\n\r\n")) < 0 and len(self._held) <= _MAX_HEAD:
            self._more()
        if not 0 <= end <= _MAX_HEAD:
            raise FormError(f"the headers of a field are longer than {_MAX_HEAD} bytes")
        try:
            head = self._held[2:end].decode("utf-8")
        except UnicodeDecodeError:
            raise FormError("the headers of a field are not UTF-8") from None
        del self._held[: end + 4]
        self._in_part = True
        return _parse_head(head)

    def _finish(self) -> None:
        del self._held[:2]
        for chunk in self._chunks:
            self._held += chunk
            if len(self._held) > 2:
                break
        if bytes(self._held) not in (b"", b"\r\n"):
            raise FormError("something follows the end of the form")


def _parse_head(head: str) -> Part:
    lines = head.split("\r\n")
    if len(lines) > _MAX_HEADERS:
        raise FormError(f"a field has more than {_MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name.lower() in headers:
            raise FormError(f"{printable(line, 80)!r} is no header of a field, or a second one")
        headers[name.lower()] = value.strip()
    if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
        raise FormError("a field is encoded; send it as it is")
    disposition = headers.get("content-disposition", "")
    found = _DISPOSITION.fullmatch(disposition)
    pairs = _PARAMETER.findall(found[1]) if found else []
    parameters = {name.lower(): value for name, value in pairs}
    if "name" not in parameters or len(parameters) != len(pairs):
        raise FormError(f'{printable(disposition, 120)!r} is not form-data; name="..."; filename="..."')
    return Part(parameters["name"], parameters.get("filename"))

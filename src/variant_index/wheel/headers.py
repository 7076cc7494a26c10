"""Header files inside wheels: METADATA and WHEEL, read the way installers read them (RFC 822 style)."""

from __future__ import annotations

import re

__all__ = ["HeaderError", "header_block", "parse_headers"]

# What email.feedparser takes for a header or a continuation line; anything else ends the headers.
_LINE = re.compile(r"(?:[\x21-\x39\x3b-\x7e]+:|[\t ])")


class HeaderError(ValueError):
    """The headers cannot be read; the message is the rule broken."""


def header_block(data: bytes) -> bytes:
    """Return the part of a header file before its first empty line, line ends included."""
    ends = [position for mark in (b"\n\n", b"\n\r\n") if (position := data.find(mark)) >= 0]
    return data[: min(ends) + 1] if ends else data


def parse_headers(data: bytes) -> dict[str, list[str]]:
    """Return lower-case header name -> its values in order; the body is left alone.

    Raises:
        HeaderError: the headers are not UTF-8, or have line ends or lines that readers disagree on.
    """
    try:
        text = header_block(data).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise HeaderError("its headers are not UTF-8") from None
    if "\r" in text or "\0" in text:
        raise HeaderError("its headers hold control characters")
    # Lists of lines, joined once: adding to a string a million times takes a million copies.
    headers: dict[str, list[list[str]]] = {}
    values: list[list[str]] = []
    for line in text.split("\n"):
        if not line:
            break
        if not _LINE.match(line):
            raise HeaderError("a line of its headers is not of the form 'Name: value'")
        if line[0] not in " \t":
            name, _, value = line.partition(":")
            values = headers.setdefault(name.lower(), [])
            values.append([value.strip()])
        elif values:
            values[-1].append(line.strip())
        else:
            raise HeaderError("its first header begins with a blank")
    return {name: ["\n".join(lines) for lines in values] for name, values in headers.items()}

"""Header files inside wheels: METADATA and WHEEL, read the way installers read them (RFC 822 style)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

__all__ = ["HeaderError", "change_headers", "header_block", "parse_headers"]

# Python refuses to read numbers of more than 4300 digits, and pip ends with a traceback on them.
_HUGE_NUMBER = re.compile(r"(?<![0-9])[0-9]{1001}", re.ASCII)
# What email.feedparser takes for a header or a continuation line; anything else ends the headers.
_A_LINE = re.compile(r"[^\n]*\n|[^\n]+")
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
        HeaderError: the headers are not UTF-8, hold a number too long to be read, or have line ends or lines
            that readers disagree on.
    """
    try:
        text = header_block(data).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise HeaderError("its headers are not UTF-8") from None
    if "\r" in text or "\0" in text:
        raise HeaderError("its headers hold control characters")
    if _HUGE_NUMBER.search(text):
        raise HeaderError("its headers hold a number of more than 1000 digits")
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


def change_headers(
    data: bytes,
    change: Callable[[str, str], Sequence[str] | None],
    added: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Return a header file with other headers; what is not changed keeps its bytes.

    Args:
        data: the file; `parse_headers` reads it.
        change: called with each header's lower-case name and value; returns the values that take its
            place, or None to keep it.
        added: names and values of more headers; each goes behind the last one of its name, or to the end.
    """
    block = header_block(data)
    end = "\r\n" if b"\r\n" in block else "\n"
    headers: list[tuple[str, list[str]]] = []
    # Not splitlines(): it also splits at characters that may be part of a value.
    for line in _A_LINE.findall(block.decode("utf-8")):
        if line[0] in " \t":
            headers[-1][1].append(line)
        elif line.strip("\r\n"):
            headers.append((line.partition(":")[0].lower(), [line]))
    written: list[tuple[str, str]] = []
    for name, lines in headers:
        spelled, _, first = lines[0].partition(":")
        wanted = change(name, "\n".join([first.strip(), *(line.strip() for line in lines[1:])]))
        if wanted is None:
            written.append((name, "".join(lines)))
        else:
            written += [(name, f"{spelled}: {value}{end}") for value in wanted]
    for name, value in added:
        places = [index for index, (known, _) in enumerate(written) if known == name.lower()]
        place = places[-1] + 1 if places else len(written)
        if place and not written[place - 1][1].endswith("\n"):
            known, text = written[place - 1]
            written[place - 1] = known, text + end
        written.insert(place, (name.lower(), f"{name}: {value}{end}"))
    return "".join(text for _, text in written).encode() + data[len(block) :]

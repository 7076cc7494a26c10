"""2000 broken pages and documents through a running shim: no traceback, no hang, no growing memory."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.variant_index.shim.family import DOCUMENT, NAME, SIDECAR, add_family
from tests.variant_index.shim.threats.running import shim_process
from tests.variant_index.upstream.fake_index import HTML_TYPE, JSON_TYPE, FakeIndex, Route
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import render_html

CASES = 2000
WARM = 200
SECONDS = 60.0
GROWTH_KB = 40_000
SEED = 825

TOKENS = [
    *(
        b"<a href=",
        b"</a>",
        b"<base href='//x/'>",
        b"<!--",
        b"-->",
        b"<script>",
        b"<![x",
        b"&#0;",
        b"&#xffffffff;",
        b"<",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\ud800",
        b"\\u0000",
        b"null",
        b"1e999",
        b"-",
        b"NaN",
        b":",
        b",",
        b"\\",
    ),
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xc0\x80",
        b"\xe2\x80\xae",
        b"\x1b[2J",
        b"\r\n",
        b"%00",
        b"%2e%2e%2f",
        b"../",
        b"\xef\xbb\xbf",
    ),
    *(
        b"-variants.json",
        b".whl",
        b"-cu128",
        b"-null",
        b"#sha256=",
        b"variants",
        b"default-priorities",
        b"file:///",
    ),
    b"9" * 5000,
    b"[" * 2000,
    b'{"a":' * 2000,
    b"a" * 70_000,
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 10**400, 1e308, "", "\ud800", "\x00", "a" * 300, "../..", "\u202e", "é"),
    *(
        [],
        {},
        [[]],
        [None],
        {"": None},
        {"sha256": None},
        {"sha256": "0" * 64},
        "file:///etc/passwd",
        "http://[",
        "nvidia",
    ),
    *(
        "javascript:0",
        "//",
        f"{NAME}-2.0-py3-none-any-cu128.whl",
        f"{NAME}-9.9.whl",
        SIDECAR,
        ">=3",
        ">=",
        "*",
        "1.0",
    ),
]


def bytes_changed(data: bytes, chance: random.Random) -> bytes:
    """Change a few bytes, pieces and lengths of a page."""
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        here = chance.randrange(len(data) + 1)
        length = chance.randrange(1, 2000) if chance.random() < 0.3 else 1
        before, piece, after = data[:here], data[here : here + length], data[here + length :]
        kind = chance.random()
        if kind < 0.35:
            data = before + chance.choice(TOKENS) + piece + after
        elif kind < 0.55:
            data = before + bytes([chance.randrange(256)]) + after
        elif kind < 0.7:
            data = before + after
        elif kind < 0.8:
            data = before + piece * 2 + after
        elif kind < 0.9:
            data = before + piece[::-1] + after
        elif kind < 0.93:
            data = before
    return data


def value_changed(value: Any, chance: random.Random) -> Any:
    """Change one value somewhere in a JSON document."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        changed = dict(value)
        kind = chance.random()
        if kind < 0.7:
            changed[key] = value_changed(value[key], chance)
        elif kind < 0.85:
            del changed[key]
        else:
            changed[str(chance.choice(VALUES))] = changed.pop(key)
        return changed
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        if chance.random() < 0.1:
            return value * 200
        return [*value[:at], value_changed(value[at], chance), *value[at + 1 :]]
    return chance.choice(VALUES)


def values_changed(data: bytes, chance: random.Random) -> bytes:
    """Change a few values of a JSON document."""
    document = json.loads(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        document = value_changed(document, chance)
    return json.dumps(document).encode()


def test_2000_pages_and_documents(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # to be repeated
    (tmp_path / "files").mkdir()
    with FakeIndex() as index:
        add_family(index, tmp_path / "files")
        page = index.routes[f"/simple/{NAME}/"].body
        sound = json.dumps(DOCUMENT).encode()
        html = render_html(parse_page(page, JSON_TYPE, index.url, NAME))

        def page_case() -> tuple[bytes, str]:
            kind = chance.random()
            if kind < 0.4:
                return values_changed(page, chance), JSON_TYPE
            if kind < 0.6:
                return bytes_changed(page, chance), JSON_TYPE
            types = (
                HTML_TYPE,
                HTML_TYPE,
                f"{HTML_TYPE}; charset=utf-16",
                f"{HTML_TYPE}; charset=utf-7",
                "x/y",
            )
            return bytes_changed(html, chance), chance.choice(types)

        def document_case() -> bytes:
            change: Callable[[bytes, random.Random], bytes]
            change = values_changed if chance.random() < 0.7 else bytes_changed
            return change(sound, chance)

        with shim_process(tmp_path, "--index-url", index.url) as shim:
            connection = HTTPConnection(shim.authority, timeout=SECONDS)
            path = urlsplit(shim.index_url).path
            statuses: dict[int, int] = {}
            before, slowest = 0, 0.0
            for number in range(CASES):
                if number == WARM:
                    before = shim.memory()
                if number % 2:
                    body, kind = page_case()
                    data = sound
                else:
                    # The page lists whatever the document's hash is now.
                    data = document_case()
                    body, kind = listing(page, data), JSON_TYPE
                index.routes[f"/simple/{NAME}/"] = Route(body, kind)
                index.routes[f"/files/{SIDECAR}"] = Route(data)
                started = time.monotonic()
                accept = (JSON_TYPE, "text/html", "*/*")[number % 3]
                connection.request("GET", f"{path}{NAME}/", headers={"Accept": accept})
                answer = connection.getresponse()
                answer.read()
                slowest = max(slowest, time.monotonic() - started)
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
            connection.close()
            grown = shim.memory() - before
            said = shim.said()
    assert set(statuses) <= {200, 424}
    assert min(statuses.values()) > 100  # some are refused, and most are not
    assert "Traceback" not in said
    assert "internal error" not in said
    assert all(line.isprintable() and len(line) < 1000 for line in said.splitlines())
    assert slowest < SECONDS
    assert grown < GROWTH_KB


def listing(page: bytes, document: bytes) -> bytes:
    """Return a page that lists a document with its hash."""
    content = json.loads(page)
    for entry in content["files"]:
        if entry["filename"] == SIDECAR:
            entry["hashes"] = {"sha256": hashlib.sha256(document).hexdigest()}
            entry.pop("size", None)
    return json.dumps(content).encode()

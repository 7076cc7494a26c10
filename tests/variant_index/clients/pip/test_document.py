"""Documents of pip's that name addresses of the shim."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from variant_index.clients.pip.document import PrintedDocument
from variant_index.shim.file_table import FileTable
from variant_index.shim.present import Chosen, Listed
from variant_index.simple_api.page import ProjectFile

SHIM = "http://127.0.0.1:1/token/f/"
UPSTREAM = "https://files.example/a-1-py3-none-any-cu128.whl"
SHOWN = "a-1-0_cu128-py3-none-any.whl"


def table() -> tuple[FileTable, str]:
    """Return a table and the link to its one file."""
    files = FileTable(SHIM, b"key")
    chosen = Chosen("a", "1", "cu128", "why", "a-1-py3-none-any-cu128.whl", SHOWN)
    return files, files.add(Listed(ProjectFile(SHOWN, UPSTREAM, {}), chosen))


def test_links_in_a_document_are_led_upstream_and_those_in_messages_stay() -> None:
    files, link = table()
    printed = PrintedDocument(lambda: files)
    message = f"  Downloading {link} (1.3 kB)\n".encode()
    assert printed.pass_on(message) == message
    assert printed.text == ""
    for line in ('        "url": "{}",\r\n', 'url = "{}"\n', 'wheels = [{{ url = "{}", a = "\xfc" }}]'):
        assert printed.pass_on(line.format(link).encode()) == line.format(UPSTREAM).encode()
    assert files.chosen_in(printed.text) == files.offered()
    assert not printed.names_shim
    unknown = f'"{SHIM}{"0" * 32}/b.whl"\n'.encode()
    assert printed.pass_on(unknown) == unknown
    assert printed.names_shim


@given(st.binary())
def test_other_bytes_stay(line: bytes) -> None:
    files, _ = table()
    assert PrintedDocument(lambda: files).pass_on(line) == line
    quoted = json.dumps("http").encode() + line
    assert PrintedDocument(lambda: files).pass_on(quoted) == quoted

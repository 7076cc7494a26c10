from __future__ import annotations

import pytest

from variant_index.shim import file_table
from variant_index.shim.file_table import FileTable
from variant_index.shim.present import Listed
from variant_index.simple_api.page import ProjectFile


def listed(number: int) -> Listed:
    name = f"a-{number}-py3-none-any.whl"
    return Listed(ProjectFile(name, f"https://files.example/{name}"))


def test_what_was_listed_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_table, "_MOST", 3)
    table = FileTable("http://127.0.0.1:1/t/f/", b"key")

    def identity(number: int) -> str:
        return table.add(listed(number)).split("/")[5]

    first = identity(0)
    others = [identity(number) for number in (1, 2)]
    assert identity(0) == first  # listed again, so it is not the oldest any more
    identity(3)
    assert table.find(first) is not None
    assert table.find(others[0]) is None
    assert table.find(others[1]) is not None

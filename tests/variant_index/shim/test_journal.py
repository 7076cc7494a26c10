from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from variant_index.shim.journal import Journal
from variant_index.shim.present import Chosen


def choice(version: str, label: str = "cu128", name: str = "vtorch") -> Chosen:
    return Chosen(name, version, label, "because", f"{name}-{version}-py3-none-any-{label}.whl")


def test_of_several_versions_the_last_one_counts() -> None:
    journal = Journal()
    for version in ("3.0", "2.0", "1.0"):
        journal.note_download(choice(version))
    journal.note_download(choice("5.0", name="another"))
    assert journal.chosen() == [choice("5.0", name="another"), choice("1.0")]


def test_lines_are_kept_once_and_reported_as_they_come() -> None:
    lines: list[tuple[str, str]] = []
    journal = Journal(lambda kind, line: lines.append((kind, line)))
    journal.warn(["w1", "w2", "w1"])
    journal.warn(["w1"])
    journal.fail("f")
    journal.note_download(choice("1.0"))
    journal.note_download(choice("1.0"))
    assert journal.warnings == ("w1", "w2")
    assert journal.failures == ("f",)
    assert lines == [
        ("warning", "w1"),
        ("warning", "w2"),
        ("error", "f"),
        ("chosen", "vtorch 1.0: cu128 — because"),
    ]


def test_many_threads_lose_nothing() -> None:
    journal = Journal()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.warn([f"w{number % 100}"]), range(1000)))
    assert len(journal.warnings) == 100


def test_a_hostile_index_cannot_fill_it() -> None:
    lines: list[str] = []
    journal = Journal(lambda _kind, line: lines.append(line))
    journal.warn(f"line {number}" for number in range(20_000))
    journal.warn(["one more"])
    assert len(journal.warnings) == len(lines) == 10_000

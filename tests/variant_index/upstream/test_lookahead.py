from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.upstream.lookahead import LookAhead, LookAheads
from variant_index.upstream.network import Network
from variant_index.upstream.project import PREFER_JSON, FetchedProject, Upstream
from variant_index.upstream.published_metadata import PublishedMetadata
from variant_index.upstream.remote_wheel import WheelReader
from variant_index.upstream.source import Source

NOTHING: frozenset[str] = frozenset()


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def add(index: FakeIndex, folder: Path, requires: Mapping[str, tuple[str, ...]]) -> None:
    for name, required in requires.items():
        made = make_wheel(folder, f"{name}-1.0-py3-none-any.whl", requires_dist=required)
        index.add_project(name, [index.add_file(made)])


def look_aheads(
    index: FakeIndex,
    likely: Callable[[str], bool] = lambda _: True,
    *,
    room: int = 1 << 20,
    known: bool = False,
) -> LookAheads:
    network = Network()
    upstream = Upstream([Source(index.url)], network)
    return LookAheads(
        upstream, PublishedMetadata(WheelReader(network), network), likely, only_known=known, room=room
    )


def ask(ahead: LookAhead, name: str) -> FetchedProject | None:
    """Ask as a catalog does."""
    foreseen = ahead.claim(name, PREFER_JSON)
    return foreseen.result(30) if foreseen is not None else ahead.project(name, PREFER_JSON)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_is_required_is_there_before_it_is_asked_for(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"a": ("b",), "b": ("c ; extra == 'x'", "d"), "d": (), "c": ()})
    ahead = look_aheads(index).begin()
    ahead.expect({"a": NOTHING}, PREFER_JSON)
    until(lambda: index.asked("/simple/d/") == 1)
    for name in "abd":
        found = ask(ahead, name)
        assert found is not None
        assert [file.filename for file in found.page.files] == [f"{name}-1.0-py3-none-any.whl"]
    assert [index.asked(f"/simple/{name}/") for name in "abcd"] == [1, 1, 0, 1]


def test_extras_that_become_known_later_count(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"a": ("c ; extra == 'x'",), "c": ()})
    ahead = look_aheads(index).begin()
    ahead.expect({"a": NOTHING}, PREFER_JSON)
    ask(ahead, "a")
    ahead.expect({"a": frozenset("x")}, PREFER_JSON)
    until(lambda: index.asked("/simple/c/") == 1)


def test_what_was_not_foreseen_leads_on_as_well(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"a": ("b",), "b": ()})
    ahead = look_aheads(index).begin()
    assert ask(ahead, "a") is not None
    until(lambda: index.asked("/simple/b/") == 1)


def test_each_page_is_handed_out_once(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"a": ()})
    ahead = look_aheads(index).begin()
    ahead.expect({"a": NOTHING}, PREFER_JSON)
    until(lambda: index.asked("/simple/a/") == 1)
    ask(ahead, "a")
    assert index.asked("/simple/a/") == 1
    ask(ahead, "a")
    assert index.asked("/simple/a/") == 2


def test_a_run_sees_no_page_of_another_run(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"a": ()})
    shared = look_aheads(index)
    first = shared.begin()
    first.expect({"a": NOTHING}, PREFER_JSON)
    until(lambda: index.asked("/simple/a/") == 1)
    ask(shared.begin(), "a")
    assert index.asked("/simple/a/") == 2


def test_a_failure_is_said_when_it_is_asked_for(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"b": ()})
    index.routes["/simple/a/"] = Route(status=418)
    ahead = look_aheads(index).begin()
    ahead.expect({"a": NOTHING, "gone": NOTHING, "b": NOTHING}, PREFER_JSON)
    until(lambda: index.asked("/simple/b/") == 1)
    with pytest.raises(UpstreamError, match="418"):
        ask(ahead, "a")
    assert index.asked("/simple/a/") == 1
    assert ask(ahead, "gone") is None


def test_only_what_is_likely(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"a": ("b", "c"), "b": (), "c": ()})
    ahead = look_aheads(index, lambda name: name != "b").begin()
    ahead.expect({"a": NOTHING}, PREFER_JSON)
    until(lambda: index.asked("/simple/c/") == 1)
    assert not index.asked("/simple/b/")


def test_many_clients_lead_only_to_what_some_asked_for(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"a": ("b", "c"), "b": (), "c": ()})
    shared = look_aheads(index, known=True)
    first = shared.begin()
    ask(first, "a")
    ask(first, "c")
    assert [index.asked(f"/simple/{name}/") for name in "abc"] == [1, 0, 1]
    second = shared.begin()
    ask(second, "a")
    until(lambda: index.asked("/simple/c/") == 2)
    ask(second, "c")
    assert [index.asked(f"/simple/{name}/") for name in "abc"] == [2, 0, 2]


def test_room_is_given_back(index: FakeIndex, tmp_path: Path) -> None:
    add(index, tmp_path, {"a": (), "b": (), "c": ()})
    shared = look_aheads(index, room=1)
    first, second = shared.begin(), shared.begin()
    assert shared.is_worthwhile("b")
    first.expect({"a": NOTHING}, PREFER_JSON)
    until(lambda: shared.used > 0)
    assert not shared.is_worthwhile("b")
    first.end()
    assert shared.used == 0
    second.expect({"c": NOTHING}, PREFER_JSON)
    until(lambda: shared.used > 0)
    ask(second, "c")
    assert shared.used == 0


def test_a_chain_without_end_is_cut(index: FakeIndex, tmp_path: Path) -> None:
    index.routes = Endless(index, tmp_path)
    ahead = look_aheads(index).begin()
    ahead.expect({f"p{number}x": NOTHING for number in range(1000)}, PREFER_JSON)
    until(lambda: index.asked("/simple/p399x/") == 1)
    ask(ahead, "p0")
    assert not index.asked("/simple/p400x/")
    assert not index.asked("/simple/p1/")


class Endless(dict[str, Route]):
    """Every project requires the next one."""

    def __init__(self, index: FakeIndex, folder: Path) -> None:
        self._index = index
        self._folder = folder
        self._lock = threading.Lock()

    def get(self, path: str, default: Route | None = None) -> Route | None:  # type: ignore[override]
        name = path.strip("/").rpartition("/")[2]
        if path.startswith("/simple/") and name.endswith("x"):
            return Route(status=404)
        with self._lock:
            if path.startswith("/simple/") and path not in self:
                following = f"p{int(name[1:]) + 1}"
                made = make_wheel(self._folder, f"{name}-1.0-py3-none-any.whl", requires_dist=[following])
                self._index.add_project(name, [self._index.add_file(made)])
            return super().get(path, default)

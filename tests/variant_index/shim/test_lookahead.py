from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.making import make_wheel
from tests.variant_index.shim.family import ANY, cuda_machine
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.shim.journal import Journal
from variant_index.shim.server import ShimServer
from variant_index.shim.views import Targets
from variant_index.simple_api.render import JSON_TYPE
from variant_index.upstream.lookahead import Expected
from variant_index.upstream.network import Network
from variant_index.upstream.project import PREFER_JSON
from variant_index.upstream.source import Source

TARGETS = Targets(lambda _name: None, lambda _version: ANY)


def add(index: FakeIndex, folder: Path, name: str, *requires: str, version: str = "1.0") -> None:
    made = make_wheel(folder, f"{name}-{version}-py3-none-any.whl", requires_dist=requires)
    index.add_project(name, [index.add_file(made)])


@contextmanager
def shim(
    index: FakeIndex, expected: Expected | None = None, targets: Targets | None = None
) -> Iterator[ShimServer]:
    with (
        closing(Network()) as network,
        ShimServer(
            [Source(index.url)],
            network,
            lambda: cuda_machine("12.8"),
            lambda: ANY,
            Journal(),
            expected=expected,
            targets=targets,
        ) as server,
    ):
        yield server


class Client:
    """One kept connection."""

    def __init__(self, server: ShimServer) -> None:
        self._parts = urlsplit(server.index_url)
        self._connection = http.client.HTTPConnection(self._parts.netloc, timeout=60)

    def ask(self, name: str) -> bytes:
        self._connection.request("GET", f"{self._parts.path}{name}/", headers={"Accept": JSON_TYPE})
        answer = self._connection.getresponse()
        assert answer.status == 200
        return answer.read()

    def close(self) -> None:
        self._connection.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_pages_of_a_run_are_fetched_before_it_asks(tmp_path: Path) -> None:
    with FakeIndex() as index:
        add(index, tmp_path, "a", "b")
        add(index, tmp_path, "b")
        with shim(index, Expected({"a": frozenset()}, PREFER_JSON, lambda _name: True)) as server:
            until(lambda: index.asked("/simple/b/") == 1)
            first, second = Client(server), Client(server)
            assert b"a-1.0" in first.ask("a")
            assert b"b-1.0" in second.ask("b")
            assert [index.asked(f"/simple/{name}/") for name in "ab"] == [1, 1]


def test_for_many_clients_by_what_others_asked_for(tmp_path: Path) -> None:
    with FakeIndex() as index:
        add(index, tmp_path, "a", "b")
        add(index, tmp_path, "b")
        with shim(index, targets=TARGETS) as server:
            client = Client(server)
            client.ask("a")
            client.ask("b")
            client.close()
            later = Client(server)
            later.ask("a")
            until(lambda: index.asked("/simple/b/") == 2)
            later.ask("b")
            assert index.asked("/simple/b/") == 2


def test_a_client_never_sees_what_was_fetched_for_another(tmp_path: Path) -> None:
    with FakeIndex() as index:
        add(index, tmp_path, "a", "b")
        add(index, tmp_path, "b")
        with shim(index, targets=TARGETS) as server:
            first = Client(server)
            first.ask("b")
            first.close()
            early = Client(server)
            early.ask("a")
            until(lambda: index.asked("/simple/b/") == 2)
            add(index, tmp_path, "b", version="2.0")
            assert b"b-2.0" in Client(server).ask("b")


def test_without_expectations_nothing_is_asked_that_no_client_did(tmp_path: Path) -> None:
    with FakeIndex() as index:
        add(index, tmp_path, "a", "b")
        add(index, tmp_path, "b")
        with shim(index) as server:
            Client(server).ask("a")
        assert not index.asked("/simple/b/")
        assert not index.asked("a-1.0")

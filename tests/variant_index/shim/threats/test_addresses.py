"""Addresses on pages, and redirects, that would make the shim ask machines of the user's own network."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3.util.connection
from urllib3.util.connection import create_connection

from tests.variant_index.shim.family import (
    ANY,
    DOCUMENT,
    NAME,
    SIDECAR,
    add_family,
    cuda_machine,
    write_release,
    write_sidecar,
)
from tests.variant_index.shim.marked import NAME as MARKED
from tests.variant_index.shim.marked import add_marked
from tests.variant_index.shim.serving import Shim
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.shim.journal import Journal
from variant_index.shim.server import ShimServer
from variant_index.simple_api.render import JSON_TYPE
from variant_index.upstream.network import Network
from variant_index.upstream.source import Source

PUBLIC, OTHER_PUBLIC = "93.184.216.34", "93.184.216.35"
PLAIN, CHOSEN = f"{NAME}-2.0-py3-none-any.whl", f"{NAME}-2.0-0_cu128-py3-none-any.whl"
INDEX = "index.example"


class World:
    """A public index and what else there is, all of it really one server on loopback.

    `names` says what a name resolves to; `connected` which addresses were connected to.
    """

    def __init__(self, index: FakeIndex) -> None:
        self.index = index
        self.names = {INDEX: [PUBLIC], "files.example": [OTHER_PUBLIC]}
        self.connected: list[str] = []

    def resolve(self, host: str, port: Any, *arguments: Any, **options: Any) -> list[Any]:
        if host not in self.names:
            return REAL_RESOLVE(host, port, *arguments, **options)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port or 0)) for address in self.names[host]
        ]

    def connect(self, address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        host = self.names.get(address[0], [address[0]])[0]
        self.connected.append(host)
        if host in (PUBLIC, OTHER_PUBLIC, "127.0.0.1"):
            port = int(self.index.root.rpartition(":")[2])
            return create_connection(("127.0.0.1", port), *arguments, **options)
        raise ConnectionRefusedError(f"{host} was connected to")


REAL_RESOLVE = socket.getaddrinfo


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


@pytest.fixture
def world(index: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(index)
    monkeypatch.setattr(socket, "getaddrinfo", world.resolve)
    monkeypatch.setattr(urllib3.util.connection, "create_connection", world.connect)
    return world


@pytest.fixture
def shim(world: World) -> Iterator[Shim]:
    """Run a shim whose index is public."""
    trusted = (
        INDEX,
        "files.example",
        "near.example",
        "flips.example",
        "169.254.169.254",
        "10.0.0.1",
        "[::1]",
    )
    network = Network(trusted_hosts=(*trusted, "[::ffff:169.254.169.254]", "::1", "0x7f.1"))
    shim = Shim("", Journal())
    sources = [Source(f"http://{INDEX}/simple/")]
    with ShimServer(sources, network, lambda: cuda_machine("12.8"), lambda: ANY, shim.journal) as server:
        shim.index_url = server.index_url
        yield shim
    network.close()


def add(index: FakeIndex, folder: Path, sidecar: str) -> None:
    """Serve a release whose document is at another address; links are as a public index writes them."""
    files = [index.add_file(path) for path in write_release(folder)]
    document = index.add_file(write_sidecar(folder))
    files = [replace(file, url=file.url.replace(index.root, f"http://{INDEX}")) for file in files]
    index.add_project(NAME, [*files, replace(document, url=sidecar)])


PRIVATE = [
    "http://169.254.169.254/latest/meta-data/iam",
    "http://[::ffff:169.254.169.254]/latest",
    "http://127.0.0.1:9/x-variants.json",
    "http://localhost:9/x-variants.json",
    "http://0x7f.1:9/x-variants.json",
    "http://[::1]:9/x-variants.json",
    "http://10.0.0.1/x-variants.json",
    "http://near.example/x-variants.json",
]


def test_the_control_reads_the_document_from_a_public_host(
    index: FakeIndex, world: World, shim: Shim, tmp_path: Path
) -> None:
    add(index, tmp_path, f"http://files.example/files/{SIDECAR}")
    assert CHOSEN in shim.ask(f"{NAME}/").files()
    assert shim.journal.warnings == ()
    assert {PUBLIC, OTHER_PUBLIC} <= set(world.connected)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_documents_address(
    address: str, index: FakeIndex, world: World, shim: Shim, tmp_path: Path
) -> None:
    world.names["near.example"] = ["192.168.1.1"]
    add(index, tmp_path, address)
    assert list(shim.ask(f"{NAME}/").files()) == [PLAIN]  # the release without its variants
    (warning,) = shim.journal.warnings
    assert "is not asked: an index elsewhere named it" in warning
    assert set(world.connected) == {PUBLIC}


@pytest.mark.parametrize("address", PRIVATE)
def test_a_redirect_of_a_document(
    address: str, index: FakeIndex, world: World, shim: Shim, tmp_path: Path
) -> None:
    world.names["near.example"] = ["192.168.1.1"]
    add(index, tmp_path, f"http://{INDEX}/moved")
    index.routes["/moved"] = Route(status=302, headers={"Location": address})
    assert list(shim.ask(f"{NAME}/").files()) == [PLAIN]
    (warning,) = shim.journal.warnings
    assert "is not asked" in warning
    assert set(world.connected) == {PUBLIC}


@pytest.mark.parametrize("address", PRIVATE)
def test_a_redirect_of_a_page(address: str, index: FakeIndex, world: World, shim: Shim) -> None:
    world.names["near.example"] = ["192.168.1.1"]
    index.routes[f"/simple/{NAME}/"] = Route(status=302, headers={"Location": address})
    assert shim.ask(f"{NAME}/").status == 424
    (failure,) = shim.journal.failures
    assert "is not asked" in failure
    assert set(world.connected) == {PUBLIC}


def test_a_name_that_changes_its_address_after_it_was_checked(
    index: FakeIndex, world: World, shim: Shim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: what was checked is what is connected to, however often the name is asked for."""
    answers = iter([[OTHER_PUBLIC]])
    real = world.resolve

    def resolve(host: str, *arguments: Any, **options: Any) -> list[Any]:
        if host == "flips.example":
            world.names[host] = next(answers, ["127.0.0.1"])  # the first answer is the one that is checked
        return real(host, *arguments, **options)

    world.names["flips.example"] = ["127.0.0.1"]
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    add(index, tmp_path, f"http://flips.example/files/{SIDECAR}")
    assert CHOSEN in shim.ask(f"{NAME}/").files()
    assert "127.0.0.1" not in world.connected


def test_the_wheels_that_are_read_and_spliced(
    index: FakeIndex, world: World, shim: Shim, tmp_path: Path
) -> None:
    add_marked(index, tmp_path, v2_0=("plainlib; variant_label == 'cu128'",))
    page = json.loads(index.routes[f"/simple/{MARKED}/"].body)
    for entry in page["files"]:
        host = INDEX if entry["filename"].endswith(".json") else "near.example"
        entry["url"] = entry["url"].replace(index.root, f"http://{host}")
    index.routes[f"/simple/{MARKED}/"] = Route(json.dumps(page).encode(), JSON_TYPE)
    world.names["near.example"] = ["10.0.0.1"]
    answer = shim.ask(f"{MARKED}/")
    assert set(world.connected) == {PUBLIC}  # neither ranges nor metadata nor whole wheels
    for name, entry in answer.files().items():
        if "/f/" in entry["url"]:
            assert shim.ask(entry["url"]).status in (302, 424), name
    assert set(world.connected) == {PUBLIC}


def test_through_a_proxy_only_addresses_can_be_judged(index: FakeIndex, tmp_path: Path) -> None:
    network = Network(proxy=index.root, trusted_hosts=(INDEX, "169.254.169.254", "10.0.0.1"))
    shim = Shim("", Journal())
    routes = index.routes
    folder = tmp_path / "files"
    folder.mkdir()
    add(index, folder, "http://169.254.169.254/latest")
    for path in list(routes):
        routes[f"http://{INDEX}{path}"] = routes[path]  # as a proxy is asked
    routes["http://169.254.169.254/latest"] = Route(json.dumps(DOCUMENT).encode())
    with ShimServer(
        [Source(f"http://{INDEX}/simple/")], network, lambda: cuda_machine("12.8"), lambda: ANY, shim.journal
    ) as server:
        shim.index_url = server.index_url
        assert list(shim.ask(f"{NAME}/").files()) == [PLAIN]
    assert index.asked("169.254") == 0
    network.close()


def test_an_index_on_this_machine_may_name_others_on_it(tmp_path: Path) -> None:
    with FakeIndex() as index, FakeIndex() as files:
        add_family(index, tmp_path)
        page = json.loads(index.routes[f"/simple/{NAME}/"].body)
        (entry,) = [entry for entry in page["files"] if entry["filename"] == SIDECAR]
        data = index.routes[f"/files/{SIDECAR}"].body
        assert entry["hashes"]["sha256"] == hashlib.sha256(data).hexdigest()
        entry["url"] = f"{files.root.replace('127.0.0.1', 'localhost')}/d"
        index.routes[f"/simple/{NAME}/"] = Route(json.dumps(page).encode(), JSON_TYPE)
        files.routes["/d"] = Route(data)
        network = Network()
        shim = Shim("", Journal())
        with ShimServer(
            [Source(index.url)], network, lambda: cuda_machine("12.8"), lambda: ANY, shim.journal
        ) as server:
            shim.index_url = server.index_url
            assert CHOSEN in shim.ask(f"{NAME}/").files()
        network.close()

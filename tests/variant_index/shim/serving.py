"""Runs a shim over a fake index, and asks it as a client would."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from tests.variant_index.shim.family import ANY, cuda_machine
from variant_index.extensions.settings import ExtensionSettings
from variant_index.model.machine import MachineProfile
from variant_index.selection.choice import TargetTags
from variant_index.shim.journal import Journal
from variant_index.shim.server import ShimServer
from variant_index.shim.views import Targets
from variant_index.simple_api.render import JSON_TYPE
from variant_index.torch_index.settings import TorchSettings
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.credentials import Credentials
from variant_index.upstream.network import Network
from variant_index.upstream.source import Source


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    reason: str = ""

    def files(self) -> dict[str, Any]:
        """Return a JSON page's entries by file name."""
        return {entry["filename"]: entry for entry in json.loads(self.body)["files"]}


@dataclass
class Shim:
    """A running shim."""

    index_url: str
    journal: Journal
    calls: list[str] = field(default_factory=list)

    @property
    def authority(self) -> str:
        return urlsplit(self.index_url).netloc

    def ask(
        self,
        address: str,
        method: str = "GET",
        accept: str | None = JSON_TYPE,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for an address: absolute, or a path below the index."""
        parts = urlsplit(address if "://" in address or address.startswith("/") else self.index_url + address)
        connection = http.client.HTTPConnection(self.authority, timeout=60)
        sent = {**({"Accept": accept} if accept else {}), **(headers or {})}
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), headers=sent)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return Answer(response.status, dict(response.headers), body, response.reason)


@contextmanager
def running_shim(
    *sources: str | Source,
    machine: Callable[[], MachineProfile] | None = None,
    tags: Callable[[], TargetTags] | None = None,
    journal: Journal | None = None,
    cache: DiskCache | None = None,
    extensions: ExtensionSettings | None = None,
    torch: TorchSettings | None = None,
    every_variant: bool = False,
    targets: Targets | None = None,
    built: Callable[[str], bool] = lambda _name: False,
    allow_unhashed: bool = False,
) -> Iterator[Shim]:
    """Run a shim; `calls` records when the machine and the interpreter were asked."""
    known: Sequence[Source] = [source if isinstance(source, Source) else Source(source) for source in sources]
    shim = Shim("", journal or Journal())
    if allow_unhashed:
        torch = replace(torch or TorchSettings(), allow_unhashed=True)

    def ask_machine() -> MachineProfile:
        shim.calls.append("machine")
        return machine() if machine else cuda_machine("12.8")

    def ask_tags() -> TargetTags:
        shim.calls.append("tags")
        return tags() if tags else ANY

    network = Network(cache=cache, credentials=Credentials(known))
    server = ShimServer(
        known,
        network,
        ask_machine,
        ask_tags,
        shim.journal,
        extensions=extensions,
        torch=torch,
        every_variant=every_variant,
        targets=targets,
        built=built,
    )
    with server:
        shim.index_url = server.index_url
        yield shim
    network.close()

"""The shim's HTTP server: a random path, GET and HEAD, few wheel bytes; loopback unless told otherwise.

Rules that real clients depend on: the last part of a link's path is an ordinary wheel name; redirects are
302 and never stored; HEAD works everywhere; writes are buffered (else every page costs 40 ms).
"""

from __future__ import annotations

import socketserver
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from variant_index.errors import printable
from variant_index.extensions.settings import ExtensionSettings
from variant_index.selection.choice import TargetTags
from variant_index.shim.catalog import Catalog
from variant_index.shim.connections import OpenConnections
from variant_index.shim.endpoint import Endpoint, EndpointError
from variant_index.shim.expected_torch import ExpectedTorch
from variant_index.shim.extension_builds import ExtensionBuilds
from variant_index.shim.file_table import FileTable
from variant_index.shim.handler import ShimHandler, Site
from variant_index.shim.journal import Journal
from variant_index.shim.local_wheels import LocalWheels
from variant_index.shim.metrics import Metrics
from variant_index.shim.settle import MarkerSettler
from variant_index.shim.spliced import NewHashes, SpliceStreamer
from variant_index.shim.torch_family import TorchFamily
from variant_index.shim.torch_requirement import TorchRequirements
from variant_index.shim.torch_upstream import TorchUpstream
from variant_index.shim.verification import WheelVerifier
from variant_index.shim.views import Targets, View, Views
from variant_index.shim.watched_machine import WatchedMachine
from variant_index.torch_index.settings import TorchSettings
from variant_index.upstream.lookahead import Expected, LookAhead, LookAheads
from variant_index.upstream.network import Network
from variant_index.upstream.project import Upstream
from variant_index.upstream.published_metadata import PublishedMetadata
from variant_index.upstream.remote_wheel import WheelReader
from variant_index.upstream.routing import Routing
from variant_index.upstream.sidecar import SidecarReader
from variant_index.upstream.source import Source

if TYPE_CHECKING:
    from variant_index.model.machine import MachineProfile

__all__ = ["EndpointError", "ShimServer"]

_MAX_CONNECTIONS: Final = 128
_FORESEEN_BYTES: Final = 16 << 20


class ShimServer:
    """A running shim; a context manager.

    Attributes:
        index_url: the address to give to an installer as its only index.
        files: what it linked, and so the choices that an installer was shown.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        network: Network,
        machine: Callable[[], MachineProfile],
        tags: Callable[[], TargetTags],
        journal: Journal,
        *,
        torch: TorchSettings | None = None,
        port: int = 0,
        endpoint: Endpoint | None = None,
        every_variant: bool = False,
        routing: Routing | None = None,
        extensions: ExtensionSettings | None = None,
        built: Callable[[str], bool] = lambda _name: False,
        targets: Targets | None = None,
        expected: Expected | None = None,
    ) -> None:
        """Bind; the server answers once the context is entered.

        Args:
            sources: the user's indexes and find-links locations, in order.
            network: reads them.
            machine: detects the machine; called once and only when a page has variants.
            tags: asks the target interpreter for its tags; called like `machine`.
            journal: takes what happens.
            torch: where the torch family comes from and what is preferred; None for the user's sources.
            port: 0 for any free one.
            endpoint: an endpoint that listens already; it is closed with the server. None for a new one.
            every_variant: whether the variants that were not chosen are listed as well, for lock files.
            routing: projects that come from one index only, or from all; None for the usual order.
            extensions: what is known of the packages that extensions are built for; None for nothing.
            built: tells of a project whether the client builds it and takes no wheel.
            targets: the other machines of a shim that serves several, for long: links then name no host, and
                there is `/healthz` and `/metrics`. None for a shim of this machine.
            expected: what the one client that this shim serves is going to ask for; its pages are fetched at
                once. None when that is not known.

        Raises:
            EndpointError: the port is taken.
        """
        endpoint = endpoint or Endpoint.open(port)
        self._server = _Server(endpoint)
        wheels = LocalWheels()
        reader, hashes = WheelReader(network), NewHashes(network)
        metadata = PublishedMetadata(reader, network)
        verifier = WheelVerifier(reader)
        allow_unhashed = torch is not None and torch.allow_unhashed
        upstream = Upstream(sources, network, routing, allow_unhashed=allow_unhashed)
        sidecars = SidecarReader(network)
        settler = MarkerSettler(reader, network)
        # Who answers under several names cannot know by which one a client reaches it.
        here = "../../f/" if targets is not None else f"http://{endpoint.authority}/{endpoint.token}/f/"
        own_machine, own_tags = machine, tags

        metrics = Metrics() if targets is not None else None

        def seen(
            machine: Callable[[], MachineProfile], tags: Callable[[], TargetTags], files: FileTable
        ) -> Catalog:
            family = TorchFamily.open(torch, network, routing) if torch is not None else None
            known = extensions or ExtensionSettings()
            requirements = TorchRequirements(metadata, known.marker_environment)
            prefer = torch.prefer if torch is not None else "hardware"
            expected_torch = ExpectedTorch(
                known, family, requirements, TorchUpstream(upstream, sidecars, requirements, prefer)
            )
            if family is not None:
                family.follow(expected_torch)
            return Catalog(
                upstream,
                sidecars,
                machine=machine,
                tags=tags,
                journal=journal,
                files=files,
                wheels=wheels,
                verifier=verifier,
                settler=settler,
                hashes=hashes,
                extensions=ExtensionBuilds(expected_torch),
                family=family,
                prefer=prefer,
                built=built,
                every_variant=every_variant,
                needs_login=network.needs_login,
            )

        def view(machine: Callable[[], MachineProfile] | None, tags: Callable[[], TargetTags] | None) -> View:
            machine, tags = machine or own_machine, tags or own_tags
            files = FileTable(here, endpoint.token.encode())
            if targets is None or metrics is None:
                return View(seen(machine, tags, files), files)
            watched = WatchedMachine(
                machine, tags, targets.pace, looked=metrics.looked, warn=lambda line: journal.warn([line])
            )
            return View(seen(watched.machine, watched.tags, files), files, watched)

        def again(view: View) -> View:
            # The same files: what a client was shown before it still gets.
            assert view.watched is not None
            return replace(view, catalog=seen(view.watched.machine, view.watched.tags, view.files))

        default = view(None, None)
        ahead, aheads = None, None
        if expected is not None:
            ahead = _look_ahead(upstream, metadata, default.catalog, expected)
        elif targets is not None:
            aheads = LookAheads(
                upstream, metadata, default.catalog.is_upstream, only_known=True, room=_FORESEEN_BYTES
            )
        if metrics is not None:
            network.watch = metrics.asked
        self._server.site = Site(
            endpoint,
            Views(default, view, again, targets),
            wheels,
            verifier,
            SpliceStreamer(network, hashes),
            network,
            journal,
            ahead,
            aheads,
            metrics,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.index_url = endpoint.index_url
        self.files = default.files

    def __enter__(self) -> ShimServer:
        self._thread.start()
        return self

    def finish(self, seconds: float) -> int:
        """Take no more requests, finish those that came, and return how many were not finished in time.

        Args:
            seconds: how long the answers may take.
        """
        self._server.shutdown()
        self._server.socket.close()
        return self._server.connections.drain(seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _look_ahead(
    upstream: Upstream, metadata: PublishedMetadata, catalog: Catalog, expected: Expected
) -> LookAhead:
    """Begin to fetch what the one client will ask for."""

    def is_likely(name: str) -> bool:
        return catalog.is_upstream(name) and expected.is_likely(name)

    ahead = LookAheads(upstream, metadata, is_likely).begin()
    ahead.expect(expected.projects, expected.accept)
    return ahead


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Hands each connection to a thread, up to a limit."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, endpoint: Endpoint) -> None:
        address = endpoint.listener.getsockname()
        super().__init__(address, ShimHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = endpoint.listener
        self.server_address = address
        self.site: Site | None = None
        self.connections = OpenConnections(_MAX_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.connections.admit(request):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception() if sys.version_info >= (3, 11) else sys.exc_info()[1]
        # Clients hang up when they have what they need; anything else is a fault of ours, and said.
        if self.site is not None and not isinstance(error, (ConnectionError, TimeoutError)):
            what = f"{type(error).__name__}: {error}"
            self.site.journal.fail(f"internal error in the shim, please report it: {printable(what)}")

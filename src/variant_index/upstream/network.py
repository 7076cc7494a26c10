"""HTTP for reading indexes: logins, redirects, a cache of confirmed answers, limits on time and size."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final
from urllib.parse import urljoin, urlsplit

from variant_index import __version__
from variant_index.errors import UpstreamError, printable
from variant_index.upstream.byte_range import ByteRange, WantedRange, read_range
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.connections import Connections, UnreachableError
from variant_index.upstream.credentials import Credentials
from variant_index.upstream.login import Login, origin, split_login
from variant_index.upstream.reach import Reach, reach_of
from variant_index.upstream.recent import Recent
from variant_index.upstream.stream import CHUNK, Stream, TooLargeError

__all__ = ["Network", "Reply", "UnreachableError"]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5
_KEPT: Final = ("content-type", "etag", "last-modified")
_RECENT_BYTES: Final = 16 << 20
_IDENTITY: Final = {"Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer.

    Attributes:
        url: the address that answered, after redirects.
        status: the HTTP status, never a redirect and below 500.
        headers: names in lower case.
        body: the decoded bytes.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Network:
    """Reads from http and https addresses; safe to share between threads."""

    def __init__(
        self,
        cert: str | None = None,
        proxy: str | None = None,
        trusted_hosts: tuple[str, ...] = (),
        timeout: float = 15.0,
        cache: DiskCache | None = None,
        *,
        client_cert: str | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """Make the pools.

        Args:
            cert: a file or folder of trusted certificates; None for the system's (`SSL_CERT_FILE` and
                `SSL_CERT_DIR` are honoured).
            proxy: URL of a proxy for every request; None for those of the environment.
            trusted_hosts: `host` or `host:port` that may use plain http and any certificate.
            timeout: seconds to wait for a connection or for the next bytes; one whole answer may take
                four times as long.
            cache: keeps answers that the server can confirm with a 304; None for no cache.
            client_cert: a file with our own certificate and its key; None for none.
            credentials: the logins to send; None for none.

        Raises:
            SourceError: `cert` or `client_cert` cannot be read or `proxy` is not a URL.
        """
        self._timeout = timeout
        self._connections = Connections(cert, client_cert, proxy, trusted_hosts, timeout)
        self.cache = cache
        self.watch: Callable[[int, float], None] | None = None
        """Told of every request its status, 0 for no answer, and the seconds until its headers came."""
        self.credentials = credentials or Credentials()
        self._reaches: dict[str | None, Reach] = {}
        self._recent: Recent[Reply] = Recent(_RECENT_BYTES)

    def needs_login(self, url: str) -> bool:
        """Tell whether requests for an address carry a login, so that a client cannot be sent there."""
        return self.credentials.login(url) is not None

    def get(self, url: str, *, limit: int, accept: str = "*/*", named_by: str = "") -> Reply:
        """Fetch one address; a cached answer is used only after the server confirmed it.

        A confirmed answer may be the very object that was returned before.

        Args:
            url: an http or https URL.
            limit: the most bytes the decoded body may have.
            accept: the `Accept` header.
            named_by: the page that names the address, which may not lead anywhere (see `reach`); empty for
                an address of the user's.

        Raises:
            UnreachableError: nothing answered, too late, or 5xx; one line that names the address.
            UpstreamError: it sent too much, too many redirects, or the address or a redirect is refused.
        """
        key = f"{accept}\n{url}"
        stored = self._recall(key, url) if self.cache is not None else None
        conditions = _conditions(stored) if stored is not None else {}
        reply = self._get(url, limit, {"Accept": accept, **conditions}, named_by)
        if reply.status == 304 and stored is not None and len(stored.body) <= limit:
            self._recent.put(key, stored, len(stored.body))
            return stored
        if reply.status == 304:
            return self._get(url, limit, {"Accept": accept}, named_by)
        if self.cache is not None and reply.status == 200 and reply.url == url and _conditions(reply):
            self._remember(key, reply)
        return reply

    def download(self, url: str, file: BinaryIO, *, limit: int, named_by: str = "") -> Reply:
        """Write what an address holds to `file`, and return the answer without its body.

        Nothing is written when the status is not 200. The cache is not asked.

        Args:
            url: an http or https URL.
            file: open for writing; what it holds after an error is of no use.
            limit: the most bytes the address may send.
            named_by: as `get` takes it.

        Raises:
            UnreachableError: nothing answered, 5xx, or it took longer than 1 MB a second would.
            UpstreamError: it sent too much, too many redirects, or one that is refused.
        """
        return self._get(url, limit, _IDENTITY, named_by, file)

    def get_range(
        self, url: str, wanted: WantedRange, *, etag: str | None = None, named_by: str = ""
    ) -> ByteRange | None:
        """Fetch a part of a file; the cache is not asked.

        Args:
            url: an http or https URL.
            wanted: which part.
            etag: what the file's entity tag must still be.
            named_by: as `get` takes it.

        Returns:
            The part, or the whole file where that is small; None when the server does not do ranges (it is
            not read further then) or the file has another tag.

        Raises:
            UnreachableError: nothing answered, too late, or 5xx.
            UpstreamError: there is no such file, or what came is not the part asked for (`RangeError`).
        """
        headers = {**_IDENTITY, "Range": wanted.header}
        if etag is not None:
            headers["If-Range"] = etag
        try:
            # Redirects and refusals have bodies too, which a short part's length would not allow for.
            reply = self._get(url, max(wanted.length, CHUNK), headers, named_by)
        except TooLargeError as error:
            if error.status != 200:
                raise
            return None
        return read_range(wanted, printable(url), reply.status, reply.headers, reply.body)

    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        named_by: str = "",
    ) -> Stream:
        """Ask for a file and return the answer, whose body arrives piece by piece; the cache is not asked.

        Args:
            url: an http or https URL.
            method: `GET` or `HEAD`.
            headers: further request headers, as `Range`.
            named_by: as `get` takes it.

        Returns:
            The answer, to be used as a context manager; never a redirect, any other status below 500.

        Raises:
            UnreachableError: nothing answered, or 5xx.
            UpstreamError: too many redirects, or one that is refused.
        """
        deadline = time.monotonic() + 4 * self._timeout
        return self._follow(url, {**_IDENTITY, **(headers or {})}, deadline, named_by, method)

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def _get(
        self, url: str, limit: int, headers: Mapping[str, str], named_by: str, file: BinaryIO | None = None
    ) -> Reply:
        deadline = time.monotonic() + 4 * self._timeout + (limit / 1e6 if file is not None else 0)
        wanted = {"Accept-Encoding": "gzip, deflate", **headers}
        with self._follow(url, wanted, deadline, named_by) as stream:
            body = io.BytesIO() if file is None or stream.status != 200 else file
            stream.copy(body, limit=limit, deadline=deadline, decode="Range" not in headers)
        content = body.getvalue() if isinstance(body, io.BytesIO) else b""
        return Reply(stream.url, stream.status, stream.headers, content)

    def _follow(
        self, url: str, headers: Mapping[str, str], deadline: float, named_by: str, method: str = "GET"
    ) -> Stream:
        wanted = {
            "User-Agent": f"variant-index/{__version__}",
            # What pip asks of proxies and caches: a page must not hide a new release.
            "Cache-Control": "max-age=0",
            **headers,
        }
        if "@" in url:
            # A link with a login in it is the index's doing; it is not ours to send or to show.
            url, _ = split_login(url)
        address, home = url, True
        for _ in range(_MAX_REDIRECTS + 1):
            reach = self._reach(named_by or url, address)
            stream = self._ask(method, address, wanted, deadline, reach, with_login=home)
            if stream.status not in _REDIRECTS:
                return stream
            self._discard(stream, deadline)
            target = _redirect_target(stream)
            if urlsplit(address).scheme == "https" and urlsplit(target).scheme != "https":
                raise UpstreamError(f"{printable(url)} redirects from https to {printable(target)}, refused")
            # Who was redirected to another server carries no login any more, not even that server's own.
            home = home and origin(target) == origin(url)
            address = target
        raise UpstreamError(f"{printable(url)} redirects more than {_MAX_REDIRECTS} times")

    def _reach(self, named_by: str, address: str) -> Reach | None:
        """Return how near the host is that leads us to an address; None where it is the address's own."""
        host = urlsplit(named_by).hostname
        if host == urlsplit(address).hostname:
            return None
        reach = self._reaches.get(host)
        if reach is None:
            reach = self._reaches[host] = reach_of(named_by)
        return reach

    def _ask(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        deadline: float,
        reach: Reach | None,
        *,
        with_login: bool,
    ) -> Stream:
        login = self.credentials.login(address) if with_login else None
        stream = self._send(method, address, headers, login, reach)
        if stream.status == 401 and with_login:
            other = self.credentials.after_refusal(address, login)
            if other is not None:
                self._discard(stream, deadline)
                stream = self._send(method, address, headers, other, reach)
        if stream.status >= 500 and not ("Range" in headers and stream.status == 501):
            stream.close()
            raise UnreachableError(
                f"{printable(address)} answered {stream.status} {printable(stream.reason)}"
            )
        return stream

    def _send(
        self, method: str, address: str, headers: Mapping[str, str], login: Login | None, reach: Reach | None
    ) -> Stream:
        sent = headers if login is None else {**headers, "Authorization": login.header()}
        started, status = time.monotonic(), 0
        try:
            stream = Stream(address, self._connections.send(method, address, sent, reach), 4 * self._timeout)
            status = stream.status
        finally:
            if self.watch is not None:
                self.watch(status, time.monotonic() - started)
        return stream

    def _discard(self, stream: Stream, deadline: float) -> None:
        """Read what nobody wants, so that the connection can be used again; not if it is much."""
        with stream:
            stream.copy(io.BytesIO(), limit=CHUNK, deadline=deadline, decode=False)

    def _recall(self, key: str, url: str) -> Reply | None:
        assert self.cache is not None
        if (recent := self._recent.get(key)) is not None:
            return recent
        data = self.cache.get(key)
        if data is None:
            return None
        head, _, body = data.partition(b"\n")
        return Reply(url, 200, json.loads(head), body)

    def _remember(self, key: str, reply: Reply) -> None:
        assert self.cache is not None
        if "no-store" not in reply.headers.get("cache-control", ""):
            head = json.dumps({name: reply.headers[name] for name in _KEPT if name in reply.headers})
            self.cache.put(key, head.encode() + b"\n" + reply.body)
            self._recent.put(key, reply, len(reply.body))


def _conditions(reply: Reply) -> dict[str, str]:
    """Return the request headers that ask whether an answer still holds, none when it cannot be asked."""
    pairs = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
    return {header: reply.headers[name] for name, header in pairs if reply.headers.get(name)}


def _redirect_target(reply: Stream) -> str:
    location = reply.headers.get("location", "")
    try:
        target = urljoin(reply.url, location)
        parts = urlsplit(target)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        usable, target = False, location
    if not location or not usable:
        raise UpstreamError(f"{printable(reply.url)} redirects to {printable(location)!r}, refused")
    return target

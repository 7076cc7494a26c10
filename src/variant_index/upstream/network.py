"""HTTP for reading indexes: one pool, one TLS context, and limits on time, size and redirects."""

from __future__ import annotations

import io
import ipaddress
import json
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    HTTPError,
    LocationValueError,
    MaxRetryError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.util import Retry, Timeout

from variant_index import __version__
from variant_index.errors import UpstreamError, printable
from variant_index.upstream.byte_range import ByteRange, WantedRange, read_range
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.connections import make_pool, tls_context, unchecked_context

__all__ = ["Network", "Reply", "UnreachableError"]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 16
_KEPT: Final = ("content-type", "etag", "last-modified")
# Short: every project of a run comes through here, and a dead index must not cost a minute each.
_RETRY: Final = Retry(
    total=2,
    connect=2,
    read=1,
    redirect=False,
    status=2,
    status_forcelist=(502, 503, 504),
    backoff_factor=0.2,
    backoff_max=2,
    respect_retry_after_header=False,
    raise_on_status=False,
)


class UnreachableError(UpstreamError):
    """A server is down for now: no connection, no complete answer in time, or a 5xx."""


class _TooLargeError(UpstreamError):
    """An answer has more bytes than were wanted of it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


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

        Raises:
            SourceError: `cert` cannot be read or `proxy` is not a URL.
        """
        self._proxy = proxy
        self._environment = urllib.request.getproxies() if proxy is None else {}
        self._trusted_hosts = frozenset(trusted_hosts)
        self._timeout = timeout
        self.cache = cache
        self._contexts = {False: tls_context(cert)}
        self._pools: dict[tuple[str | None, bool], urllib3.PoolManager] = {}
        self._pool(proxy, insecure=False)

    def get(self, url: str, *, limit: int, accept: str = "*/*") -> Reply:
        """Fetch one address; a cached answer is used only after the server confirmed it.

        Args:
            url: an http or https URL.
            limit: the most bytes the decoded body may have.
            accept: the `Accept` header.

        Raises:
            UnreachableError: nothing answered, too late, or 5xx; one line that names the address.
            UpstreamError: it sent too much, too many redirects, or one that is refused.
        """
        key = f"{accept}\n{url}"
        stored = self._recall(key, url) if self.cache is not None else None
        conditions = _conditions(stored) if stored is not None else {}
        reply = self._get(url, limit, {"Accept": accept, **conditions})
        if reply.status == 304 and stored is not None and len(stored.body) <= limit:
            return stored
        if reply.status == 304:
            return self._get(url, limit, {"Accept": accept})
        if self.cache is not None and reply.status == 200 and reply.url == url and _conditions(reply):
            self._remember(key, reply)
        return reply

    def download(self, url: str, file: BinaryIO, *, limit: int) -> Reply:
        """Write what an address holds to `file`, and return the answer without its body.

        Nothing is written when the status is not 200. The cache is not asked.

        Args:
            url: an http or https URL.
            file: open for writing; what it holds after an error is of no use.
            limit: the most bytes the address may send.

        Raises:
            UnreachableError: nothing answered, 5xx, or it took longer than 1 MB a second would.
            UpstreamError: it sent too much, too many redirects, or one that is refused.
        """
        return self._get(url, limit, {"Accept": "*/*", "Accept-Encoding": "identity"}, file)

    def get_range(self, url: str, wanted: WantedRange, *, etag: str | None = None) -> ByteRange | None:
        """Fetch a part of a file; the cache is not asked.

        Args:
            url: an http or https URL.
            wanted: which part.
            etag: what the file's entity tag must still be.

        Returns:
            The part, or the whole file where that is small; None when the server does not do ranges (it is
            not read further then) or the file has another tag.

        Raises:
            UnreachableError: nothing answered, too late, or 5xx.
            UpstreamError: there is no such file, or what came is not the part asked for (`RangeError`).
        """
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "Range": wanted.header}
        if etag is not None:
            headers["If-Range"] = etag
        try:
            # Redirects and refusals have bodies too, which a short part's length would not allow for.
            reply = self._get(url, max(wanted.length, _CHUNK), headers)
        except _TooLargeError as error:
            if error.status != 200:
                raise
            return None
        return read_range(wanted, printable(url), reply.status, reply.headers, reply.body)

    def _get(self, url: str, limit: int, headers: Mapping[str, str], file: BinaryIO | None = None) -> Reply:
        allowed = 4 * self._timeout + (limit / 1e6 if file is not None else 0)
        deadline = time.monotonic() + allowed
        wanted = {
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"variant-index/{__version__}",
            # What pip asks of proxies and caches: a page must not hide a new release.
            "Cache-Control": "max-age=0",
            **headers,
        }
        address = url
        for _ in range(_MAX_REDIRECTS + 1):
            reply = self._get_once(address, wanted, limit, deadline, file)
            if reply.status not in _REDIRECTS:
                return reply
            target = _redirect_target(reply)
            if urlsplit(address).scheme == "https" and urlsplit(target).scheme != "https":
                raise UpstreamError(f"{printable(url)} redirects from https to {printable(target)}, refused")
            address = target
        raise UpstreamError(f"{printable(url)} redirects more than {_MAX_REDIRECTS} times")

    def _recall(self, key: str, url: str) -> Reply | None:
        assert self.cache is not None
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

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

    def _get_once(
        self,
        address: str,
        headers: Mapping[str, str],
        limit: int,
        deadline: float,
        file: BinaryIO | None = None,
    ) -> Reply:
        shown = printable(address)
        self._refuse_insecure(address)
        try:
            response = self._pool_for(address).urlopen(
                "GET",
                address,
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=_RETRY,
                timeout=Timeout(connect=self._timeout, read=self._timeout),
            )
        except (HTTPError, LocationValueError, UnicodeError) as error:
            raise UnreachableError(f"{shown}: {_cause(error)}") from None
        try:
            in_part = "Range" in headers
            if response.status >= 500 and not (in_part and response.status == 501):
                reason = printable(response.reason or "")
                raise UnreachableError(f"{shown} answered {response.status} {reason}")
            body = io.BytesIO() if file is None or response.status != 200 else file
            size, start = 0, time.monotonic()
            while chunk := response.read1(_CHUNK, decode_content=not in_part):
                size += len(chunk)
                if size > limit:
                    raise _TooLargeError(
                        f"{shown} sends more than {_megabytes(limit)}, refused", response.status
                    )
                if time.monotonic() > deadline:
                    raise UnreachableError(f"{shown} took longer than {deadline - start:.0f} s, given up")
                body.write(chunk)
            found = {name.lower(): value for name, value in response.headers.items()}
            content = body.getvalue() if isinstance(body, io.BytesIO) else b""
            return Reply(address, response.status, found, content)
        except (HTTPError, OSError) as error:
            raise UnreachableError(f"{shown}: {_cause(error)}") from None
        finally:
            # One that was read to its end is back in the pool; any other must not be used again.
            response.close()

    def _refuse_insecure(self, address: str) -> None:
        """Hold to pip's rule: plain http only on this machine, or where the user says so."""
        parts = urlsplit(address)
        if parts.scheme != "https" and not _is_loopback(parts.hostname or "") and not self._is_trusted(parts):
            host = printable(parts.netloc)
            raise UpstreamError(
                f"{printable(address)}: plain http can be tampered with; use https, or --trusted-host {host}"
            )

    def _is_trusted(self, parts: SplitResult) -> bool:
        return not self._trusted_hosts.isdisjoint((parts.hostname or "", parts.netloc))

    def _pool_for(self, address: str) -> urllib3.PoolManager:
        parts = urlsplit(address)
        insecure = self._is_trusted(parts)
        proxy = self._proxy
        if proxy is None and not urllib.request.proxy_bypass(parts.netloc):
            proxy = self._environment.get(parts.scheme) or self._environment.get("all")
        return self._pool(proxy, insecure=insecure)

    def _pool(self, proxy: str | None, *, insecure: bool) -> urllib3.PoolManager:
        pool = self._pools.get((proxy, insecure))
        if pool is None:
            context = self._contexts.get(insecure) or self._contexts.setdefault(insecure, unchecked_context())
            pool = make_pool(proxy, context)
            pool = self._pools.setdefault((proxy, insecure), pool)
        return pool


def _conditions(reply: Reply) -> dict[str, str]:
    """Return the request headers that ask whether an answer still holds, none when it cannot be asked."""
    pairs = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
    return {header: reply.headers[name] for name, header in pairs if reply.headers.get(name)}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _redirect_target(reply: Reply) -> str:
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


def _cause(error: Exception) -> str:
    """Say in few words what went wrong; urllib3 wraps its reasons several times."""
    cause: BaseException = error
    if isinstance(cause, MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    before = after = ""
    if isinstance(cause, ProxyError):
        before, cause = "no connection through the proxy: ", cause.original_error
    if isinstance(cause, SSLError):
        after = " (name your certificates with --cert or SSL_CERT_FILE)"
    text = (
        cause.args[0] if isinstance(cause, ProtocolError) and cause.args else str(cause).rpartition("): ")[2]
    )
    return before + printable(str(text) or type(cause).__name__) + after


def _megabytes(limit: int) -> str:
    return f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit} bytes"

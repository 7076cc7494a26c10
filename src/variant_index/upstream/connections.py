"""Connections to servers: proxies, TLS and patience as pip has them; every failure is one line."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.util import Retry, Timeout, make_headers

from variant_index.errors import UpstreamError, printable
from variant_index.upstream.reach import Reach, allowed_addresses, literal_reach, refusal
from variant_index.upstream.source import SourceError

__all__ = ["Connections", "UnreachableError", "cause"]


class UnreachableError(UpstreamError):
    """A server is down for now: no connection, no complete answer in time, or a 5xx."""


class _Retry(Retry):
    """Asks again, but not where connecting took its whole time: it would do so again."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> _Retry:
        if isinstance(error, ConnectTimeoutError):
            raise MaxRetryError(_pool, url or "", error)
        return super().increment(method, url, response, error, _pool, _stacktrace)


# Short: every project of a run comes through here, and a dead index must not cost a minute each.
_RETRY: Final = _Retry(
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


class Connections:
    """Pools of connections, direct and through proxies; safe to share between threads."""

    def __init__(
        self,
        cert: str | None,
        client_cert: str | None,
        proxy: str | None,
        trusted_hosts: tuple[str, ...],
        timeout: float,
    ) -> None:
        """Make the pools; the arguments are those of `Network`."""
        self._proxy = proxy
        self._environment = urllib.request.getproxies() if proxy is None else {}
        self._trusted_hosts = frozenset(trusted_hosts)
        self._timeout = timeout
        self._client_cert = client_cert
        self._contexts = {False: _tls_context(cert, client_cert)}
        self._pools: dict[tuple[str | None, bool, Reach | None], urllib3.PoolManager] = {}
        self._pool(proxy, insecure=False, reach=None)

    def send(
        self, method: str, address: str, headers: Mapping[str, str], reach: Reach | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the answer's head; its body is still to be read.

        Args:
            method: the HTTP method.
            address: an http or https URL.
            headers: what to send with it.
            reach: how near the host is that named the address; None for one that the user named.

        Raises:
            UnreachableError: nothing answered.
            UpstreamError: it would go over plain http to another machine that the user does not trust, or
                to a host that `reach` does not lead to (`RefusedAddressError`).
        """
        self._refuse_insecure(address)
        try:
            return self._pool_for(address, reach).urlopen(
                method,
                address,
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=_RETRY,
                timeout=Timeout(connect=self._timeout, read=self._timeout),
            )
        except (HTTPError, LocationValueError, UnicodeError) as error:
            raise UnreachableError(f"{printable(address)}: {cause(error)}") from None

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

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

    def _pool_for(self, address: str, reach: Reach | None) -> urllib3.PoolManager:
        parts = urlsplit(address)
        insecure = self._is_trusted(parts)
        proxy = self._proxy
        if proxy is None and not urllib.request.proxy_bypass(parts.netloc):
            proxy = self._environment.get(parts.scheme) or self._environment.get("all")
        if proxy is not None and reach is not None:
            # The proxy resolves names, so they can be judged only as far as they are addresses.
            host = parts.hostname or ""
            near = literal_reach(host)
            if near is not None and not reach.leads_to(near):
                raise refusal(host)
            reach = None
        return self._pool(proxy, insecure=insecure, reach=reach)

    def _pool(self, proxy: str | None, *, insecure: bool, reach: Reach | None) -> urllib3.PoolManager:
        pool = self._pools.get((proxy, insecure, reach))
        if pool is None:
            context = self._contexts.get(insecure)
            if context is None:
                context = self._contexts.setdefault(insecure, _unchecked_context(self._client_cert))
            pool = _make_pool(proxy, context)
            if reach is not None:
                pool.pool_classes_by_scheme = _guarded_pools(reach)
            pool = self._pools.setdefault((proxy, insecure, reach), pool)
        return pool


def cause(error: Exception) -> str:
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _make_pool(proxy: str | None, context: ssl.SSLContext) -> urllib3.PoolManager:
    """Return the connections through a proxy, or direct ones.

    Raises:
        SourceError: `proxy` is no http or https URL.
    """
    if proxy is None:
        return urllib3.PoolManager(num_pools=32, maxsize=32, ssl_context=context)
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # Not shown: it may hold a password.
        raise SourceError("the proxy is not named by an http or https URL")
    headers = None
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers = make_headers(proxy_basic_auth=user)
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return urllib3.ProxyManager(
        address,
        num_pools=32,
        maxsize=32,
        proxy_headers=headers,
        ssl_context=context,
        proxy_ssl_context=context,
    )


def _guarded_pools(reach: Reach) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Return pools whose connections go only to addresses that a host this near may lead to."""

    class Plain(_GuardedConnection):
        within = reach

    class Encrypted(_GuardedConnection, HTTPSConnection):
        within = reach

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


class _GuardedConnection(HTTPConnection):
    """Connects to one of the checked addresses, by its number."""

    within: Reach

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        failure: HTTPError | None = None
        try:
            for address in allowed_addresses(name, self.within) or [name]:
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failure = failure or error
        finally:
            self._dns_host = name
        assert failure is not None
        raise failure


def _tls_context(cert: str | None, client_cert: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if cert is not None:
        # As pip does it: the given certificates instead of the system's.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if Path(cert).is_dir():
                context.load_verify_locations(capath=cert)
            else:
                context.load_verify_locations(cafile=cert)
        except (OSError, ssl.SSLError) as error:
            raise SourceError(f"{printable(cert)}: not readable as certificates: {error.strerror}") from None
    _load_client_cert(context, client_cert)
    return context


def _unchecked_context(client_cert: str | None) -> ssl.SSLContext:
    # The user asked for it; a warning for each request would bury everything else.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _load_client_cert(context, client_cert)
    return context


def _load_client_cert(context: ssl.SSLContext, file: str | None) -> None:
    if file is None:
        return
    asked = []

    def password() -> bytes:
        asked.append(True)
        return b""  # else OpenSSL would ask on the terminal

    try:
        context.load_cert_chain(file, password=password)
    except (OSError, ssl.SSLError) as error:
        why = "its key is encrypted" if asked else error.strerror or "not PEM"
        raise SourceError(
            f"{printable(file)}: not usable as a client certificate: {why};"
            f" it must hold the key without a passphrase, and the certificate"
        ) from None

"""Pools of connections and TLS contexts, made as pip makes them."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.util import make_headers

from variant_index.errors import printable
from variant_index.upstream.source import SourceError

__all__ = ["make_pool", "tls_context", "unchecked_context"]


def make_pool(proxy: str | None, context: ssl.SSLContext) -> urllib3.PoolManager:
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


def tls_context(cert: str | None) -> ssl.SSLContext:
    """Return a context that trusts a file or folder of certificates, or with None the system's.

    Raises:
        SourceError: the certificates cannot be read.
    """
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
    return context


def unchecked_context() -> ssl.SSLContext:
    """Return a context that takes any certificate, for hosts that the user trusts."""
    # The user asked for it; a warning for each request would bury everything else.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

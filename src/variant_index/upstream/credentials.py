"""Which login goes to which address: from the URLs of sources, netrc, and the keyring.

A login is only ever sent to the origin (scheme, host, port) that it belongs to. The order is pip's: the
source's URL, netrc, then, once a server has answered 401, the keyring.
See https://pip.pypa.io/en/stable/topics/authentication/.
"""

from __future__ import annotations

import netrc
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from variant_index.errors import printable
from variant_index.upstream.keyring import Keyring
from variant_index.upstream.login import Login, Origin, origin
from variant_index.upstream.source import Source

__all__ = ["Credentials", "read_netrc"]


class Credentials:
    """The logins of one run; safe to share between threads."""

    def __init__(
        self,
        sources: Iterable[Source] = (),
        *,
        environment: Mapping[str, str] | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        """Prepare; netrc is read when the first address is asked for.

        Args:
            sources: the user's; only their servers can make a keyring be asked.
            environment: where `NETRC` and the home folder are looked up; None for no netrc.
            keyring: how the keyring is asked; None for not at all.
        """
        self._sources = tuple((source, at) for source in sources if (at := origin(source.url)) is not None)
        self._environment = environment
        self._keyring = keyring
        self._lock = threading.Lock()
        self._netrc: tuple[netrc.netrc | None, str | None] | None = None
        self._found: dict[str, Login | None] = {}

    def login(self, url: str) -> Login | None:
        """Return the login to send along with the first request for an address, None for none."""
        at = origin(url)
        if at is None:
            return None
        source = self._source(url, at)
        own = None if source is None else source.login
        if own is not None and own.password is not None:
            return own
        with self._lock:
            found = None if source is None else self._found.get(source.url)
        return found or self._netrc_entry(at[1], default=False) or own

    def after_refusal(self, url: str, refused: Login | None) -> Login | None:
        """Return another login to try where a server of the user's answered 401, None when there is none.

        Args:
            url: the address.
            refused: the login that was sent.
        """
        at = origin(url)
        source = None if at is None else self._source(url, at)
        if at is None or source is None or (source.login is not None and source.login.password is not None):
            return None
        with self._lock:
            if source.url not in self._found:
                entry = self._netrc_entry(at[1], default=True)
                self._found[source.url] = entry if entry not in (None, refused) else self._ask_keyring(source)
            found = self._found[source.url]
        return found if found != refused else None

    def remedy(self, url: str) -> str:
        """Say in few words what to do where a server refuses an address, and why netrc was not read."""
        _, problem = self._read_netrc()
        ways = "put the login into the index's URL, ~/.netrc or the keyring"
        if self.login(url) is not None:
            ways = "the login for it was not accepted"
        return ways if problem is None else f"{ways}; {problem}"

    def _source(self, url: str, at: Origin) -> Source | None:
        """Return the source on the same server that has most of its path in common with an address."""
        same = (source for source, other in self._sources if other == at)
        return max(same, key=lambda source: _common(source.url, url), default=None)

    def _ask_keyring(self, source: Source) -> Login | None:
        if self._keyring is None:
            return None
        user = source.login.user if source.login is not None else None
        for service in (source.url, urlsplit(source.url).netloc):
            if (login := self._keyring.find(service, user)) is not None:
                return login
        return None

    def _netrc_entry(self, host: str, *, default: bool) -> Login | None:
        """Return netrc's entry for a host; its `default` entry is for servers that ask only."""
        entries, _ = self._read_netrc()
        if entries is None or not (default or host in entries.hosts):
            return None
        found = entries.authenticators(host)
        return None if found is None else Login(found[0] or found[1] or "", found[2] or "")

    def _read_netrc(self) -> tuple[netrc.netrc | None, str | None]:
        if self._netrc is None:
            self._netrc = (None, None) if self._environment is None else read_netrc(self._environment)
        return self._netrc


def read_netrc(environment: Mapping[str, str]) -> tuple[netrc.netrc | None, str | None]:
    """Return the user's netrc file, and one line on why it cannot be read.

    Args:
        environment: `NETRC` names the file; else it is `.netrc` or `_netrc` in the home folder.
    """
    named = environment.get("NETRC")
    home = environment.get("HOME") or environment.get("USERPROFILE") or os.path.expanduser("~")  # noqa: PTH111
    places = [Path(named)] if named else [Path(home, ".netrc"), Path(home, "_netrc")]
    for place in places:
        if not place.is_file():
            continue
        try:
            return netrc.netrc(str(place)), None
        except netrc.NetrcParseError as error:
            # Not the parser's message: it may quote a password.
            return None, f"{printable(str(place))}, line {error.lineno}, is not in netrc's format"
        except (OSError, UnicodeDecodeError):
            return None, f"{printable(str(place))} cannot be read"
    return None, None


def _common(one: str, other: str) -> int:
    """Return how many parts at the beginning of their paths two URLs have in common."""
    pairs = zip(urlsplit(one).path.split("/"), urlsplit(other).path.split("/"), strict=False)
    count = 0
    for left, right in pairs:
        if left != right:
            break
        count += 1
    return count

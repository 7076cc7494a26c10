"""The providers that this user trusts, kept in one file that only the user may write."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from variant_index.errors import printable
from variant_index.model.validation import first_rule
from variant_index.providers.failure import ProviderError
from variant_index.providers.folder import TRUSTED
from variant_index.providers.request import PLUGIN_API

try:
    import fcntl
except ModuleNotFoundError:  # Windows: two processes at once are not noticed there
    fcntl = None  # type: ignore[assignment]

__all__ = ["TrustedProvider", "locked", "read_remembered", "write_remembered"]

_LOCK: Final = "lock"
_MAX_BYTES: Final = 1 << 20

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=200)]
_Version = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=100)]
_Hash = Annotated[str, StringConstraints(pattern=r"^sha(256|384|512):[0-9a-f]{64,128}$")]
_Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=100)]
_Api = Annotated[str, StringConstraints(pattern=PLUGIN_API)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PinnedFile(_Strict):
    """One distribution of an environment, as it was pinned."""

    name: _Name
    version: _Version
    hashes: Annotated[list[_Hash], Field(min_length=1)]


class TrustedProvider(_Strict):
    """One provider that the user trusts.

    Attributes:
        name: the distribution's normal name.
        version: its version.
        namespaces: namespace -> where its plugin is.
        pins: everything in its environment.
        environment: the key of its environment.
        loader: the key of the environment with the loader.
    """

    name: _Name
    version: _Version
    namespaces: Annotated[dict[_Namespace, _Api], Field(min_length=1)]
    pins: Annotated[list[PinnedFile], Field(min_length=1)]
    environment: _Key
    loader: _Key

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class _Document(_Strict):
    version: Literal[1]
    providers: list[TrustedProvider]

    @model_validator(mode="after")
    def _one_each(self) -> _Document:
        names = [one.name for one in self.providers]
        namespaces = [namespace for one in self.providers for namespace in one.namespaces]
        if len(set(names)) != len(names) or len(set(namespaces)) != len(namespaces):
            raise ValueError("providers: a name or a namespace is listed twice")
        return self


def read_remembered(root: Path) -> tuple[TrustedProvider, ...]:
    """Return the providers that are trusted, by name; none where there is no file.

    Raises:
        ProviderError: the file is damaged, or others may have written it.
    """
    path = root / TRUSTED
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            _check_owner(os.fstat(file.fileno()), shown)
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ProviderError(f"{shown}: cannot be read: {error.strerror}") from None
    try:
        if len(data) > _MAX_BYTES:
            raise ProviderError(f"{shown}: is larger than {_MAX_BYTES} bytes")
        found = _Document.model_validate_json(data)
    except ValidationError as error:
        raise ProviderError(
            f"{shown}: is not the list of trusted providers: {first_rule(error, _Document)}; delete it and "
            "trust them again"
        ) from None
    return tuple(sorted(found.providers, key=lambda one: one.name))


def write_remembered(root: Path, providers: Sequence[TrustedProvider]) -> None:
    """Write the file whole or not at all, for nobody else to read; the caller must hold the lock.

    Raises:
        OSError: it cannot be written.
    """
    document = _Document(version=1, providers=sorted(providers, key=lambda one: one.name))
    descriptor, temporary = tempfile.mkstemp(prefix=f".{TRUSTED}-", dir=root)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(document.model_dump_json(indent=2) + "\n")
        Path(temporary).replace(root / TRUSTED)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(root: Path, timeout: float) -> Iterator[None]:
    """Keep others from changing what is trusted while the block runs; the folder is made when missing.

    The lock ends with the process, so nothing can go stale.

    Raises:
        ProviderError: another process changes it for longer than `timeout` seconds.
        OSError: the folder cannot be made or opened.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout
        while fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ProviderError(
                        f"{printable(str(root))}: another process is installing a provider; try again later"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _check_owner(found: os.stat_result, shown: str) -> None:
    """Refuse what another user may have written: what it names is run."""
    if os.name == "posix" and (found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022):
        raise ProviderError(
            f"{shown}: belongs to another user or is writable for others, so it is not trusted; set "
            "VARIANT_INDEX_PROVIDERS=off to go on without providers"
        )

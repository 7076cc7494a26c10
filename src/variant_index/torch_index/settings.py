"""What the user says about PyTorch's index: options before environment variables before defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from variant_index.errors import InputError, printable
from variant_index.selection.preference import Preference
from variant_index.torch_index.backends import Backend, parse_backend, parse_backends
from variant_index.upstream.source import Source

__all__ = ["DEFAULT_TORCH_INDEX", "VARIABLES", "TorchSettings", "TorchSettingsError", "torch_settings"]

DEFAULT_TORCH_INDEX: Final = "https://download.pytorch.org/whl"

_INDEX: Final = "VARIANT_INDEX_TORCH_INDEX"
_BACKENDS: Final = "VARIANT_INDEX_TORCH_BACKENDS"
_PREFER: Final = "VARIANT_INDEX_PREFER"
_UNHASHED: Final = "VARIANT_INDEX_ALLOW_UNHASHED"

VARIABLES: Final = (_INDEX, _BACKENDS, _PREFER, _UNHASHED)
"""The environment variables that are read here."""

_OFF: Final = "off"


class TorchSettingsError(InputError):
    """An option or variable about PyTorch's index cannot be understood."""


@dataclass(frozen=True, slots=True)
class TorchSettings:
    """What is in effect.

    Attributes:
        source: the folder above the backend folders; None when the torch family comes from the user's index.
        backends: the folders to read; empty for those that PyTorch has.
        prefer: `hardware` or `version`, for all projects.
        allow_unhashed: whether wheels that PyTorch's index lists without a hash may be used.
    """

    source: Source | None = None
    backends: tuple[Backend, ...] = ()
    prefer: Preference = "hardware"
    allow_unhashed: bool = False


def torch_settings(
    environment: Mapping[str, str],
    *,
    torch_index: str | None = None,
    prefer: str | None = None,
    own_index: bool = False,
) -> TorchSettings:
    """Return the settings in effect.

    Args:
        environment: the variables `VARIANT_INDEX_TORCH_INDEX` (a URL, a folder or `off`),
            `VARIANT_INDEX_TORCH_BACKENDS` (folders such as `cu126,cpu`), `VARIANT_INDEX_PREFER` (`hardware`
            or `version`) and `VARIANT_INDEX_ALLOW_UNHASHED` (`1`).
        torch_index: the option, which comes before the variable.
        prefer: the option, which comes before the variable.
        own_index: whether the user named an index on the command line: then the torch family comes from
            there, unless PyTorch's index is named as well.

    Raises:
        TorchSettingsError: a value cannot be understood.
        BackendError: a folder is not a backend's.
        SourceError: the index is not an address that can be read.
    """
    named = torch_index or environment.get(_INDEX) or (_OFF if own_index else DEFAULT_TORCH_INDEX)
    wanted = prefer or environment.get(_PREFER) or "hardware"
    if wanted not in get_args(Preference):
        raise TorchSettingsError(f"{_PREFER} is {printable(wanted)!r}; it can be hardware or version")
    unhashed = environment.get(_UNHASHED) or "0"
    if unhashed not in ("0", "1"):
        raise TorchSettingsError(f"{_UNHASHED} is {printable(unhashed)!r}; it can be 1 or 0")
    return TorchSettings(
        None if named.lower() == _OFF else _source(named),
        parse_backends(environment.get(_BACKENDS, "")),
        "hardware" if wanted == "hardware" else "version",
        unhashed == "1",
    )


def _source(named: str) -> Source:
    folder = named.rstrip("/").rpartition("/")[2]
    if parse_backend(folder) is not None:
        raise TorchSettingsError(
            f"PyTorch index {printable(named)}: name the folder above {folder};"
            f" to use only that backend, set {_BACKENDS}={folder}"
        )
    if "://" not in named:
        return Source(Path(named).expanduser().absolute().as_uri())
    return Source(named)

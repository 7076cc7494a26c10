"""What the user says about PyTorch's index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from variant_index.errors import InputError, printable
from variant_index.selection.preference import Preference
from variant_index.torch_index.backends import Backend, parse_backend, parse_backends
from variant_index.upstream.source import Source

__all__ = ["DEFAULT_TORCH_INDEX", "TorchSettings", "TorchSettingsError", "torch_settings"]

DEFAULT_TORCH_INDEX: Final = "https://download.pytorch.org/whl"

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
        allow_unhashed: whether files that an index elsewhere lists without a hash may be used, for all
            projects.
    """

    source: Source | None = None
    backends: tuple[Backend, ...] = ()
    prefer: Preference = "hardware"
    allow_unhashed: bool = False


def torch_settings(
    *,
    torch_index: str | None = None,
    backends: Sequence[str] = (),
    prefer: Preference = "hardware",
    allow_unhashed: bool = False,
    own_index: bool = False,
) -> TorchSettings:
    """Return the settings in effect.

    Args:
        torch_index: a URL, a folder or `off`; None where nobody named one.
        backends: folders such as `cu126`; empty for all.
        prefer: what comes first.
        allow_unhashed: whether wheels without a hash may be used.
        own_index: whether the user named an index on the command line: then the torch family comes from
            there, unless PyTorch's index is named as well.

    Raises:
        TorchSettingsError: the index cannot be understood.
        BackendError: a folder is not a backend's.
        SourceError: the index is not an address that can be read.
    """
    named = torch_index or (_OFF if own_index else DEFAULT_TORCH_INDEX)
    return TorchSettings(
        None if named.lower() == _OFF else _source(named),
        parse_backends(",".join(backends)),
        prefer,
        allow_unhashed,
    )


def _source(named: str) -> Source:
    folder = named.rstrip("/").rpartition("/")[2]
    if parse_backend(folder) is not None:
        raise TorchSettingsError(
            f"PyTorch index {printable(named)}: name the folder above {folder};"
            f" to use only that backend, set VARIANT_INDEX_TORCH_BACKENDS={folder}"
        )
    if "://" not in named:
        return Source(Path(named).expanduser().absolute().as_uri())
    return Source(named)

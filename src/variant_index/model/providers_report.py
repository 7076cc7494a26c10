"""What `variant-index providers` found and did."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from variant_index.model.machine import MachineProfile

__all__ = ["PinReport", "ProviderReport", "ProvidersReport"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PinReport(_Strict):
    """One distribution in a provider's environment.

    Attributes:
        name: its normal name.
        version: its version.
        hashes: the hashes its wheel may have, `sha256:HEX` and the like.
    """

    name: str
    version: str
    hashes: list[str]


class ProviderReport(_Strict):
    """One trusted provider.

    Attributes:
        name: the distribution's normal name.
        version: its version.
        namespaces: namespace that it answers for -> where its plugin is.
        pins: everything that is installed for it.
        environment: the folder it is installed in.
        answer: what it said this machine supports; null where it was not asked or gave none.
        error: why it gave no answer; null where it was not asked or answered.
    """

    name: str
    version: str
    namespaces: dict[str, str]
    pins: list[PinReport]
    environment: str
    answer: MachineProfile | None = None
    error: str | None = None


class ProvidersReport(_Strict):
    """What every form of `variant-index providers` prints with `--json`.

    Attributes:
        providers: those that are trusted and were asked about; after `forget` the one that no longer is.
    """

    providers: list[ProviderReport]

"""What `variant-index provenance --json` prints."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["AttestationReport", "FileProvenance", "ProvenanceReport"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AttestationReport(_Strict):
    """One attestation that holds.

    Attributes:
        kind: the predicate type of its statement.
        publisher: who of the policy made it: a repository, a workflow or an identity.
    """

    kind: str
    publisher: str


class FileProvenance(_Strict):
    """The outcome for one file.

    Attributes:
        file: its path as given.
        sha256: of its bytes, hexadecimal; null when it could not be read.
        object: the object beside it, null when there is none.
        attestations: those that hold; all of the object's when there is no error.
        error: why the file is not shown to come from who may build it, null when it is.
    """

    file: str
    sha256: str | None = None
    object: str | None = None
    attestations: list[AttestationReport] = []
    error: str | None = None


class ProvenanceReport(_Strict):
    """The outcome of one run.

    Attributes:
        files: one entry a file, in the order given.
    """

    files: list[FileProvenance]

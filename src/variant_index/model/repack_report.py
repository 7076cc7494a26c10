"""What `variant-index repack --json` prints, and the lines of the `repack.jsonl` that it keeps."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["RepackRecord", "RepackReport", "RepackedFile", "RepackedWheel"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RepackRecord(_Strict):
    """One line of `repack.jsonl`: where a wheel of the folder comes from. The last line of a wheel counts.

    Attributes:
        wheel: the wheel's file name.
        size: its size in bytes.
        mtime_ns: its time of modification in nanoseconds.
        plan: digest of what was decided: name, variants document and METADATA.
        source: the path of the original wheel as given on the command line, what is not printable escaped.
        source_size: its size in bytes.
        source_digest: SHA-256 of its RECORD and its zip directory, hexadecimal: these state the hash of every
            file in it and the place of every byte.
        source_sha256: the SHA-256 of all its bytes, null when they were not read (`--verify` does).
        boot: which run of the machine the wheel was written in, so that it may not have reached the disk in
            an earlier one; empty when it has reached it.
    """

    wheel: str
    size: int
    mtime_ns: int
    plan: str
    source: str
    source_size: int
    source_digest: str
    source_sha256: str | None = None
    boot: str = ""


class RepackedFile(_Strict):
    """A wheel that a source becomes.

    Attributes:
        path: where it is, or would be.
        name: the normal project name.
        version: its version as in the file name.
        label: the variant label, `""` for the plain wheel.
        properties: the variant's properties, each `namespace :: feature :: value`, sorted.
        changes: each changed requirement, `- old`, `+ new` or `old -> new`; the tags where WHEEL had others.
        state: `planned` (a dry run), `written`, or `done`: it was there already.
    """

    path: str
    name: str
    version: str
    label: str
    properties: list[str]
    changes: list[str]
    state: Literal["planned", "written", "done"]


class RepackedWheel(_Strict):
    """The outcome for one source.

    Attributes:
        source: the path.
        digest: SHA-256 of its RECORD and its zip directory, null when it could not be read.
        sha256: the SHA-256 of all its bytes, null when they were not read (`--verify` does).
        rules: the rule set that decided, null when none did.
        rule: the number of the rule in it, from 1; null when none did.
        files: what it becomes; empty when nothing.
        left_out: why a rule passes it over, null when none does.
        error: why nothing could be made of it, null when it could.
    """

    source: str
    digest: str | None = None
    sha256: str | None = None
    rules: str | None = None
    rule: int | None = None
    files: list[RepackedFile] = []
    left_out: str | None = None
    error: str | None = None


class RepackReport(_Strict):
    """The outcome of one run.

    Attributes:
        out: the folder with the new wheels.
        dry_run: whether nothing was written because nothing was to be.
        wheels: one entry a source, by path.
    """

    out: str
    dry_run: bool
    wheels: list[RepackedWheel]

"""Reads what repacking starts from: rules files, built-in rule sets, and the wheels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path

from variant_index.errors import InputError, located, printable
from variant_index.model.filename import FilenameError, WheelFilename
from variant_index.model.rules import RULES
from variant_index.model.settings import read_settings_file
from variant_index.publish.find import find_files
from variant_index.repack.plan import Refused, SourceWheel
from variant_index.repack.rules import RuleSet, parse_rules
from variant_index.wheel.archive import Archive
from variant_index.wheel.read import read_contents_and_record, read_wheel_file, refuse_broken

__all__ = [
    "BUILT_IN",
    "built_in_text",
    "find_wheels",
    "load_rules",
    "read_sources",
    "refusal_reason",
    "source_digest",
]

BUILT_IN = ("pytorch", "torch-extension", "cupy", "jax")
"""The rule sets that come with the package, in the order they are asked."""


_OTHER_TAGS = frozenset({"WHL206", "WHL208"})  # a rule may correct these


def built_in_text(name: str) -> bytes:
    """Return the TOML text of a built-in set."""
    assert name in BUILT_IN
    return resources.files("variant_index.repack").joinpath("schemes", f"{name}.toml").read_bytes()


def load_rules(wanted: Iterable[str] = ()) -> list[RuleSet]:
    """Return rule sets, all built-in ones when none is named.

    Args:
        wanted: names of built-in sets, and paths of rules files.

    Raises:
        RulesError: a rules file is wrong.
        SettingsError: a rules file cannot be read, or is not TOML.
    """
    return [
        parse_rules(built_in_text(name) if name in BUILT_IN else read_settings_file(Path(name)), name)
        for name in tuple(wanted) or BUILT_IN
    ]


def find_wheels(paths: Iterable[Path], out: Path) -> list[Path]:
    """Return the wheels in folders, to any depth, and those given by name; those in `out` are left out.

    Raises:
        InputError: a path does not exist or is no wheel, or there are no wheels.
    """
    paths = list(paths)
    for path in paths:
        if path.is_file() and path.suffix != ".whl":
            raise InputError(f"{printable(str(path))}: a wheel's name ends in .whl")
    found = sorted(path for path in find_files(paths, exclude=out) if path.suffix == ".whl")
    if not found:
        names = ", ".join(printable(str(path)) for path in paths)
        if any(path.resolve() == out.resolve() for path in paths):
            raise InputError(
                f"{names}: no wheels there but those in --out, which are not repacked again; give another"
            )
        raise InputError(f"{names}: no wheels there")
    return found


def read_sources(
    paths: Iterable[Path], on_file: Callable[[], object] | None = None
) -> tuple[list[SourceWheel], list[Refused]]:
    """Read the end of every wheel: its metadata, and whether it is one that can be published.

    Content is not read: `variant-index build` does that. A bad wheel does not stop the others.
    """
    sources, refused = [], []
    for path in paths:
        try:
            sources.append(_read(path))
        except InputError as error:
            refused.append(Refused(str(path), refusal_reason(error, path)))
        if on_file is not None:
            on_file()
    return sources, refused


def refusal_reason(error: InputError, path: Path) -> str:
    """Return why a wheel is refused, with its path, the rule's code and what to do."""
    text = located(str(error), str(path))
    return f"{text} ({error.rule}): {RULES[error.rule].remedy}" if error.rule in RULES else text


def _read(path: Path) -> SourceWheel:
    try:
        filename = WheelFilename.parse(path.name)
    except FilenameError as error:
        raise InputError(str(error)) from None
    with Archive(path) as archive:
        archive.check_framing()
        contents, (_, record) = read_contents_and_record(archive, filename)
        refuse_broken(contents, but=_OTHER_TAGS)
        other_tags = _OTHER_TAGS & {finding.code for finding in contents.findings}
        wheel_file = read_wheel_file(archive, contents.dist_info) if other_tags else None
        digest = source_digest(archive, record)
    folders = tuple(reversed(path.absolute().parts[1:-1]))
    return SourceWheel(
        str(path),
        folders,
        filename,
        contents.metadata,
        contents.size,
        digest,
        contents.dist_info,
        wheel_file,
        wrong_tags="WHL206" in other_tags,
    )


def source_digest(archive: Archive, record: bytes) -> str:
    """Return what a wheel is known by: the SHA-256 of its RECORD and its zip directory.

    RECORD states the hash of every file, so this stands for all bytes of a wheel that is what it says, and
    costs nothing; that it is, `variant-index build` and `repack --verify` see.
    """
    return hashlib.sha256(record + archive.directory).hexdigest()

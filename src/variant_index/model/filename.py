"""Names of distribution files, including wheels with a variant label (PEP 825, "File name")."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from packaging.tags import Tag

__all__ = [
    "FilenameError",
    "WheelFilename",
    "canonical_name",
    "escaped_name",
    "escaped_version",
    "is_label",
    "parse_sidecar_filename",
    "sidecar_filename",
]

SIDECAR_SUFFIX = "-variants.json"

# No file system we know stores a longer name; it also bounds what a hostile index can make us expand.
_MAX_LENGTH = 255

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._!+]*", re.ASCII)
_BUILD = re.compile(r"[0-9][A-Za-z0-9._]*", re.ASCII)
_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*", re.ASCII)
_LABEL = re.compile(r"[0-9a-z_.]+", re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")


class FilenameError(InputError):
    """A file name breaks the wheel file name rules."""

    rule = "WHL002"


def is_label(text: str) -> bool:
    """Tell whether `text` is a variant label: one or more of `0-9 a-z _ .` (PEP 825)."""
    return _LABEL.fullmatch(text) is not None


def canonical_name(name: str) -> str:
    """Return the normal form of a project name (PEP 503): `Foo.Bar_baz` -> `foo-bar-baz`."""
    return _SEPARATORS.sub("-", name).lower()


def escaped_name(name: str) -> str:
    """Return the project name as file names spell it: `Foo.Bar` -> `foo_bar`."""
    return _SEPARATORS.sub("_", name).lower()


def escaped_version(version: str) -> str:
    """Return the normalised version as file names spell it: `1.0-RC1` -> `1.0rc1`.

    Raises:
        FilenameError: `version` is not a version (PEP 440).
    """
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        raise FilenameError(f"'{printable(version)}' is not a version (PEP 440)") from None


@dataclass(frozen=True, slots=True)
class WheelFilename:
    """A wheel's file name, taken apart; every field is spelled as in the name.

    Attributes:
        distribution: the project name.
        version: the release's version, local part included.
        build: the build tag, `""` when there is none.
        python: the compressed Python tag set, for example `py2.py3`.
        abi: the compressed ABI tag set.
        platform: the compressed platform tag set.
        label: the variant label, `""` for a non-variant wheel.
    """

    distribution: str
    version: str
    build: str
    python: str
    abi: str
    platform: str
    label: str = ""

    @classmethod
    def parse(cls, filename: str) -> WheelFilename:
        """Take a wheel file name apart.

        A Python tag never begins with a digit and a build tag always does: that is what tells
        `-1-py3-none-any` (build) from `-py3-none-any-cu128` (label).

        Raises:
            FilenameError: the name is not that of a wheel, with the rule it breaks.
        """
        shown = printable(filename)
        if len(filename) > _MAX_LENGTH:
            raise FilenameError(f"{shown}: a file's name has at most {_MAX_LENGTH} characters")
        if not filename.endswith(".whl"):
            raise FilenameError(f"{shown}: a wheel's name ends in .whl")
        parts = filename[:-4].split("-")
        if not 5 <= len(parts) <= 7:
            raise FilenameError(f"{shown}: a wheel's name has 5 to 7 parts between dashes, not {len(parts)}")
        build = label = ""
        rest = parts[2:]
        if len(rest) == 5:
            build, *rest, label = rest
        elif len(rest) == 4:
            if rest[0][:1].isdigit():
                build, *rest = rest
            else:
                *rest, label = rest
        if not _NAME.fullmatch(parts[0]):
            raise FilenameError(f"{shown}: '{printable(parts[0])}' is not a project name")
        if not _VERSION.fullmatch(parts[1]):
            raise FilenameError(f"{shown}: '{printable(parts[1])}' is not a version")
        if build and not _BUILD.fullmatch(build):
            raise FilenameError(f"{shown}: build tag '{printable(build)}' does not begin with a digit")
        for tag in rest:
            if not _TAG.fullmatch(tag):
                raise FilenameError(f"{shown}: '{printable(tag)}' is not a compatibility tag")
        if len(rest) + 2 + bool(build) + bool(label) != len(parts) or (label and not is_label(label)):
            # An empty part where the label belongs counts as missing, so the parts no longer add up.
            raise FilenameError(f"{shown}: a variant label is one or more of 0-9 a-z _ . (PEP 825)")
        python, abi, platform = rest
        return cls(parts[0], parts[1], build, python, abi, platform, label)

    @property
    def name(self) -> str:
        """The project's normal name (PEP 503)."""
        return canonical_name(self.distribution)

    @property
    def filename(self) -> str:
        """The file name this was taken from."""
        build, label = self.build and f"-{self.build}", self.label and f"-{self.label}"
        return f"{self.distribution}-{self.version}{build}-{self.tag_set}{label}.whl"

    @property
    def tag_set(self) -> str:
        """The compatibility tags as the name spells them, for example `cp312-cp312-linux_x86_64`."""
        return f"{self.python}-{self.abi}-{self.platform}"

    @property
    def tags(self) -> frozenset[Tag]:
        """Every compatibility tag the wheel carries, expanded."""
        from packaging.tags import parse_tag

        return parse_tag(self.tag_set)

    @property
    def build_key(self) -> tuple[int, str]:
        """The build tag as a sort key, higher is newer; a wheel without one sorts first."""
        digits = len(self.build) - len(self.build.lstrip("0123456789"))
        return (int(self.build[:digits]) if digits else -1, self.build[digits:])

    def labelled(self, label: str) -> WheelFilename:
        """Return the same name with another label (`""` for none)."""
        return replace(self, label=label)

    def __str__(self) -> str:
        return self.filename


def sidecar_filename(name: str, version: str) -> str:
    """Return the name of a release's sidecar, `{name}-{version}-variants.json`, normalised.

    Raises:
        FilenameError: `version` is not a version.
    """
    return f"{escaped_name(name)}-{escaped_version(version)}{SIDECAR_SUFFIX}"


def parse_sidecar_filename(filename: str) -> tuple[str, str] | None:
    """Return `(canonical project name, version)` when `filename` is a sidecar's name, else None."""
    if not filename.endswith(SIDECAR_SUFFIX) or len(filename) > _MAX_LENGTH:
        return None
    name, _, version = filename[: -len(SIDECAR_SUFFIX)].partition("-")
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return None
    return canonical_name(name), version

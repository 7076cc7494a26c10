"""The table of rules: what wheels, variants documents, releases and indexes are checked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["RULES", "Finding", "Rule", "Severity"]

Severity = Literal["error", "warning", "note"]
"""`error`: never published; `warning`: works, but not as its publisher expects; `note`: good to know."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: stable: a code is never given another meaning.
        severity: how bad breaking it is.
        summary: what must not be, in a few words.
        remedy: what to do about it.
    """

    code: str
    severity: Severity
    summary: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule is broken.

    Attributes:
        code: the rule's.
        message: what is wrong, one printable line that names the file, release or page.
        path: the file or address, when it is one; empty for a release.
    """

    code: str
    message: str
    path: str = ""

    @property
    def rule(self) -> Rule:
        """The rule that is broken."""
        return RULES[self.code]

    def __str__(self) -> str:
        return self.message


_REBUILD = "build the wheel again"
_REPACK = "unpack it with `unzip`, write it again with `wheel pack`, then label it again"
_DOWNLOAD = "copy or download the file again"
_RELABEL = "label the original wheel with variant-index label"
_SETTINGS = "label all wheels of the release with the same settings"
_PUBLISH = (
    "write the index again from all wheels: variant-index build WHEELS --out INDEX --no-cache; if that "
    "refuses, remove the project's pages (INDEX/simple/PROJECT/index.*) and run it again"
)

_TABLE: tuple[tuple[str, Severity, str, str], ...] = (
    ("WHL001", "error", "a file cannot be read", "give a regular file that you may read"),
    ("WHL002", "error", "the file name is not that of a wheel (PEP 427, PEP 825)", "rename the file"),
    ("WHL003", "warning", "name or version in the file name are not normalised", "rename the file"),
    ("WHL004", "error", "the archive is larger than 4 GiB", "split the project"),
    ("WHL101", "error", "the archive is not complete", _DOWNLOAD),
    ("WHL102", "error", "there is something before or after the archive", _REPACK),
    ("WHL103", "error", "there is something between entries, in no entry", _REPACK),
    ("WHL104", "error", "entries overlap", _REBUILD),
    ("WHL105", "error", "the central directory is damaged or miscounted", _REBUILD),
    ("WHL106", "error", "ZIP64 fields are damaged or disagree with the others", _REPACK),
    ("WHL107", "error", "the archive is spread over several disks", _REPACK),
    ("WHL108", "error", "a local header disagrees with the central directory", _REPACK),
    ("WHL109", "error", "two entries have one name", _REBUILD),
    ("WHL110", "error", "an entry's name is not a plain relative path", _REBUILD),
    ("WHL111", "error", "an entry's name can be read in two ways", _REPACK),
    ("WHL112", "error", "an entry is a symbolic link or a device", "put a copy of the file there"),
    ("WHL113", "error", "an entry is encrypted", _REPACK),
    ("WHL114", "error", "the archive was written as a stream (data descriptors)", _REPACK),
    ("WHL115", "error", "a compression method other than stored and deflate", _REPACK),
    ("WHL116", "error", "a zip feature that wheels must not have", _REPACK),
    ("WHL117", "error", "something inflates beyond all measure, or is too large for what it is", _REBUILD),
    ("WHL118", "error", "a folder has content", _REPACK),
    (
        "WHL119",
        "error",
        "an entry's data does not have the size or CRC that the archive states",
        _DOWNLOAD,
    ),
    ("WHL120", "error", "an entry needs a version of zip that installers do not read", _REBUILD),
    ("WHL201", "error", "not exactly one .dist-info folder", _REBUILD),
    ("WHL202", "error", "METADATA, WHEEL or RECORD is missing", _REBUILD),
    ("WHL203", "error", "METADATA cannot be read in one way only", _REBUILD),
    ("WHL204", "error", "name or version inside the wheel are not those of the file name", _REBUILD),
    ("WHL205", "error", "WHEEL cannot be read, or is of an unknown format version", _REBUILD),
    (
        "WHL206",
        "error",
        "the tags in WHEEL are not those of the file name",
        "unpack it with `unzip`, correct the Tag lines in WHEEL, and write it again with `wheel pack`",
    ),
    ("WHL207", "error", "an entry point's name is a path", _REBUILD),
    (
        "WHL208",
        "warning",
        "WHEEL says linux where the file name says manylinux or musllinux",
        "build with auditwheel, or let variant-index repack set the tags (retag)",
    ),
    (
        "WHL209",
        "error",
        "a Requires-Dist or Requires-Python in METADATA is not what installers read",
        "correct the requirement and build the wheel again",
    ),
    ("WHL210", "error", "METADATA is of a version that no installer knows", _REBUILD),
    ("WHL301", "error", "RECORD is not a table of paths, hashes and sizes", _REBUILD),
    ("WHL302", "error", "RECORD does not list a file of the wheel", _REPACK),
    ("WHL303", "error", "RECORD lists a file that is not in the wheel", _REPACK),
    ("WHL304", "error", "RECORD lists a file twice", _REPACK),
    ("WHL305", "error", "RECORD gives a file no strong hash", _REPACK),
    ("WHL306", "error", "RECORD states another size than the archive", _REPACK),
    ("WHL307", "error", "RECORD states another hash than the content has", _REPACK),
    (
        "WHL401",
        "warning",
        "names differ only in case",
        "rename one: Windows and macOS need that",
    ),
    ("WHL402", "warning", "a name that Windows cannot store", "rename the file"),
    ("VAR001", "error", "a label in the file name, but no variant.json", _RELABEL),
    ("VAR002", "error", "a variant.json, but no label in the file name", "put the label back into the name"),
    ("VAR003", "error", "a variants document is not JSON in UTF-8", _RELABEL),
    ("VAR004", "error", "a variants document does not follow its schema", _RELABEL),
    ("VAR005", "error", "variant.json does not describe exactly the label of the file name", _RELABEL),
    ("VAR006", "error", "the null variant has properties", "give the variant another label"),
    ("VAR007", "warning", "a variant without properties is not called null", "label it null"),
    ("VAR008", "error", "namespaces, priorities and providers of a document do not match", _RELABEL),
    ("VAR009", "error", "a key, namespace or value is listed twice", _RELABEL),
    ("VAR010", "error", "the document's major schema version is not known", "use a newer variant-index"),
    ("VAR011", "warning", "values are not sorted", "none needed: variant-index build writes them sorted"),
    ("VAR012", "error", "a document is over 1 MB or 10000 values", "use fewer or coarser properties"),
    ("REL001", "error", "one label stands for different properties", "give one of them another label"),
    ("REL002", "error", "wheels order the namespaces differently", _SETTINGS),
    ("REL003", "error", "wheels name different providers", _SETTINGS),
    ("REL004", "error", "two files have one name, or two spellings of one", "keep one of them"),
    ("REL005", "error", "the release's variants document is larger than 1 MB", "give it fewer labels"),
    ("REL006", "error", "a sidecar brought along differs from the wheels", "remove the sidecar"),
    ("REL007", "error", "a file's name does not say which release it belongs to", "rename the file"),
    ("REL008", "error", "a published file would get other bytes", "give it another version or build number"),
    (
        "REL009",
        "error",
        "a provenance object is not about the file beside it",
        "remove it, or attest the file again",
    ),
    (
        "REL010",
        "error",
        "a file is not shown to come from who may build it (--verify-provenance)",
        "attest it as somebody whom the policy names, or name who built it there",
    ),
    (
        "REL011",
        "error",
        "a version is spelled in several ways (1.0 and 1.0.0), with variants in one",
        "build the wheels with one spelling of the version, and remove the files that have the other",
    ),
    ("REL101", "warning", "no wheel for installers without variant support", "add a plain wheel"),
    ("REL102", "warning", "no providers, so that installers cannot evaluate the variants", _RELABEL),
    ("REL103", "warning", "uv will not use its own provider for a namespace", "set requires and plugin-api"),
    ("REL104", "warning", "the provider of a namespace is not one we know", "check its spelling"),
    ("REL105", "warning", "a provider is optional, so that nobody asks it", "leave optional out"),
    ("REL106", "warning", "a builtin provider, which no installer has", "name a provider in requires"),
    ("REL107", "warning", "two labels have the same properties", "keep one label"),
    ("REL108", "warning", "a namespace looks like a known one misspelled", "correct it and label again"),
    ("REL109", "warning", "hardware is declared static, so that its variants install everywhere", _SETTINGS),
    ("REL110", "warning", "a feature looks like a known one misspelled", "correct it and label again"),
    ("REL111", "warning", "an unknown variants schema", _RELABEL),
    ("REL112", "note", "a draft of the variants format, which may still change", "none needed"),
    (
        "REL113",
        "warning",
        "a version is spelled in several ways (1.0 and 1.0.0)",
        "build the wheels with one spelling of the version",
    ),
    ("IDX001", "error", "a page cannot be read", _PUBLISH),
    ("IDX002", "error", "an entry of a page is malformed, so that installers ignore it", _PUBLISH),
    ("IDX003", "error", "the HTML and the JSON form of a page disagree", _PUBLISH),
    ("IDX004", "error", "a listed file is not there", _PUBLISH),
    ("IDX005", "error", "a file does not have the hash that the page lists", _PUBLISH),
    ("IDX006", "error", "a file does not have the size that the page lists", _PUBLISH),
    ("IDX007", "warning", "a file is listed without a SHA-256, SHA-384 or SHA-512 hash", _PUBLISH),
    ("IDX008", "error", "variants are listed, but not their variants document", _PUBLISH),
    ("IDX009", "error", "a sidecar does not say what the wheels say", _PUBLISH),
    ("IDX010", "error", "a .metadata file is not the wheel's METADATA", _PUBLISH),
    ("IDX011", "error", "requires-python on the page is not that of the wheel", _PUBLISH),
    ("IDX012", "error", "a page lists a file of another project", _PUBLISH),
    ("IDX013", "error", "the list of projects and the pages do not match", _PUBLISH),
    ("IDX014", "error", "a page lists one file twice", _PUBLISH),
    ("IDX015", "note", "a file lies outside of the index and was not checked", "check the index by its URL"),
    ("IDX016", "error", "a file's address does not end in its name", _PUBLISH),
)

RULES: dict[str, Rule] = {row[0]: Rule(*row) for row in _TABLE}
"""Code -> rule, in the order of the table."""

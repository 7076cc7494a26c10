"""Commits: what an index in a bucket consists of, one number after another (pure).

Commit N names every page with its digest, not only what changed. So the highest one alone says how the
index has to look, whoever wrote it, and whatever became of the runs before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from variant_index.errors import printable
from variant_index.publish.plan import FILES
from variant_index.publish.store import OvertakenError, StoreError

__all__ = [
    "BODIES",
    "LOG",
    "NOTHING",
    "Changes",
    "Commit",
    "PageState",
    "body_path",
    "changed_pages",
    "commit_number",
    "commit_path",
    "compose",
    "parse_commit",
    "project_of",
    "projects",
    "write_commit",
]

LOG = "log/"
"""How the paths of commits begin."""

BODIES = "log/pages/"
"""How the paths of the pages' bodies begin, each under its digest."""

_FORMAT = 1

_NUMBERED = re.compile(r"log/([0-9]{12})\.json", re.ASCII)
_PAGE = re.compile(r"simple/(?:([a-z0-9]+(?:-[a-z0-9]+)*)/)?index\.(?:html|json)", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PageState:
    """What a page's bytes are.

    Attributes:
        sha256: their digest, under which they lie in the log.
        md5: what most servers answer as their ETag; compared, never trusted.
    """

    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A state of the index.

    Attributes:
        number: counts from 1; 0 when nothing is published.
        id: different for every commit that anybody ever tries, so that one's own can be recognised.
        previous: the id of the commit before; "" for the first.
        pages: every page, by path.
        dropped: files and bodies that nothing names any more -> since when, seconds since 1970.
        looked: when orphans were looked for the last time, seconds since 1970.
    """

    number: int
    id: str
    previous: str
    pages: Mapping[str, PageState]
    dropped: Mapping[str, int]
    looked: int = 0


NOTHING = Commit(0, "", "", {}, {})
"""An index before its first commit."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a publisher wants to change.

    Attributes:
        used: the projects whose pages it looked at: what it wants may depend on them.
        pages: path -> the new page, None to remove it.
        revived: paths under `files/` that had been dropped and are named again.
        dropped: files and bodies that no page names any more, or that none ever named.
        gone: what was dropped and need not be looked at again: it is deleted, or named.
        looked: whether all orphans there are were looked for.
    """

    used: Set[str]
    pages: Mapping[str, PageState | None]
    revived: Set[str]
    dropped: Set[str]
    gone: Set[str]
    looked: bool = False


def commit_path(number: int) -> str:
    """Return where a commit is."""
    return f"{LOG}{number:012}.json"


def commit_number(path: str) -> int | None:
    """Return the number of the commit at a path; None when there is none at such a path."""
    match = _NUMBERED.fullmatch(path)
    return int(match[1]) if match else None


def body_path(state: PageState) -> str:
    """Return where the bytes of a page are kept."""
    return f"{BODIES}{state.sha256}"


def project_of(path: str) -> str | None:
    """Return the project that a page belongs to, "" for the root page; None when it is not a page of ours."""
    match = _PAGE.fullmatch(path)
    return (match[1] or "") if match else None


def projects(pages: Iterable[str]) -> set[str]:
    """Return the projects that have pages."""
    return {name for path in pages if (name := project_of(path))}


def changed_pages(before: Commit, after: Commit) -> list[str]:
    """Return the paths of pages that differ."""
    paths = sorted({*before.pages, *after.pages})
    return [path for path in paths if before.pages.get(path) != after.pages.get(path)]


def compose(base: Commit, seen: Commit, changes: Changes, identity: str, now: int) -> Commit:
    """Return the commit that follows `base` and makes changes which were thought out on `seen`.

    Args:
        base: the newest commit.
        seen: the commit that was the newest when the work began.
        changes: what to do.
        identity: the new commit's id.
        now: seconds since 1970.

    Raises:
        OvertakenError: a project that the changes depend on is not as it was, or the layout of pages.
    """
    dropped_since = (path.split("/") for path in base.dropped.keys() - seen.dropped.keys())
    for folder, name, *_ in dropped_since:
        if f"{folder}/" == FILES and name in changes.used:
            raise _overtaken(name)
    for path in {*base.pages, *seen.pages}:
        if project_of(path) in changes.used and base.pages.get(path) != seen.pages.get(path):
            raise _overtaken(project_of(path) or "")
    pages = {**base.pages}
    for path, state in changes.pages.items():
        if state is None:
            pages.pop(path, None)
        else:
            pages[path] = state
    if base is not seen and len(_layouts(pages)) > 1:
        raise OvertakenError("somebody else changed the layout of the pages meanwhile; run again")
    named = {body_path(state) for state in pages.values()} | changes.revived
    dropped = {path: since for path, since in base.dropped.items() if path not in changes.gone}
    replaced = {body_path(state) for state in base.pages.values()}
    for path in (*changes.dropped, *replaced):
        dropped.setdefault(path, now)
    return Commit(
        base.number + 1,
        identity,
        base.id,
        pages,
        {path: since for path, since in dropped.items() if path not in named},
        now if changes.looked or not base.number else base.looked,
    )


def _overtaken(name: str) -> OvertakenError:
    return OvertakenError(f"{name}: somebody else published it meanwhile, again and again; run again")


def _layouts(pages: Iterable[str]) -> set[frozenset[str]]:
    """Return the combinations of forms that pages come in: one, unless two publishers disagreed."""
    forms: dict[str, list[str]] = {}
    for path in pages:
        folder, _, form = path.rpartition("/")
        forms.setdefault(folder, []).append(form)
    return set(map(frozenset, forms.values()))


def write_commit(commit: Commit) -> bytes:
    """Return a commit's bytes."""
    content = {
        "format": _FORMAT,
        "number": commit.number,
        "id": commit.id,
        "previous": commit.previous,
        "pages": {path: [state.sha256, state.md5] for path, state in sorted(commit.pages.items())},
        "dropped": dict(sorted(commit.dropped.items())),
        "looked": commit.looked,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def parse_commit(content: bytes, number: int, place: str) -> Commit:
    """Read a commit.

    Args:
        content: its bytes.
        number: the number that its name says.
        place: where it is, for messages.

    Raises:
        StoreError: it is not one, or one of a later version of this program.
    """
    try:
        fields = json.loads(content)
        if fields["format"] != _FORMAT:
            raise StoreError(f"{printable(place)}: written by a later version of this program; use that one")
        commit = Commit(
            fields["number"],
            _text(fields["id"]),
            _text(fields["previous"]),
            {_page(path): _state(*state) for path, state in fields["pages"].items()},
            {_droppable(path): int(since) for path, since in fields["dropped"].items()},
            int(fields.get("looked", 0)),  # earlier versions do not write it
        )
        if commit.number != number:
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise StoreError(
            f"{printable(place)}: this is no commit of an index; restore it, or write the index elsewhere"
        ) from None
    return commit


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _page(path: str) -> str:
    if project_of(path) is None:
        raise ValueError
    return path


def _state(sha256: str, md5: str) -> PageState:
    if not _SHA256.fullmatch(sha256) or not _MD5.fullmatch(md5):
        raise ValueError
    return PageState(sha256, md5)


def _droppable(path: str) -> str:
    """Return a path that may be deleted; commits are data from outside."""
    parts = path.split("/")
    if not path.startswith((FILES, BODIES)) or {"", ".", ".."} & {*parts}:
        raise ValueError
    return path

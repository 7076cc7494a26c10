"""Finds what killed runs uploaded and no page ever named, so that it can be dropped like files that were."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from itertools import chain, groupby, islice

from variant_index.publish.bucket.commit import BODIES, Commit, body_path
from variant_index.publish.bucket.object_storage import Bucket, BucketError
from variant_index.publish.plan import FILES
from variant_index.publish.store import StoreError

__all__ = ["LOOK_SECONDS", "MOST_ORPHANS", "find_orphans"]

LOOK_SECONDS = 7 * 24 * 3600
"""How old an orphan must be, and how long it is from one look for them to the next."""

MOST_ORPHANS = 10_000
"""How many are found in one look: each is in the commits until it is gone."""

# What others put there is theirs.
_FILE = re.compile(rf"{FILES}[a-z0-9-]+/[0-9a-f]{{32}}/[^/]+", re.ASCII)
_BODY = re.compile(rf"{BODIES}[0-9a-f]{{64}}", re.ASCII)


def find_orphans(bucket: Bucket, commit: Commit, before: int, listed: Callable[[str], set[str]]) -> list[str]:
    """Return the paths of objects that a commit does not name, at most `MOST_ORPHANS`.

    Costs a request for each 1000 objects and one for each project, so it is not done in every run.

    Args:
        bucket: the index.
        commit: the newest commit.
        before: objects written later (server's clock, seconds since 1970) may belong to a run at work.
        listed: returns the paths that a project's page names.

    Raises:
        BucketError: the objects cannot be listed.
    """
    bodies = {body_path(state) for state in commit.pages.values()}
    unnamed = chain(
        (path for path in _old(bucket, BODIES, _BODY, before) if path not in bodies),
        _files(bucket, before, listed),
    )
    return list(islice((path for path in unnamed if path not in commit.dropped), MOST_ORPHANS))


def _files(bucket: Bucket, before: int, listed: Callable[[str], set[str]]) -> Iterator[str]:
    for name, paths in groupby(_old(bucket, FILES, _FILE, before), key=lambda path: path.split("/")[1]):
        # A page that cannot be read is a problem for who changes it; until then its files stay.
        with contextlib.suppress(StoreError, BucketError, FileNotFoundError):
            named = listed(name)
            yield from (path for path in paths if path not in named)


def _old(bucket: Bucket, folder: str, pattern: re.Pattern[str], before: int) -> Iterator[str]:
    for stored in bucket.all_below(folder):
        if stored.time <= before and pattern.fullmatch(stored.path):
            yield stored.path

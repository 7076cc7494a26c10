"""Finds releases that would change a published file (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from variant_index.errors import printable
from variant_index.publish.release import Refusal, Release
from variant_index.simple_api.page import ProjectPage

__all__ = ["find_conflicts"]


def find_conflicts(
    releases: Iterable[Release], published: ProjectPage | None, title: str
) -> Iterator[tuple[Release, Refusal]]:
    """Yield each release that has a file which is published with other bytes, with the reason.

    Args:
        releases: what is to be published, of one project.
        published: the page of the project as it is, None without.
        title: the index, for the message.
    """
    known = {file.filename: file for file in published.files} if published is not None else {}
    for release in releases:
        for file in release.files:
            before = known.get(file.name)
            if before is not None and before.hashes.get("sha256") != file.sha256:
                reason = (
                    f"{printable(str(file.path))}: {printable(title)} lists {printable(file.name)} with "
                    "other bytes, and a published file never changes; give the new one another version or "
                    "build number"
                )
                yield release, Refusal(release.key, reason, "REL008", str(file.path))
                break

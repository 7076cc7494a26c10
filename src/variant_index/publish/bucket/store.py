"""An index in an object store: pages change by commits, which anyone can finish.

    PREFIX/files/...    never changes; cached for ever
    PREFIX/simple/...   pages; each is old or new, and never cached without asking
    PREFIX/log/...      commits, see `commit_log.py`

Publishing has three parts, and can be killed anywhere:

1. Files and the new pages' bodies are uploaded. No page names them yet.
2. The next commit is created, unless somebody else has created it: then what they published is looked at,
   and the same changes are made to that, or everything is planned again where both touch one project.
   Having created the commit is having published.
3. Pages are written, see `page_writer.py`. Who comes next does that if we do not.

Files that no page names any more are deleted by a later publisher after a grace period, and with them what
killed runs uploaded, which is looked for now and then.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from variant_index.publish.bucket.commit import (
    NOTHING,
    Changes,
    Commit,
    PageState,
    body_path,
    changed_pages,
    compose,
    project_of,
    projects,
)
from variant_index.publish.bucket.commit_log import CommitLog
from variant_index.publish.bucket.object_storage import Bucket, BucketError
from variant_index.publish.bucket.orphans import LOOK_SECONDS, MOST_ORPHANS, find_orphans
from variant_index.publish.bucket.page_writer import PageWriter
from variant_index.publish.bucket.probe import Abilities, probe
from variant_index.publish.bucket.uploads import Uploads
from variant_index.publish.bucket.work import Work
from variant_index.publish.layout import HTML_PAGE, JSON_PAGE, Layout, layout_of
from variant_index.publish.plan import (
    FILES,
    PAGES,
    Put,
    Step,
    listed_paths,
    page_paths,
    plan_root,
)
from variant_index.publish.published_page import read_published_page
from variant_index.publish.store import OnStep, OvertakenError, StoreError
from variant_index.simple_api.page import ProjectPage

__all__ = ["GRACE_SECONDS", "BucketStore"]

GRACE_SECONDS = 24 * 3600
"""How long a file stays that no page names any more: caches may hold the pages that do."""

_CLAIMS = 64

Progress = Callable[[str, int, int], None]


class BucketStore:
    """See `Store`."""

    def __init__(
        self,
        url: str,
        *,
        grace: int = GRACE_SECONDS,
        look: int = LOOK_SECONDS,
        progress: Progress | None = None,
    ) -> None:
        """Publish into `s3://BUCKET/PREFIX`.

        Args:
            url: the index's address.
            grace: seconds that a file stays after the last page stopped naming it.
            look: seconds from one look for orphans to the next; younger ones stay.
            progress: told how far uploads are: what is done, how many are done and how many there are.

        Raises:
            BucketUrlError: the address is not of this form, or obstore is missing.
            BucketError: the AWS_* variables make no sense.
        """
        self._bucket = Bucket(url)
        self._log = CommitLog(self._bucket)
        self._grace = grace
        self._look_after = look
        self._progress = progress
        self._abilities: Abilities | None = None
        self._seen = NOTHING
        self._used: set[str] = set()
        self._overtaken = 0
        # A project's page is asked for several times in a row.
        self._last: tuple[str, PageState, ProjectPage] | None = None

    @property
    def title(self) -> str:
        """The address."""
        return self._bucket.title

    @property
    def scratch(self) -> Path | None:
        """None: files are uploaded from where they are."""
        return None

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Finish what others left; they cannot be kept out, and are noticed when a commit is created.

        Raises:
            ConditionError: the server lets publishers overwrite each other.
            StoreError: what is there is not an index of ours.
            BucketError: the server cannot be used.
        """
        if self._abilities is None:
            self._abilities = probe(self._bucket)
        self._used = set()
        self._seen = self._log.newest(self._seen)
        writer = self._writer()
        if self._seen is NOTHING:
            if any(True for _ in self._bucket.all_below(PAGES)):
                raise StoreError(
                    f"{self.title}: has pages that another program wrote; write the index to another prefix"
                )
        else:
            self._seen = writer.settle(self._seen, writer.differing(self._seen))
        try:
            yield
        except OvertakenError:
            self._overtaken += 1
            # So that publishers do not keep in step: the more there are, the longer each waits.
            time.sleep(random.uniform(0, min(0.4 * 2**self._overtaken, 20)))  # noqa: S311
            raise

    def _known(self) -> Abilities:
        assert self._abilities is not None  # everything happens inside `exclusive`
        return self._abilities

    def _writer(self) -> PageWriter:
        return PageWriter(self._bucket, self._log, self._known())

    def stamps(self) -> Mapping[str, str]:
        """See `Store`."""
        stamps: dict[str, str] = {}
        for path, state in sorted(self._seen.pages.items()):
            if name := project_of(path):
                stamps[name] = f"{stamps.get(name, '')} {state.sha256}"
        return stamps

    def layout(self) -> Layout | None:
        """See `Store`."""
        return _layout(self._seen)

    def page(self, name: str) -> ProjectPage | None:
        """See `Store`."""
        self._used.add(name)
        return self._page(name, self._seen)

    def _page(self, name: str, commit: Commit) -> ProjectPage | None:
        html, json = page_paths(name)
        path = json if json in commit.pages else html
        state = commit.pages.get(path)
        if state is None:
            return None
        if self._last is None or self._last[:2] != (name, state):
            self._last = name, state, self._read_page(name, path, state)
        return self._last[2]

    def _read_page(self, name: str, path: str, state: PageState) -> ProjectPage:
        content = self._log.body(state)
        if content is None:
            # The body was lost, but the page itself is as good if it is the right one.
            content = self._bucket.get(path)
            if hashlib.sha256(content).hexdigest() != state.sha256:
                raise StoreError(f"{self.title}/{path}: is not as published; remove it, and build again")
        return read_published_page(content, name, f"{self.title}/{path}")

    def _listed(self, name: str, commit: Commit) -> set[str]:
        """Return the paths of the files that a project's page names."""
        page = self._page(name, commit)
        files = page.files if page is not None else ()
        return {path for file in files if page is not None for path in listed_paths(page, file)}

    def read(self, path: str) -> bytes:
        """See `Store`."""
        return self._bucket.get(path)

    def carry_out(self, steps: Iterable[Step], on_step: OnStep | None = None) -> None:
        """See `Store`."""
        work = Work(self._bucket, self._seen, lambda name: self._listed(name, self._seen))
        with Uploads(self._bucket, self._known()) as uploads:
            for step in steps:
                changes = work.take(step, uploads)
                if on_step is not None:
                    on_step(step, changes)
            uploads.finish(self._progress)
        if work.pages:
            self._publish(work)

    def _publish(self, work: Work) -> None:
        now = self._known().now()
        base = self._seen
        bodies = {body_path(state) for state in work.pages.values() if state is not None}
        gone = self._sweep(base, now, work.revived | bodies)
        looked = self._look(work, base, now)
        names = {name for path in work.pages if (name := project_of(path))}
        wants_root = any(project_of(path) == "" for path in work.pages)
        identity = secrets.token_hex(16)
        for attempt in range(_CLAIMS):
            changes = Changes(self._used | names, work.pages, work.revived, work.dropped, gone, looked)
            commit = compose(base, self._seen, changes, identity, now)
            if wants_root and base is not self._seen:
                # Others added or removed projects; the root page is what all projects make it.
                for step in plan_root(projects(commit.pages), _layout(commit) or "both"):
                    if isinstance(step, Put):
                        work.pages[step.path] = work.store_body(step.content)
                changes = Changes(self._used | names, work.pages, work.revived, work.dropped, gone, looked)
                commit = compose(base, self._seen, changes, identity, now)
            if self._log.create(commit):
                break
            base = self._log.newest(base)
            time.sleep(random.uniform(0, 0.02 * min(attempt, 10)))  # noqa: S311
        else:
            raise OvertakenError(f"{self.title}: others publish all the time; run again")
        before, self._seen = self._seen, commit
        self._write_pages(before, commit)
        with contextlib.suppress(BucketError):
            self._log.forget(commit, now - self._grace)

    def _write_pages(self, before: Commit, commit: Commit) -> None:
        paths = changed_pages(before, commit)
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            if self._progress is not None:
                self._progress("writing pages", min(done, len(paths)), len(paths))

        try:
            self._writer().settle(commit, paths, count)
        except BucketError as error:
            raise BucketError(
                f"{error}; commit {commit.number} is published, and any publisher's next run writes its pages"
            ) from None

    def _look(self, work: Work, base: Commit, now: int) -> bool:
        """Drop what killed runs uploaded, from time to time, and tell whether that is all there is."""
        if now - base.looked < self._look_after or base is NOTHING:
            return False
        try:
            found = find_orphans(
                self._bucket, base, now - self._look_after, lambda name: self._listed(name, base)
            )
        except BucketError:
            return False
        work.dropped.update({*found} - work.resumed)
        return len(found) < MOST_ORPHANS

    def _sweep(self, base: Commit, now: int, kept: set[str]) -> set[str]:
        """Delete what was dropped a grace period ago but for `kept`, and return what is gone or listed.

        What others have uploaded again meanwhile is young, and stays.
        """
        before = now - self._grace
        due = {path for path, since in base.dropped.items() if since <= before} - kept
        listed = {body_path(state) for state in base.pages.values()}
        for name in {path.split("/")[1] for path in due if path.startswith(FILES)}:
            listed |= self._listed(name, base)
        gone = set()
        with contextlib.suppress(BucketError):
            for path in sorted(due - listed):
                stored = self._bucket.head(path)
                if stored is not None and stored.time > before:
                    continue
                if self._log.moved(base):
                    break
                if stored is not None:
                    self._bucket.delete(path)
                gone.add(path)
        return gone | (due & listed)


def _layout(commit: Commit) -> Layout | None:
    return layout_of([form for form in (HTML_PAGE, JSON_PAGE) if f"{PAGES}{form}" in commit.pages])

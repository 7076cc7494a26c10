"""Builds the page of one project for a client: fetched, chosen from, presented, rendered."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from packaging.version import Version

from variant_index.errors import VariantIndexError
from variant_index.model.properties import Properties
from variant_index.providers.untrusted import answered_by, untrusted_hints
from variant_index.selection.choice import TargetTags
from variant_index.selection.preference import Preference
from variant_index.shim.every_variant import with_every_variant
from variant_index.shim.extension_builds import ExtensionBuilds
from variant_index.shim.file_table import FileTable
from variant_index.shim.journal import Journal
from variant_index.shim.local_wheels import LocalWheels
from variant_index.shim.present import Listed, Presented, present
from variant_index.shim.replacement import settle_page
from variant_index.shim.settle import MarkerSettler
from variant_index.shim.spliced import NewHashes, SplicedWheel
from variant_index.shim.torch_family import TorchFamily, held_back_note, present_family
from variant_index.shim.verification import ChosenWheel, WheelVerifier
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_html, render_json
from variant_index.simple_api.shape import has_page_shape
from variant_index.upstream.local import local_path
from variant_index.upstream.lookahead import LookAhead
from variant_index.upstream.page import RawPage
from variant_index.upstream.project import PREFER_HTML, PREFER_JSON, FetchedProject, Upstream
from variant_index.upstream.recent import Recent, SharedAnswers
from variant_index.upstream.releases import Releases, group_releases
from variant_index.upstream.sidecar import SidecarReader
from variant_index.upstream.unhashed import lists_hashes

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument
    from variant_index.model.machine import MachineProfile

__all__ = ["Catalog", "Page"]

_Documents = Mapping[Version, "VariantsDocument"]

_ONE_BACKEND: Final = (
    "PyTorch's index has another version for every backend, so the lock file is for machines like this one"
)
_ONE_TORCH: Final = (
    "it has another version for every torch and backend, so the lock file is for machines like this one"
)
_KEPT_BYTES: Final = 16 << 20
_SORTED_SHARE: Final = 3  # so much larger than its bytes a page is as objects
_SIDECAR_MARK: Final = b"-variants.json"
# Both find any link that is not surely absolute; a false alarm only means that the page is parsed.
_RELATIVE_IN_JSON: Final = re.compile(rb'"url"\s*:\s*"(?!https?://)')
_RELATIVE_IN_HTML: Final = re.compile(rb"""href\s*=\s*(?!"https?://|'https?://)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page to send."""

    content_type: str
    body: bytes


@dataclass(frozen=True)
class _Decided:
    """A page before it is written.

    Attributes:
        presented: what to list.
        documents: the variants documents by which its wheels were chosen.
        spliced: address upstream -> wheel that gets another end on its way.
        is_lasting: whether only the upstream page decided, and neither machine, packages nor other files.
    """

    presented: Presented
    documents: _Documents = field(default_factory=dict)
    spliced: Mapping[str, SplicedWheel] = field(default_factory=dict)
    is_lasting: bool = False


class Catalog:
    """The projects of all sources as this machine sees them; safe to share between threads."""

    def __init__(
        self,
        upstream: Upstream,
        sidecars: SidecarReader,
        *,
        machine: Callable[[], MachineProfile],
        tags: Callable[[], TargetTags],
        journal: Journal,
        files: FileTable,
        wheels: LocalWheels,
        verifier: WheelVerifier,
        settler: MarkerSettler,
        hashes: NewHashes,
        extensions: ExtensionBuilds,
        family: TorchFamily | None = None,
        prefer: Preference = "hardware",
        built: Callable[[str], bool] = lambda _name: False,
        every_variant: bool = False,
        needs_login: Callable[[str], bool] = lambda _url: False,
    ) -> None:
        """Prepare; nothing is fetched or detected yet.

        Args:
            upstream: the user's sources.
            sidecars: reads variants documents.
            machine: detects the machine; called once, when the first page with variants is asked for.
            tags: asks the target interpreter for its tags; called like `machine`.
            journal: takes the warnings.
            files: takes the files that are linked through the shim.
            wheels: reads wheels of local folders.
            verifier: compares chosen wheels with the documents they were chosen by.
            settler: decides variant markers of chosen wheels.
            hashes: knows the new hashes of wheels that change on their way.
            extensions: knows which builds go with the torch that there is.
            family: answers for the torch family; None where that comes from the user's sources as well.
            prefer: what comes first, a build that uses the hardware or the newest release.
            built: tells of a project whether it is built here and no wheel taken, so that none is preferred.
            every_variant: whether the variants that were not chosen are listed as well, for lock files.
            needs_login: tells the addresses to which clients cannot be sent, as they have no login there.
        """
        self._upstream = upstream
        self._sidecars = sidecars
        self._detect = machine
        self._ask_tags = tags
        self._journal = journal
        self._files = files
        self._wheels = wheels
        self._verifier = verifier
        self._settler = settler
        self._hashes = hashes
        self._extensions = extensions
        self._family = family
        self._prefer = prefer
        self._built = built
        self._every_variant = every_variant
        self._needs_login = needs_login
        self._lock = threading.Lock()
        self._pages: Recent[tuple[bytes, Page]] = Recent(_KEPT_BYTES)
        self._sorted: Recent[tuple[bytes, ProjectPage, Releases, tuple[str, ...]]] = Recent(_KEPT_BYTES)
        self._shared: SharedAnswers[Page | None] = SharedAnswers()
        self._target: tuple[Properties, TargetTags] | VariantIndexError | None = None
        self._answered: frozenset[str] = frozenset()

    def page(self, name: str, form: str, accept: str | None, ahead: LookAhead | None = None) -> Page | None:
        """Return a project's page, None when no source has the project.

        Args:
            name: the project's normal name.
            form: the content type that `negotiate` chose for the client.
            accept: the client's `Accept` header.
            ahead: what was fetched before the client asks for it; None for nothing.

        Raises:
            UpstreamError: a source failed.
            VariantIndexError: the machine or the target interpreter could not be asked.
        """
        html = _accepts_html(form, accept)
        accepted = PREFER_JSON if form == JSON_TYPE else PREFER_HTML
        foreseen = ahead.claim(name, accepted) if ahead is not None else None
        fetch = foreseen.result if foreseen else partial((ahead or self._upstream).project, name, accepted)
        # What was foreseen for one client is from before others asked, and so not shared.
        key = (name, form, html, foreseen)
        return self._shared.get(key, lambda: self._page(fetch, name, form, html=html))

    def is_upstream(self, name: str) -> bool:
        """Tell whether a project comes from the user's sources alone, and not from PyTorch's index."""
        return self._family is None or name not in self._family or self._upstream.is_routed(name)

    def _page(
        self, fetch: Callable[[], FetchedProject | None], name: str, form: str, *, html: bool
    ) -> Page | None:
        if self._family is not None and not self.is_upstream(name):
            presented = self._present_family(self._family, name)
            return None if presented is None else self._render(_Decided(presented), form)
        fetched = fetch()
        if fetched is None:
            return None
        self._journal.warn(fetched.problems)
        raw = fetched.raw
        if raw is None or fetched.found or fetched.more or _is_local(raw):
            return self._render(self._present(fetched), form)
        # The same bytes make the same page, as long as nothing else has a say in it.
        key = (name, form, html, raw.url)
        kept = self._pages.get(key)
        if kept is not None and kept[0] is raw.body:
            return kept[1]
        if self._is_passed_on(fetched, raw, form, html=html):
            page = Page(raw.content_type, raw.body)
            self._pages.put(key, (raw.body, page), len(raw.body))
            return page
        decided = self._present(fetched)
        page = self._render(decided, form)
        if decided.is_lasting:
            self._pages.put(key, (raw.body, page), len(raw.body) + len(page.body))
        return page

    def _is_passed_on(self, fetched: FetchedProject, raw: RawPage, form: str, *, html: bool) -> bool:
        """Tell whether nothing is to be added to or changed in what the index sent."""
        if fetched.index and self._needs_login(fetched.index.url):
            return False
        if not (fetched.allow_unhashed or lists_hashes(raw)):
            return False
        return _is_plain(raw, form, html=html) and not self._extensions.may_be_on(raw.body)

    def _render(self, decided: _Decided, form: str) -> Page:
        files = (self._linked(listed, decided) for listed in decided.presented.files)
        page = ProjectPage(decided.presented.name, tuple(files))
        if form == JSON_TYPE:
            return Page(form, render_json(page))
        return Page(f"{form}; charset=utf-8", render_html(page))

    def _present(self, fetched: FetchedProject) -> _Decided:
        page, releases, left_out = self._read(fetched)
        self._journal.warn(left_out)
        if not releases.with_variants:
            presented = present(page, releases, {}, {}, TargetTags(()))
            matched = self._matched(presented, fetched, releases)
            return _Decided(matched, is_lasting=matched is presented)
        self._journal.warn(page.problems)
        with ThreadPoolExecutor(1) as beside:
            # Both take a tenth of a second or more, and neither needs the other.
            target = beside.submit(self._ask_target)
            documents = self._sidecars.read(releases.with_variants)
            supported, tags = target.result()
        newest = [documents.by_version[version] for version in sorted(documents.by_version)[-1:]]
        for hint in untrusted_hints(page.name, newest, self._answered):
            self._journal.hint(hint)
        supported = self._extensions.supported(supported, tags, documents.by_version)

        settled = settle_page(
            page,
            releases,
            documents.by_version,
            supported,
            tags,
            prefer="version" if self._built(page.name) else self._prefer,
            verifier=self._verifier,
            settler=self._settler,
        )
        presented = settled.presented
        if presented.held_back is not None:
            self._journal.hint(presented.held_back)
        self._journal.warn((*documents.problems, *presented.warnings))
        if self._every_variant:
            presented = with_every_variant(presented, releases, settled.hidden)
        return _Decided(self._matched(presented, fetched, releases), settled.documents, settled.spliced)

    def _read(self, fetched: FetchedProject) -> tuple[ProjectPage, Releases, tuple[str, ...]]:
        """Read and sort a page; what is not of one index alone, or of a folder, anew each time.

        The last part says what was left out.
        """
        raw = fetched.raw
        if raw is None or fetched.found or fetched.more or _is_local(raw):
            return fetched.page, group_releases(fetched.page), fetched.left_out
        known = self._sorted.get(fetched.name)
        if known is None or known[0] is not raw.body:
            known = raw.body, fetched.page, group_releases(fetched.page), fetched.left_out
            self._sorted.put(fetched.name, known, _SORTED_SHARE * len(raw.body))
        return known[1:]

    def _matched(self, presented: Presented, fetched: FetchedProject, releases: Releases) -> Presented:
        """Hold back builds for another torch."""
        raws = (fetched.raw, *fetched.more)
        likely = fetched.found or any(raw and self._extensions.may_be_on(raw.body) for raw in raws)
        if not likely or not self._extensions.concerns(releases):
            return presented
        matched, note = self._extensions.match(presented, releases, *self._ask_target())
        self._journal.warn(matched.warnings)
        if note is not None:
            self._journal.hint(note)
        if self._every_variant and matched is not presented:
            self._journal.warn([f"{presented.name}: {_ONE_TORCH}"])
        return matched

    def _present_family(self, family: TorchFamily, name: str) -> Presented | None:
        supported, tags = self._ask_target()
        project = family.project(name, supported, tags)
        found, problems = self._upstream.found(name)
        self._journal.warn(problems)
        if project is None:
            return Presented(name, tuple(map(Listed, found)), ()) if found else None
        presented = present_family(project, found)
        self._journal.warn(presented.warnings)
        if self._every_variant:
            self._journal.warn([f"{name}: {_ONE_BACKEND}"])
        if (note := held_back_note(project)) is not None:
            self._journal.hint(note)
        return presented

    def _linked(self, listed: Listed, decided: _Decided) -> ProjectFile:
        file = listed.file
        path, spliced = local_path(file.url), decided.spliced.get(file.url)
        if listed.chosen is None and path is None and spliced is None and not self._needs_login(file.url):
            return file
        if spliced is not None:
            file = spliced.entry(file, self._hashes.of(spliced))
        elif path is not None and path.suffix == ".whl" and file.core_metadata is False:
            file = replace(file, core_metadata=self._wheels.metadata(path) is not None)
        wheel = ChosenWheel.of(listed, decided.documents)
        # What was attested is the file as its publisher names it.
        return replace(file, url=self._files.add(listed, wheel, spliced), provenance=None)

    def _ask_target(self) -> tuple[Properties, TargetTags]:
        """Detect once; a failure stays a failure, so that it does not cost its time again for each page."""
        with self._lock:
            if self._target is None:
                try:
                    profile = self._detect()
                    self._answered = answered_by(profile)
                    self._target = profile.supported(), self._ask_tags()
                except VariantIndexError as error:
                    self._target = error
            if isinstance(self._target, VariantIndexError):
                raise self._target
            return self._target


def _is_local(raw: RawPage) -> bool:
    return urlsplit(raw.url).scheme == "file"


def _is_plain(raw: RawPage, form: str, *, html: bool) -> bool:
    """Tell whether upstream's bytes can go to the client as they are."""
    kind = raw.content_type.partition(";")[0].strip().lower()
    if _SIDECAR_MARK in raw.body:
        return False
    if kind == JSON_TYPE:
        fits = form == JSON_TYPE and _RELATIVE_IN_JSON.search(raw.body) is None
    elif kind == HTML_TYPE:
        fits = html and _links_are_absolute(raw.body)
    else:
        fits = False
    return fits and has_page_shape(raw.body, raw.content_type)


def _links_are_absolute(page: bytes) -> bool:
    """Tell whether every link of an HTML page is surely absolute."""
    # Ten times faster than the search, and true of most pages.
    if page.count(b'<a href="https://') == page.count(b"<a") + page.count(b"<A"):
        return True
    return _RELATIVE_IN_HTML.search(page) is None


def _accepts_html(form: str, accept: str | None) -> bool:
    named = {item.partition(";")[0].strip().lower() for item in (accept or "*/*").split(",")}
    return form == HTML_TYPE or not named.isdisjoint((HTML_TYPE, "text/*", "*/*"))

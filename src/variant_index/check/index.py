"""Checks an index: its pages against each other, and every file against what its page says of it."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from variant_index.check.pages import STRONG_HASHES, compare_forms, listed_twice
from variant_index.check.releases import CheckedFiles, check_files
from variant_index.check.root_page import parse_root
from variant_index.check.sources import ElsewhereError, IndexSource
from variant_index.errors import UpstreamError, printable
from variant_index.model.document import MAX_DOCUMENT_BYTES, DocumentError, parse_document
from variant_index.model.filename import SIDECAR_SUFFIX, canonical_name, sidecar_filename
from variant_index.model.rules import Finding
from variant_index.publish.combine import difference
from variant_index.publish.release import FILE_SUFFIXES, FoundWheel, Release, release_of
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import PageError, parse_page
from variant_index.simple_api.render import JSON_TYPE
from variant_index.upstream.network import UnreachableError
from variant_index.upstream.page import RawPage

__all__ = ["IndexCheck", "check_index"]

# Downloads are stored under these names.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!\-]{0,254}", re.ASCII)


@dataclass(slots=True)
class IndexCheck:
    """The outcome for an index.

    Attributes:
        files: how many files its pages list.
        findings: every rule broken, project by project.
    """

    files: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, code: str, message: str, path: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(code, printable(message, 400), path))


def check_index(
    source: IndexSource,
    projects: Iterable[str] = (),
    *,
    on_project: Callable[[int, int], object] | None = None,
) -> IndexCheck:
    """Check an index, or some of its projects.

    Args:
        source: the index.
        projects: names; none for all that the index lists.
        on_project: called with how many projects are done and how many there are.

    Raises:
        UpstreamError: the index cannot be read.
    """
    check = IndexCheck()
    names = sorted({canonical_name(name) for name in projects}) or _projects(source, check)
    for done, name in enumerate(names):
        if on_project is not None:
            on_project(done, len(names))
        _check_project(source, name, check)
    if on_project is not None:
        on_project(len(names), len(names))
    return check


def _projects(source: IndexSource, check: IndexCheck) -> list[str]:
    lists = [
        (page, listed) for page in source.root_pages() if (listed := _read_root(page, check)) is not None
    ]
    names = {name for _, listed in lists for name in listed}
    for page, listed in lists:
        if missing := names.difference(listed):
            check.add(
                "IDX013", f"{page.url}: does not list {_few(missing)}, which its other form does", page.url
            )
    if lists and (unlisted := source.unlisted(names)):
        check.add(
            "IDX013", f"{lists[0][0].url}: does not list {_few(unlisted)}, which have pages", lists[0][0].url
        )
    return sorted(names)


def _read_root(page: RawPage, check: IndexCheck) -> list[str] | None:
    try:
        return parse_root(page)
    except PageError as error:
        check.add("IDX001", str(error), page.url)
        return None


def _check_project(source: IndexSource, name: str, check: IndexCheck) -> None:
    page = _read_pages(source, name, check)
    if page is None:
        return
    check.files += len(page.files)
    files = {file.filename: file for file in page.files}
    before = len(check.findings)
    with tempfile.TemporaryDirectory(prefix="variant-index-") as folder:
        paths = dict(_fetch(source, files.values(), name, Path(folder), check))
        missing = frozenset(key for file in files.keys() - paths.keys() if (key := release_of(file)))
        checked = check_files(
            (path for file, path in paths.items() if file.endswith(FILE_SUFFIXES) and not _is_sidecar(file)),
            incomplete=missing,
        )
        check.findings += checked.findings
        _check_bytes(files, paths, checked, check)
        for wheel in checked.scan.wheels:
            _check_entry(source, files[wheel.name], wheel, check)
        for release in checked.releases:
            _check_sidecar(release, paths, check)
        _check_stray_sidecars(checked, paths, check)
    # Downloads are gone now: what is wrong with them is wrong at their addresses.
    addresses = {str(path): files[file].url for file, path in paths.items() if path.parent == Path(folder)}
    check.findings[before:] = [
        replace(finding, path=addresses.get(finding.path, finding.path))
        for finding in check.findings[before:]
    ]


def _read_pages(source: IndexSource, name: str, check: IndexCheck) -> ProjectPage | None:
    """Return the page of a project, the JSON form when there are two that can be read."""
    raw = source.pages(name)
    if not raw:
        check.add("IDX013", f"project {name}: has no page in this index")
    forms: list[tuple[bool, ProjectPage]] = []
    for page in raw:
        try:
            parsed = parse_page(page.body, page.content_type, page.url, name)
        except PageError as error:
            check.add("IDX001", str(error), page.url)
            continue
        for problem in parsed.problems:
            check.add("IDX002", problem, page.url)
        for twice in listed_twice(parsed):
            check.add("IDX014", f"{page.url}: lists {printable(twice)} twice", page.url)
        forms.append((page.content_type.startswith(JSON_TYPE), parsed))
    forms.sort(key=lambda form: not form[0])
    if len(forms) > 1:
        for problem in compare_forms(forms[0][1], forms[1][1]):
            check.add("IDX003", f"project {name}: {problem}")
    return forms[0][1] if forms else None


def _fetch(
    source: IndexSource, files: Iterable[ProjectFile], name: str, folder: Path, check: IndexCheck
) -> Iterator[tuple[str, Path]]:
    for file in files:
        shown = printable(file.filename)
        key = release_of(file.filename)
        if file.filename.endswith(FILE_SUFFIXES) and (key is None or key[0] != name):
            check.add("IDX012", f"{shown}: is not a file of project {name}", file.url)
            continue
        if not _FILE_NAME.fullmatch(file.filename):
            check.add("IDX002", f"{shown}: is not the name of a file that installers take", file.url)
            continue
        if unquote(file.url.partition("?")[0].rpartition("/")[2]) != file.filename:
            check.add(
                "IDX016", f"{shown}: its address ends in another name, which installers believe", file.url
            )
            continue
        try:
            yield file.filename, source.file(file, folder)
        except ElsewhereError as error:
            check.add("IDX015", str(error), file.url)
        except UnreachableError:
            raise
        except UpstreamError as error:
            check.add("IDX004", str(error), file.url)


def _check_bytes(
    files: dict[str, ProjectFile], paths: dict[str, Path], checked: CheckedFiles, check: IndexCheck
) -> None:
    """Compare sizes and hashes; the files that were read have been hashed once already."""
    known = {wheel.name: wheel.sha256 for wheel in checked.scan.wheels}
    known.update({sdist.name: sdist.sha256 for sdist in checked.scan.sources})
    for name, path in paths.items():
        file, shown = files[name], printable(name)
        size = path.stat().st_size
        if file.size is not None and file.size != size:
            check.add("IDX006", f"{shown}: has {size} bytes, its page lists {file.size}", str(path))
        strong = [algorithm for algorithm in STRONG_HASHES if algorithm in file.hashes]
        if not strong:
            check.add("IDX007", f"{shown}: is listed without a SHA-256, SHA-384 or SHA-512 hash", file.url)
        for algorithm in strong:
            actual = known[name] if algorithm == "sha256" and name in known else _digest(path, algorithm)
            if actual != file.hashes[algorithm].lower():
                check.add("IDX005", f"{shown}: its {algorithm} is not the one that its page lists", file.url)


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _check_entry(source: IndexSource, file: ProjectFile, wheel: FoundWheel, check: IndexCheck) -> None:
    """Compare what the page copies from a wheel's METADATA with the wheel's."""
    shown = printable(wheel.name)
    if (file.requires_python or None) != wheel.requires_python:
        check.add(
            "IDX011",
            f"{shown}: requires-python is {file.requires_python} on its page, {wheel.requires_python} inside",
            file.url,
        )
    if file.core_metadata is False:
        return
    hashes = {} if file.core_metadata is True else file.core_metadata
    try:
        same = source.metadata(file) == wheel.metadata
    except UnreachableError:
        raise
    except UpstreamError as error:
        check.add("IDX010", str(error), file.url)
        return
    if not same:
        check.add("IDX010", f"{shown}: its .metadata file is not the wheel's METADATA", file.url)
    for algorithm in STRONG_HASHES:
        expected = hashes.get(algorithm)
        if expected is not None and hashlib.new(algorithm, wheel.metadata).hexdigest() != expected.lower():
            problem = f"{shown}: the {algorithm} of its METADATA is not the one that its page lists"
            check.add("IDX010", problem, file.url)


def _is_sidecar(name: str) -> bool:
    return name.endswith(SIDECAR_SUFFIX)


def _check_sidecar(release: Release, paths: dict[str, Path], check: IndexCheck) -> None:
    name = sidecar_filename(*release.key)
    if release.document is None:
        return
    if name not in paths:
        check.add("IDX008", f"{release.title}: has variants, but no {name} is listed and there")
        return
    with paths[name].open("rb") as file:
        data = file.read(MAX_DOCUMENT_BYTES + 1)
    try:
        what = difference(release.document, parse_document(data, name, strict=True))
    except DocumentError as error:
        check.add("IDX009", str(error), str(paths[name]))
        return
    if len(data) > MAX_DOCUMENT_BYTES:
        check.add("IDX009", f"{name}: larger than {MAX_DOCUMENT_BYTES >> 20} MB", str(paths[name]))
    elif what is not None:
        check.add("IDX009", f"{name}: {what}", str(paths[name]))


def _check_stray_sidecars(checked: CheckedFiles, paths: dict[str, Path], check: IndexCheck) -> None:
    """Look for sidecars that belong to no release with variants, or are not named as installers expect.

    Of a release with something wrong or missing nothing can be said before it is mended.
    """
    wanted = {sidecar_filename(*release.key) for release in checked.releases if release.document is not None}
    for name in sorted(paths):
        key = release_of(name)
        if _is_sidecar(name) and name not in wanted and key not in checked.undecided and key is not None:
            expected = sidecar_filename(*key)
            what = (
                "no wheel of the release has a label"
                if expected not in wanted
                else f"its name must be {expected}"
            )
            check.add("IDX009", f"{printable(name)}: {what}", str(paths[name]))


def _few(names: Iterable[str]) -> str:
    ordered = [printable(name, 60) for name in sorted(names)]
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")

"""The wheels of one project over all backend folders: read from pages, sorted by public version; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from packaging.version import InvalidVersion, Version

from variant_index.model.filename import FilenameError, WheelFilename
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.torch_index.backends import Backend, parse_backend
from variant_index.torch_index.family import is_backend_free

__all__ = ["Build", "collect_builds"]


@dataclass(frozen=True)
class Build:
    """One wheel.

    Attributes:
        backend: the folder it was built for; None for one that is not tied to a backend.
        wheel: its name, taken apart.
        version: its version, local part included.
        file: its entry on the page.
    """

    backend: Backend | None
    wheel: WheelFilename
    version: Version
    file: ProjectFile

    @property
    def folder(self) -> str:
        """The backend folder's name, `""` for none."""
        return self.backend.folder if self.backend is not None else ""


def collect_builds(
    name: str, pages: Iterable[ProjectPage]
) -> tuple[Mapping[Version, tuple[Build, ...]], tuple[str, ...]]:
    """Sort the wheels of a project's pages by public version.

    Every page also lists the wheels at the index's root, and one name can stand for different wheels in two
    folders: so a wheel counts once per folder of its own address, wherever it is listed.

    Returns:
        Public version -> wheels; and what was left out and why, one printable line each.
    """
    by_version: dict[Version, dict[tuple[str, str], Build]] = {}
    versions: dict[str, Version | None] = {}
    problems: dict[str, None] = {}
    seen: set[str] = set()
    places: dict[str, Backend | None] = {}
    tied = not is_backend_free(name)
    for page in pages:
        problems.update(dict.fromkeys(page.problems))
        for file in page.files:
            if not file.filename.endswith(".whl") or file.url in seen:
                continue
            seen.add(file.url)
            try:
                wheel = WheelFilename.parse(file.filename)
            except FilenameError as error:
                problems[str(error)] = None
                continue
            if wheel.name != name or wheel.label:
                continue
            if wheel.version not in versions:
                versions[wheel.version] = _version(wheel.version)
            version = versions[wheel.version]
            if version is None:
                continue
            backend = None
            # Without a local version and for any platform nothing was compiled for anything.
            if tied and not (version.local is None and wheel.platform == "any"):
                place = file.url.partition("?")[0].rpartition("/")[0]
                if place not in places:
                    places[place] = _backend_of_place(place)
                backend = places[place] or _backend_of_version(version)
            build = Build(backend, wheel, version, file)
            public = Version(version.public) if version.local else version
            by_version.setdefault(public, {}).setdefault((build.folder, file.filename), build)
    return {public: tuple(builds.values()) for public, builds in by_version.items()}, tuple(problems)


def _backend_of_place(url: str) -> Backend | None:
    folders = unquote(urlsplit(url).path).split("/")
    return next((found for folder in reversed(folders) if (found := parse_backend(folder)) is not None), None)


def _backend_of_version(version: Version) -> Backend | None:
    # A mirror that stores files under hashes: the local version says it, where there is one.
    parts = version.local.split(".") if version.local is not None else []
    # As in 2.9.0+cu126, 2.9.0+rocm6.4 and 1.4.0+rocm6.4.43484.123eb5128.
    known = (parse_backend(".".join(parts[:length])) for length in (3, 2, 1))
    return next((backend for backend in known if backend is not None), None)


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None

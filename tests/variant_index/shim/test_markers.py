"""Wheels with variant markers through the shim: what the page says, what is sent, and what is held back."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import random
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.making import make_wheel, zip_bytes
from tests.variant_index.shim.family import cpu_machine, cuda_machine
from tests.variant_index.shim.marked import NAME, REQUIRES, add_marked, route_of, write_marked
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.source import Source

CHOSEN = f"{NAME}-2.0-0_cu128-py3-none-any.whl"
UPSTREAM = f"{NAME}-2.0-py3-none-any-cu128.whl"
EXPECTED = [
    "plainlib",
    "gpulib",
    "cu128lib ; python_version >= '3'",
    "extralib ; extra == 'more'",
]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_marked(index, tmp_path / "files", v2_0=REQUIRES)
        yield index


def requirements(metadata: bytes) -> list[str]:
    lines = metadata.decode().partition("\n\n")[0].splitlines()
    return [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist:")]


def requirements_of(wheel: bytes) -> list[str]:
    return requirements(members(wheel)[f"{NAME}-2.0.dist-info/METADATA"])


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def fetch(shim: Shim, address: str) -> tuple[int, int, bytes]:
    """Return status, promised length and what came of the body."""
    connection = http.client.HTTPConnection(shim.authority, timeout=60)
    connection.request("GET", urlsplit(address).path)
    response = connection.getresponse()
    promised = int(response.headers["Content-Length"])
    try:
        body = response.read()
    except http.client.IncompleteRead as error:
        body = error.partial
    connection.close()
    return response.status, promised, body


def test_page_metadata_and_wheel_agree(index: FakeIndex, tmp_path: Path) -> None:
    old = (tmp_path / "files" / "v2_0" / UPSTREAM).read_bytes()
    with running_shim(index.url) as shim:
        entry = shim.ask(f"{NAME}/").files()[CHOSEN]
        assert entry["hashes"] == {}
        metadata = shim.ask(entry["url"] + ".metadata").body
        assert requirements(metadata) == EXPECTED
        assert entry["core-metadata"] == {"sha256": hashlib.sha256(metadata).hexdigest()}
        head = shim.ask(entry["url"], "HEAD")
        status, promised, wheel = fetch(shim, entry["url"])
        assert (status, promised) == (200, entry["size"])
        assert int(head.headers["Content-Length"]) == len(wheel) == promised
        after = shim.ask(f"{NAME}/").files()[CHOSEN]
        assert after["hashes"] == {"sha256": hashlib.sha256(wheel).hexdigest()}
        assert shim.journal.failures == ()
        assert [chosen.label for chosen in shim.journal.chosen()] == ["cu128"]
        assert any("--require-hashes" in hint for hint in shim.journal.hints)
    info = f"{NAME}-2.0.dist-info"
    before, now = members(old), members(wheel)
    assert now[f"{info}/METADATA"] == metadata
    assert {name for name in before if before[name] != now[name]} == {f"{info}/METADATA", f"{info}/RECORD"}


@pytest.mark.parametrize(
    ("machine", "shown", "expected"),
    [
        (cuda_machine("12.6"), f"{NAME}-2.0-0_cu126-py3-none-any.whl", ["plainlib", "gpulib", EXPECTED[3]]),
        (cpu_machine(), f"{NAME}-2.0-0_null-py3-none-any.whl", ["plainlib"]),
    ],
)
def test_markers_follow_the_choice_and_the_machine(
    index: FakeIndex, machine: object, shown: str, expected: list[str]
) -> None:
    # cu126 lists 12.7 as well, which that machine does not support: PEP 825 leaves it out of the sets.
    with running_shim(index.url, machine=lambda: machine) as shim:  # type: ignore[arg-type, return-value]
        entry = shim.ask(f"{NAME}/").files()[shown]
        assert requirements(shim.ask(entry["url"] + ".metadata").body) == expected


def test_the_default_wheel_has_an_empty_label(tmp_path: Path) -> None:
    with FakeIndex() as index:
        files = add_marked(index, tmp_path, v2_0=REQUIRES)
        index.add_project(NAME, [file for file in files if "-null" not in file.filename])
        with running_shim(index.url, machine=cpu_machine) as shim:
            entry = shim.ask(f"{NAME}/").files()[f"{NAME}-2.0-py3-none-any.whl"]
            expected = ["plainlib", "defaultlib", EXPECTED[3]]
            assert requirements(shim.ask(entry["url"] + ".metadata").body) == expected


def test_wheels_without_markers_stay_as_they_are(tmp_path: Path) -> None:
    with FakeIndex() as index:
        files = {
            file.filename: file for file in add_marked(index, tmp_path, v2_0=["plainlib", "variant_lib"])
        }
        with running_shim(index.url) as shim:
            entry = shim.ask(f"{NAME}/").files()[CHOSEN]
            assert entry["hashes"] == files[UPSTREAM].hashes
            assert entry["core-metadata"] == files[UPSTREAM].core_metadata
            answer = shim.ask(entry["url"])
            assert (answer.status, answer.headers["Location"]) == (302, files[UPSTREAM].url)
            assert shim.journal.hints == ()


def test_a_folder_works_like_an_index(tmp_path: Path) -> None:
    write_marked(tmp_path, "2.0")
    path = tmp_path / UPSTREAM
    with running_shim(Source(str(tmp_path), "find-links")) as shim:
        entry = shim.ask(f"{NAME}/").files()[CHOSEN]
        assert requirements(shim.ask(entry["url"] + ".metadata").body) == EXPECTED
        _, promised, wheel = fetch(shim, entry["url"])
        assert len(wheel) == promised
        assert requirements_of(wheel) == EXPECTED
        assert shim.ask(f"{NAME}/").files()[CHOSEN]["hashes"] == {}
        data = bytearray(path.read_bytes())
        data[-30] ^= 1
        path.write_bytes(data)
        _, promised, wheel = fetch(shim, entry["url"])
        assert len(wheel) < promised


def test_a_server_without_ranges_is_read_whole(index: FakeIndex) -> None:
    for path, route in index.routes.items():
        # So large that the answer to a range is not read to its end.
        index.routes[path] = replace(route, ranged=Route(b"x" * (1 << 17)))
    with running_shim(index.url) as shim:
        entry = shim.ask(f"{NAME}/").files()[CHOSEN]
        assert requirements(shim.ask(entry["url"] + ".metadata").body) == EXPECTED
        assert requirements_of(fetch(shim, entry["url"])[2]) == EXPECTED


def _tamper(index: FakeIndex, file: ProjectFile, data: bytes) -> None:
    index.routes[route_of(file)] = replace(index.routes[route_of(file)], body=data)


def test_bytes_that_are_not_those_of_the_hash_never_make_a_wheel(tmp_path: Path) -> None:
    with FakeIndex() as index:
        files = {file.filename: file for file in add_marked(index, tmp_path, v2_0=REQUIRES)}
        route = index.routes[route_of(files[UPSTREAM])]
        with running_shim(index.url) as shim:
            entry = shim.ask(f"{NAME}/").files()[CHOSEN]
            evil = bytearray(route.body)
            evil[evil.index(b".py") + 4] ^= 1  # in the first entry's data, which stays
            _tamper(index, files[UPSTREAM], bytes(evil))
            asked = index.asked(UPSTREAM)
            status, promised, body = fetch(shim, entry["url"])
            assert status == 200
            assert len(body) < promised
            with pytest.raises(zipfile.BadZipFile):
                members(body)
            assert "does not have the sha256 that its index lists" in shim.journal.failures[0]
            # Once is enough: an installer that tries again does not fetch it again.
            assert fetch(shim, entry["url"])[0] == 424
            assert index.asked(UPSTREAM) == asked + 1
            assert shim.ask(f"{NAME}/").files()[CHOSEN]["hashes"] == {}


@pytest.mark.parametrize("change", ["shorter", "longer", "other end", "gone"])
def test_a_wheel_that_changes_between_plan_and_download(index: FakeIndex, change: str) -> None:
    path = next(path for path in index.routes if path.endswith(UPSTREAM))
    route = index.routes[path]
    with running_shim(index.url) as shim:
        entry = shim.ask(f"{NAME}/").files()[CHOSEN]
        body = {
            "shorter": route.body[:-40],
            "longer": route.body + b"x",
            "other end": route.body[:-1] + b"\1",
            "gone": b"",
        }[change]
        index.routes[path] = Route(status=404) if change == "gone" else replace(route, body=body)
        status, promised, sent = fetch(shim, entry["url"])
        if change in ("gone", "longer"):
            assert status == 424
        else:
            assert len(sent) < promised
        assert len(shim.journal.failures) == 1


def _hidden(tmp_path: Path, wheel: Path) -> tuple[list[str], str]:
    """Serve a release with the given cu128 wheel; return the files shown and what is said of that wheel."""
    with FakeIndex() as index:
        files = add_marked(index, tmp_path / "served", v1_0=["plainlib"], v2_0=REQUIRES)
        new = index.add_file(wheel)
        index.add_project(NAME, [new if file.filename == new.filename else file for file in files])
        with running_shim(index.url) as shim:
            shown = list(shim.ask(f"{NAME}/").files())
            (warning,) = (line for line in shim.journal.warnings if line.startswith(f"{NAME} 2.0"))
            return shown, warning


SHOWN_INSTEAD = [f"{NAME}-1.0-0_cu128-py3-none-any.whl", f"{NAME}-2.0-0_cu126-py3-none-any.whl"]


def test_a_signed_wheel_is_hidden(tmp_path: Path) -> None:
    path = next(path for path in write_marked(tmp_path / "x", "2.0") if path.name == UPSTREAM)
    entries = members(path.read_bytes())
    path.write_bytes(zip_bytes({**entries, f"{NAME}-2.0.dist-info/RECORD.jws": b"{}"}))
    shown, warning = _hidden(tmp_path, path)
    assert shown == SHOWN_INSTEAD
    assert "is signed" in warning


def test_a_wheel_written_as_a_stream_is_hidden(tmp_path: Path) -> None:
    path = next(path for path in write_marked(tmp_path / "x", "2.0") if path.name == UPSTREAM)

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    stream = Pipe()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members(path.read_bytes()).items():
            archive.writestr(name, data)
    path.write_bytes(stream.getvalue())
    shown, warning = _hidden(tmp_path, path)
    assert shown == SHOWN_INSTEAD
    assert "written as a stream" in warning


def test_what_is_wrong_with_a_wheel_is_found_once(tmp_path: Path) -> None:
    path = next(path for path in write_marked(tmp_path / "x", "2.0") if path.name == UPSTREAM)
    path.write_bytes(zip_bytes({**members(path.read_bytes()), f"{NAME}-2.0.dist-info/RECORD.jws": b"{}"}))
    with FakeIndex() as index:
        files = add_marked(index, tmp_path / "served", v2_0=REQUIRES)
        new = index.add_file(path)
        index.add_project(NAME, [new if file.filename == new.filename else file for file in files])
        with running_shim(index.url) as shim:
            shim.ask(f"{NAME}/")
            asked = index.asked(".whl")
            assert list(shim.ask(f"{NAME}/").files()) == SHOWN_INSTEAD[1:]
            assert index.asked(".whl") == asked


def test_a_wheel_that_was_gone_may_come_back(index: FakeIndex) -> None:
    path = next(path for path in index.routes if path.endswith(UPSTREAM))
    route = index.routes[path]
    index.routes[path] = Route(status=404)
    with running_shim(index.url) as shim:
        assert list(shim.ask(f"{NAME}/").files()) == SHOWN_INSTEAD[1:]
        assert "answered 404" in shim.journal.warnings[0]
        index.routes[path] = route
        assert list(shim.ask(f"{NAME}/").files()) == [CHOSEN]


def test_metadata_that_is_too_large_is_said(tmp_path: Path) -> None:
    requires = [*REQUIRES, *(f"a{number}" for number in range(300_000))]
    with FakeIndex() as index:
        files = add_marked(index, tmp_path, v2_0={"cu128": requires, "cu126": ["plainlib"]})
        kept = [file for file in files if "null" not in file.filename]
        index.add_project(NAME, [replace(file, core_metadata=False) for file in kept])
        with running_shim(index.url) as shim:
            shim.ask(f"{NAME}/")
            assert shim.journal.warnings == (
                f"{UPSTREAM} is not looked at for variant markers: it has no METADATA of at most 4 MB",
            )


def test_metadata_that_is_not_the_listed_one_hides_the_wheel(tmp_path: Path) -> None:
    with FakeIndex() as index:
        files = add_marked(index, tmp_path, v1_0=["plainlib"], v2_0=REQUIRES)
        index.add_project(
            NAME,
            [
                replace(file, core_metadata={"sha256": "0" * 64}) if file.filename == UPSTREAM else file
                for file in files
            ],
        )
        with running_shim(index.url) as shim:
            assert list(shim.ask(f"{NAME}/").files()) == SHOWN_INSTEAD
            assert "its METADATA does not have the sha256 that its index lists" in shim.journal.warnings[0]


def _dist_info_first(path: Path, filling: int) -> None:
    """Put METADATA before everything else, and incompressible bytes behind it."""
    entries = members(path.read_bytes())
    name = f"{NAME}-2.0.dist-info/METADATA"
    record = f"{NAME}-2.0.dist-info/RECORD"
    data = random.Random(1).randbytes(filling)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    row = f"{NAME}_data.bin,sha256={digest},{len(data)}\n".encode()
    changed = {**entries, f"{NAME}_data.bin": data, record: row + entries[record]}
    path.write_bytes(zip_bytes({name: entries[name], **changed}))


def test_metadata_far_from_the_end_is_read_by_its_own_range(tmp_path: Path) -> None:
    path = next(path for path in write_marked(tmp_path / "x", "2.0") if path.name == UPSTREAM)
    _dist_info_first(path, 9 << 20)
    with FakeIndex() as index:
        new = index.add_file(path)
        files = add_marked(index, tmp_path / "served", v2_0=REQUIRES)
        index.routes[route_of(new)] = Route(path.read_bytes())
        index.add_project(NAME, [new if file.filename == new.filename else file for file in files])
        with running_shim(index.url) as shim:
            entry = shim.ask(f"{NAME}/").files()[CHOSEN]
            asked = [wanted.partition("=")[2] for wanted in index.ranges if UPSTREAM in wanted]
            assert sum(_length(wanted) for wanted in asked) < 400_000
            _, promised, wheel = fetch(shim, entry["url"])
            assert len(wheel) == promised
            assert shim.journal.warnings == shim.journal.failures == ()
    assert requirements_of(wheel) == EXPECTED
    before, now = members(path.read_bytes()), members(wheel)
    assert [name.rpartition("/")[2] for name in before if before[name] != now[name]] == ["METADATA", "RECORD"]


def _length(wanted: str) -> int:
    first, _, last = wanted.partition("-")
    return int(last) - int(first) + 1 if first else int(last)


@pytest.fixture
def without_ranges(index: FakeIndex) -> FakeIndex:
    """Return an index that does no ranges, and has no METADATA beside its wheels."""
    for path, route in list(index.routes.items()):
        if path.endswith(".metadata"):
            del index.routes[path]
        # So large that the answer to a range is not read to its end.
        elif path.endswith(".whl"):
            index.routes[path] = replace(route, ranged=Route(b"x" * (1 << 17)))
    page = index.routes[f"/simple/{NAME}/"]
    files = json.loads(page.body)["files"]
    for file in files:
        file.pop("core-metadata", None)
    page.body = json.dumps({**json.loads(page.body), "files": files}).encode()
    return index


def test_wheels_of_a_server_without_ranges_and_metadata_are_downloaded(without_ranges: FakeIndex) -> None:
    with running_shim(without_ranges.url) as shim:
        entry = shim.ask(f"{NAME}/").files()[CHOSEN]
        assert requirements_of(fetch(shim, entry["url"])[2]) == EXPECTED
        assert shim.journal.warnings == ()


def test_what_was_downloaded_must_have_its_hash(without_ranges: FakeIndex) -> None:
    path = next(path for path in without_ranges.routes if path.endswith(UPSTREAM))
    route = without_ranges.routes[path]
    without_ranges.routes[path] = replace(route, body=route.body[:-1] + b"\1")
    with running_shim(without_ranges.url) as shim:
        assert CHOSEN in shim.ask(f"{NAME}/").files()
        (warning,) = shim.journal.warnings
    assert warning.startswith(f"{UPSTREAM} is not looked at for variant markers: ")
    assert "does not have the sha256 that its index lists" in warning


def test_what_is_too_large_to_be_downloaded_is_said(
    without_ranges: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("variant_index.upstream.remote_wheel.MAX_WHOLE_BYTES", 100)
    with running_shim(without_ranges.url) as shim:
        shim.ask(f"{NAME}/")
        (warning,) = shim.journal.warnings
    assert warning.startswith(f"{UPSTREAM} is not looked at for variant markers: ")
    assert "its server does no ranges" in warning


def test_older_releases_are_looked_at_when_a_newer_one_has_markers(tmp_path: Path) -> None:
    versions = {f"v{number}_0": REQUIRES for number in range(1, 13)}
    with FakeIndex() as index:
        add_marked(index, tmp_path, **versions)
        with running_shim(index.url) as shim:
            files = shim.ask(f"{NAME}/").files()
            assert len(files) == 12
            assert all(entry["hashes"] == {} for entry in files.values())


def test_the_new_hash_outlives_the_run(index: FakeIndex, tmp_path: Path) -> None:
    hashes = []
    for _ in range(2):
        with running_shim(index.url, cache=DiskCache(tmp_path / "cache")) as shim:
            entry = shim.ask(f"{NAME}/").files()[CHOSEN]
            hashes.append(entry["hashes"].get("sha256"))
            wheel = fetch(shim, entry["url"])[2]
    assert hashes == [None, hashlib.sha256(wheel).hexdigest()]
    # What the wheel becomes depends on the machine, and so does what is remembered of it.
    with running_shim(
        index.url, machine=lambda: cuda_machine("13.0"), cache=DiskCache(tmp_path / "cache")
    ) as shim:
        assert shim.ask(f"{NAME}/").files()[CHOSEN]["hashes"] == {"sha256": hashes[1]}


def test_a_project_without_variants_is_not_looked_at(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "other-1.0-py3-none-any.whl", requires_dist=["a; variant_label == ''"])
    with FakeIndex() as index:
        index.add_project("other", [index.add_file(wheel)])
        with running_shim(index.url) as shim:
            assert shim.ask("other/").body == index.routes["/simple/other/"].body
        assert index.asked(".whl") == 0

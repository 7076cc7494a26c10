"""Documents that their wheels contradict, over real HTTP and with real pip: the plain wheel and a warning."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.making import document, make_wheel, zip_bytes
from tests.variant_index.shim.family import DOCUMENT, LABELS, NAME, write_release, write_sidecar
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.cli import main
from variant_index.generations.convert import convert
from variant_index.shim.verification import EAGER_WHEELS
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import render_html
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.source import Source

CU128 = f"{NAME}-2.0-py3-none-any-cu128.whl"
PLAIN = f"{NAME}-2.0-py3-none-any.whl"
CHOSEN = f"{NAME}-2.0-0_cu128-py3-none-any.whl"
SIDECAR = f"{NAME}-2.0-variants.json"


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def pip(folder: Path, index_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--target", str(folder)]
    return subprocess.run(
        [*command, "--disable-pip-version-check", "--index-url", index_url, *arguments],
        env={**kept, "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        timeout=60,
    )


def installed(folder: Path) -> str:
    namespace: dict[str, str] = {}
    exec((folder / f"{NAME}.py").read_text(), namespace)
    return namespace["__file_name__"]


def altered_sidecar(folder: Path) -> list[Path]:
    """Claim that the machine of the tests (CUDA 12.8) can run what needs CUDA 13.0."""
    sidecar = document({**LABELS, "cu128": LABELS["cu130"], "cu130": LABELS["cu128"]})
    return [*write_release(folder), write_sidecar(folder, json.dumps(sidecar).encode())]


def own_document(variant_json: dict[str, object] | bytes | None) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        paths = [*write_release(folder), write_sidecar(folder)]
        make_wheel(folder, CU128, variant_json=variant_json)
        return paths

    return write


def no_archive(folder: Path) -> list[Path]:
    paths = [*write_release(folder), write_sidecar(folder)]
    (folder / CU128).write_bytes(b"no archive" * 100)
    return paths


def two_metadata_folders(folder: Path) -> list[Path]:
    paths = [*write_release(folder), write_sidecar(folder)]
    (folder / CU128).write_bytes(
        zip_bytes({f"{NAME}-2.0.dist-info/METADATA": b"", "x-1.dist-info/METADATA": b""})
    )
    return paths


CU126_ONLY = document({"cu126": LABELS["cu126"]})
WRONG: dict[str, tuple[Callable[[Path], list[Path]], str]] = {
    "properties altered": (
        altered_sidecar,
        f"{NAME}-2.0-py3-none-any-cu130.whl has nvidia :: cuda_version_lower_bound :: 13.0, unlike {SIDECAR}",
    ),
    "label swapped": (
        own_document(CU126_ONLY),
        f"{CU128} describes label cu126, not the cu128 of its name, unlike {SIDECAR}",
    ),
    "other properties": (
        own_document(
            document({"cu128": {"nvidia": {"sm_arch": ["90"], "cuda_version_lower_bound": ["12.8"]}}})
        ),
        f"{CU128} has nvidia :: sm_arch :: 90, unlike {SIDECAR}",
    ),
    "namespaces turned": (
        own_document(document({"cu128": LABELS["cu128"]}, ["amd", "nvidia"])),
        f"{CU128} orders namespaces as amd, nvidia, unlike {SIDECAR}",
    ),
    "no document": (own_document(None), f"{CU128} has no variant.json"),
    "no JSON": (own_document(b"{"), f"{CU128}: variant.json: not JSON"),
    "no archive": (no_archive, f"{CU128}: not a complete zip archive (truncated?)"),
    "two wheels in one": (two_metadata_folders, f"{CU128}: has several .dist-info folders"),
}


def serve(index: FakeIndex, paths: list[Path]) -> list[ProjectFile]:
    files = []
    for path in paths:
        data = path.read_bytes()
        index.routes[f"/files/{path.name}"] = Route(data)
        if path.name == CU128:
            # Not by add_file, which would have to read it.
            digest = {"sha256": hashlib.sha256(data).hexdigest()}
            files.append(ProjectFile(path.name, f"{index.root}/files/{path.name}", digest, size=len(data)))
        else:
            files.append(index.add_file(path))
    index.add_project(NAME, files)
    return files


@pytest.mark.parametrize("wrong", WRONG)
def test_a_release_that_disagrees_is_its_plain_wheel(index: FakeIndex, tmp_path: Path, wrong: str) -> None:
    write, difference = WRONG[wrong]
    serve(index, write(tmp_path / "in"))
    with running_shim(index.url) as shim:
        assert list(shim.ask(f"{NAME}/").files()) == [PLAIN]
        (warning,) = shim.journal.warnings
        assert warning.startswith(f"variants of {NAME} 2.0 are ignored: {difference}")
        assert warning.isprintable()
        assert list(shim.journal.failures) == []
        asked = len(index.ranges)
        assert CHOSEN.encode() not in shim.ask(f"{NAME}/", accept="text/html").body
        assert len(index.ranges) == asked
        if wrong in ("properties altered", "no document"):
            done = pip(tmp_path / "target", shim.index_url, NAME)
            assert done.returncode == 0, done.stderr
            assert installed(tmp_path / "target") == PLAIN


@pytest.mark.parametrize("wrong", WRONG)
def test_the_same_from_a_folder(tmp_path: Path, wrong: str) -> None:
    write, difference = WRONG[wrong]
    write(tmp_path / "in")
    with running_shim(Source.find_links(str(tmp_path / "in"))) as shim:
        assert list(shim.ask(f"{NAME}/").files()) == [PLAIN]
        assert any(difference in warning for warning in shim.journal.warnings)
        assert list(shim.journal.failures) == []


def test_a_folder_that_agrees_and_then_does_not(tmp_path: Path) -> None:
    write_release(tmp_path)
    write_sidecar(tmp_path)
    with running_shim(Source.find_links(str(tmp_path))) as shim:
        (url,) = [one["url"] for name, one in shim.ask(f"{NAME}/").files().items() if name == CHOSEN]
        assert shim.ask(url).status == 200
        make_wheel(tmp_path, CU128, variant_json=CU126_ONLY)
        answer = shim.ask(url)
        assert (answer.status, "describes label cu126" in answer.reason) == (424, True)
        assert len(shim.journal.failures) == 1
        assert list(shim.ask(f"{NAME}/").files()) == [PLAIN]


@pytest.mark.parametrize("generation", ["0.0.2", "0.0.3", "825", "0.2.0"])
def test_wheels_of_every_generation_are_installed(index: FakeIndex, tmp_path: Path, generation: str) -> None:
    paths = [*write_release(tmp_path), write_sidecar(tmp_path)]
    own = json.dumps({**DOCUMENT, "variants": {"cu128": LABELS["cu128"]}}).encode()
    make_wheel(tmp_path, CU128, variant_json=convert(own, "w", generation).data)  # type: ignore[arg-type]
    serve(index, paths)
    with running_shim(index.url) as shim:
        assert CHOSEN in shim.ask(f"{NAME}/").files()
        assert list(shim.journal.warnings) == []


@pytest.mark.parametrize("answer", ["whole", "endless", "not implemented"])
def test_without_ranges_nothing_is_compared_and_all_is_well(
    index: FakeIndex, tmp_path: Path, answer: str
) -> None:
    serve(index, [*write_release(tmp_path / "in"), write_sidecar(tmp_path / "in")])
    route = index.routes[f"/files/{CU128}"]
    noise = b"x" * 200_000
    route.ranged = {
        "whole": Route(noise),
        "endless": Route(noise, promised=10**12),
        "not implemented": Route(status=501),
    }[answer]
    with running_shim(index.url) as shim:
        done = pip(tmp_path / "target", shim.index_url, NAME)
        assert done.returncode == 0, done.stderr
        assert installed(tmp_path / "target") == CU128
        assert [*shim.journal.warnings, *shim.journal.failures] == []
    assert len(index.ranges) == 1  # once, not again for each request


LIES = {
    "other bytes": Route(b"0" * 9, status=206, headers={"Content-Range": "bytes 1-9/1000000"}),
    "too short": Route(b"0" * 5, status=206, headers={"Content-Range": "bytes 0-9/10"}),
    "endless": Route(b"0" * 200_000, status=206, headers={"Content-Range": "bytes 0-9/10"}, promised=10**12),
}


@pytest.mark.parametrize("lie", LIES)
def test_wrong_ranges_are_said_and_stop_nobody(index: FakeIndex, tmp_path: Path, lie: str) -> None:
    serve(index, [*write_release(tmp_path / "in"), write_sidecar(tmp_path / "in")])
    index.routes[f"/files/{CU128}"].ranged = LIES[lie]
    with running_shim(index.url) as shim:
        url = shim.ask(f"{NAME}/").files()[CHOSEN]["url"]
        assert list(shim.journal.warnings) == []  # nobody takes it yet
        assert shim.ask(url).status == 302
        (warning,) = shim.journal.warnings
        assert warning.startswith(f"{CU128} was not compared with its release's document: {index.root}")
        assert list(shim.journal.failures) == []


def test_a_wheel_that_only_we_do_not_read_is_not_refused(index: FakeIndex, tmp_path: Path) -> None:
    serve(index, [*write_release(tmp_path), write_sidecar(tmp_path)])
    route = index.routes[f"/files/{CU128}"]
    # Every entry as a stream writes it, with a data descriptor: installers read that, we do not.
    body = bytearray(route.body)
    position = body.find(b"PK\x01\x02")
    while position >= 0:
        body[position + 8] |= 8
        position = body.find(b"PK\x01\x02", position + 4)
    route.body = bytes(body)
    with running_shim(index.url) as shim:
        url = shim.ask(f"{NAME}/").files()[CHOSEN]["url"]
        assert shim.ask(url).status == 302
        (warning,) = shim.journal.warnings
        assert "data descriptors" in warning
        assert warning.startswith("not compared")


def test_a_server_that_is_down_fails_what_is_taken_and_no_more(index: FakeIndex, tmp_path: Path) -> None:
    serve(index, [*write_release(tmp_path), write_sidecar(tmp_path)])
    route = index.routes[f"/files/{CU128}"]
    route.ranged = Route(status=500)
    with running_shim(index.url) as shim:
        url = shim.ask(f"{NAME}/").files()[CHOSEN]["url"]
        assert [*shim.journal.warnings, *shim.journal.failures] == []
        assert shim.ask(url).status == 424
        assert shim.journal.failures == (f"{index.root}/files/{CU128} answered 500 Internal Server Error",)
        route.ranged = None
        assert shim.ask(url).status == 302


def many(index: FakeIndex, folder: Path, versions: range, wrong: set[int]) -> None:
    """Serve releases of a plain wheel and cu128."""
    for number in versions:
        version = f"{number}.0"
        make_wheel(folder, f"{NAME}-{version}-py3-none-any.whl")
        own = CU126_ONLY if number in wrong else {**DOCUMENT, "variants": {"cu128": LABELS["cu128"]}}
        make_wheel(folder, f"{NAME}-{version}-py3-none-any-cu128.whl", variant_json=own)
        write_sidecar(folder, version=version)
    index.add_project(NAME, [index.add_file(path) for path in sorted(folder.iterdir())])


def compared(index: FakeIndex) -> list[int]:
    """Return the releases whose variant was read, as often as it was."""
    return sorted(int(one.split("-")[1][:-2]) for one in index.ranges if "cu128" in one)


def labels(shim: Shim) -> dict[int, bool]:
    """Return for each release whether a variant of it is listed."""
    return {int(name.split("-")[1][:-2]): "_cu128-" in name for name in shim.ask(f"{NAME}/").files()}


def test_only_the_newest_are_compared_beforehand(index: FakeIndex, tmp_path: Path) -> None:
    many(index, tmp_path, range(1, 31), wrong=set())
    cache = DiskCache(tmp_path / "cache")
    with running_shim(index.url, cache=cache) as shim:
        assert labels(shim) == dict.fromkeys(range(1, 31), True)
        assert compared(index) == list(range(31 - EAGER_WHEELS, 31))
        labels(shim)
    with running_shim(index.url, cache=cache) as shim:
        labels(shim)
    assert len(compared(index)) == len(index.ranges) == EAGER_WHEELS  # for ever, by their hashes


def test_an_older_wheel_that_disagrees_is_refused_and_known_from_then_on(
    index: FakeIndex, tmp_path: Path
) -> None:
    many(index, tmp_path / "in", range(1, 31), wrong={5})
    cache = DiskCache(tmp_path / "cache")
    with running_shim(index.url, cache=cache) as shim:
        done = pip(tmp_path / "target", shim.index_url, f"{NAME}==5.0")
        assert done.returncode == 1
        (failure,) = shim.journal.failures
        assert failure == (
            f"{NAME}-5.0-py3-none-any-cu128.whl describes label cu126, not the cu128 of its name,"
            f" unlike {NAME}-5.0-variants.json; it is not handed out: run again, or without {NAME} 5.0"
        )
        assert "describes label cu126" in done.stderr
    assert not (tmp_path / "target").exists()
    with running_shim(index.url, cache=cache) as shim:
        done = pip(tmp_path / "target", shim.index_url, f"{NAME}==5.0")
        assert done.returncode == 0, done.stderr
        assert installed(tmp_path / "target") == f"{NAME}-5.0-py3-none-any.whl"
        assert [line for line in shim.journal.warnings if "5.0 are ignored" in line]
        assert labels(shim) == {**dict.fromkeys(range(1, 31), True), 5: False}


def test_all_that_are_wrong_among_the_newest_are_said(index: FakeIndex, tmp_path: Path) -> None:
    many(index, tmp_path, range(1, 13), wrong={7, 10, 12})
    with running_shim(index.url) as shim:
        assert [number for number, variant in labels(shim).items() if not variant] == [10, 12, 7]
        assert len(shim.journal.warnings) == 3
        # As three have no variant any more, three more were looked at.
        assert compared(index) == list(range(2, 13))


def test_a_page_that_is_wrong_throughout_ends(index: FakeIndex, tmp_path: Path) -> None:
    many(index, tmp_path, range(1, 51), wrong=set(range(1, 51)))
    with running_shim(index.url) as shim:
        assert sum(labels(shim).values()) == 50 - 4 * EAGER_WHEELS
        assert len(compared(index)) == 4 * EAGER_WHEELS
        warnings = shim.journal.warnings
        assert [line.partition(" are ignored")[0].rpartition(" ")[2] for line in warnings[:3]] == [
            "50.0",
            "49.0",
            "48.0",
        ]
        assert warnings[3:] == (
            f"variants of 29 older releases of {NAME} are ignored as well:"
            " their wheels contradict their documents",
        )


def test_a_page_without_variants_costs_no_request(index: FakeIndex, tmp_path: Path) -> None:
    files = [index.add_file(make_wheel(tmp_path, "a-1.0-py3-none-any.whl"))]
    index.routes["/simple/a/"] = Route(render_html(ProjectPage("a", tuple(files))), "text/html")
    with running_shim(index.url) as shim:
        assert shim.ask("a/").status == 200
    assert (index.requests, index.ranges) == (["GET /simple/a/"], [])


@pytest.mark.parametrize("wrong", ["properties altered", "no document", "no archive"])
def test_explain_says_what_would_be_installed(
    index: FakeIndex,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write, difference = WRONG[wrong]
    serve(index, write(tmp_path / "in"))
    arguments = ["explain", NAME, "-i", index.url, "--machine", "cuda12.8-sm90", "--json"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["selected"]["filename"] == PLAIN
    assert err.startswith(f"warning: variants of {NAME} 2.0 are ignored: {difference}")
    assert err.count("\n") == 1


def test_explain_compares_what_the_page_does(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    many(index, tmp_path / "in", range(1, 4), wrong={1})
    with running_shim(index.url) as shim:
        shim.ask(f"{NAME}/")
        warnings = [f"warning: {line}" for line in shim.journal.warnings]
    assert "1.0 are ignored" in warnings[0]
    for wanted, version in ((NAME, "3.0"), (f"{NAME}<2", "1.0")):
        assert main(["explain", wanted, "-i", index.url, "--machine", "cuda12.8-sm90"]) == 0
        out, err = capsys.readouterr()
        assert out.startswith(f"{NAME} {version}\n")
        assert err.splitlines() == warnings

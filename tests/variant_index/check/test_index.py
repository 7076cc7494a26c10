"""A good index has no finding, from disk and over HTTP; every lie on its pages is found."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.loopback import serving
from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, flatten, make_family, make_variant
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.check.index import IndexCheck, check_index
from variant_index.check.sources import FolderIndex, RemoteIndex, index_folder
from variant_index.errors import UpstreamError
from variant_index.model.rules import RULES
from variant_index.publish.build import build_index
from variant_index.publish.serve import IndexServer
from variant_index.simple_api.page import ProjectPage
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import JSON_TYPE, render_html, render_root_json
from variant_index.upstream.network import Network, UnreachableError

PLAIN = "vdemo-2.0-py3-none-any.whl"
SIDECAR = "vdemo-2.0-variants.json"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    make_family(tmp_path / "in")
    make_wheel(tmp_path / "in", "other-1.0-py3-none-any.whl")
    (tmp_path / "in" / "vdemo-2.0.tar.gz").write_bytes(b"source")
    build_index([tmp_path / "in"], tmp_path / "out", now="2026-01-31T12:00:00Z")
    # Indexes of other programs have files beside pages.
    flatten(tmp_path / "out")
    return tmp_path / "out"


def from_disk(out: Path) -> IndexCheck:
    folder = index_folder(out)
    assert folder is not None
    return check_index(FolderIndex(folder))


@pytest.fixture
def served(out: Path) -> Iterator[Callable[[Path], IndexCheck]]:
    with serving(IndexServer(out)) as server:
        yield lambda _: check_index(RemoteIndex(server.url, Network()))


def codes(check: IndexCheck) -> list[str]:
    for finding in check.findings:
        assert finding.message.isprintable()
    return sorted({finding.code for finding in check.findings} - {"REL112"})


def edit(out: Path, change: Callable[[dict[str, Any]], object], *, html: bool = True) -> None:
    """Change the JSON page of vdemo, and the HTML page to say the same."""
    place = out / "simple" / "vdemo" / "index.json"
    page = json.loads(place.read_bytes())
    change(page)
    place.write_text(json.dumps(page))
    if html:
        url = "http://localhost/"
        parsed = parse_page(place.read_bytes(), JSON_TYPE, url, "vdemo")
        text = render_html(ProjectPage("vdemo", parsed.files)).replace(url.encode(), b"")
        (place.parent / "index.html").write_bytes(text)


def entry(name: str, **fields: object) -> Callable[[Path], None]:
    def change(page: dict[str, Any]) -> None:
        found = next(file for file in page["files"] if file["filename"] == name)
        found.update(fields)
        for key in [key for key, value in found.items() if value is None]:
            del found[key]

    return lambda out: edit(out, change)


def vdemo(out: Path) -> Path:
    return out / "simple" / "vdemo"


def html_only(old: str, new: str) -> Callable[[Path], object]:
    def change(out: Path) -> None:
        page = vdemo(out) / "index.html"
        text = page.read_text()
        assert old in text
        page.write_text(text.replace(old, new, 1))

    return change


def unlisted(name: str) -> Callable[[Path], None]:
    def change(page: dict[str, Any]) -> None:
        page["files"] = [file for file in page["files"] if file["filename"] != name]

    return lambda out: edit(out, change)


def replace_sidecar(old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(out: Path) -> None:
        place = vdemo(out) / SIDECAR
        data = place.read_bytes()
        assert old in data
        place.write_bytes(data.replace(old, new))
        relist(out, SIDECAR)

    return change


def relist(out: Path, name: str) -> None:
    """Make the page list what the file is now."""
    import hashlib

    data = (vdemo(out) / name).read_bytes()
    entry(name, size=len(data), hashes={"sha256": hashlib.sha256(data).hexdigest()})(out)


def bad_wheel(out: Path) -> None:
    """A wheel was replaced by one with content that its RECORD does not state, and listed anew."""
    path = vdemo(out) / PLAIN
    data = bytearray(path.read_bytes())
    place = data.index(b"vdemo.py") + len("vdemo.py") + 3
    data[place] ^= 0xFF
    path.write_bytes(data)
    relist(out, PLAIN)


def twice(page: dict[str, Any]) -> None:
    page["files"].append(dict(page["files"][0]))


def sidecar_renamed(out: Path) -> None:
    (vdemo(out) / SIDECAR).rename(vdemo(out) / "vdemo-2.0.0-variants.json")
    entry(SIDECAR, filename="vdemo-2.0.0-variants.json", url="vdemo-2.0.0-variants.json")(out)


def other_metadata_in_html(out: Path) -> None:
    page = vdemo(out) / "index.html"
    digest = re.compile('(core-metadata="sha256=)[0-9a-f]{64}')
    page.write_text(digest.sub(rf"\g<1>{'0' * 64}", page.read_text()))


def large_sidecar(out: Path) -> None:
    place = vdemo(out) / SIDECAR
    place.write_bytes(place.read_bytes() + b" " * (1 << 20))
    relist(out, SIDECAR)


def stray_sidecar(out: Path) -> None:
    name = "vdemo-1.0-variants.json"
    (vdemo(out) / name).write_bytes((vdemo(out) / SIDECAR).read_bytes())
    edit(out, lambda page: page["files"].append({"filename": name, "url": name, "hashes": {}}))
    relist(out, name)


def without_page(out: Path) -> None:
    for form in ("html", "json"):
        (out / f"simple/other/index.{form}").unlink()


LIES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a page that is no JSON": ("IDX001", lambda out: (vdemo(out) / "index.json").write_bytes(b"{")),
    "a page of another version": (
        "IDX001",
        lambda out: edit(out, lambda page: page["meta"].update({"api-version": "2.0"}), html=False),
    ),
    "a list of projects that is none": (
        "IDX001",
        lambda out: (out / "simple" / "index.json").write_bytes(b'{"projects": [1]}'),
    ),
    "an entry that cannot be used": ("IDX002", entry(PLAIN, hashes={"sha256": "x"})),
    "a file in JSON only": ("IDX003", html_only(f'href="{PLAIN}', 'href="x.txt')),
    "another hash in HTML": ("IDX003", html_only("#sha256=", "#sha256=" + "0" * 64 + '" x="')),
    "no hash in HTML": ("IDX003", html_only("#sha256=", "#egg=")),
    "another yank in HTML": (
        "IDX003",
        html_only("data-requires-python", 'data-yanked="" data-requires-python'),
    ),
    "another Requires-Python in HTML": ("IDX003", html_only("&gt;=3.8", "&gt;=3.9")),
    "another upload time in HTML": ("IDX003", html_only("2026-01-31", "2026-02-01")),
    "another metadata hash in HTML": (
        "IDX003",
        other_metadata_in_html,
    ),
    "a file that is gone": ("IDX004", lambda out: (vdemo(out) / PLAIN).unlink()),
    "a sidecar that is gone": ("IDX004", lambda out: (vdemo(out) / SIDECAR).unlink()),
    "another sdist": ("IDX005", lambda out: (vdemo(out) / "vdemo-2.0.tar.gz").write_bytes(b"SOURCE")),
    "another wheel": (
        "IDX005",
        lambda out: make_wheel(vdemo(out), PLAIN, requires_python=">=3.8", files={"x.py": b""}),
    ),
    "another sha512": ("IDX005", entry(PLAIN, hashes={"sha512": "0" * 128})),
    "another size": ("IDX006", entry(PLAIN, size=5)),
    "no hash": ("IDX007", entry(PLAIN, hashes={})),
    "a weak hash": ("IDX007", entry(PLAIN, hashes={"md5": "0" * 32})),
    "variants without a sidecar": ("IDX008", unlisted(SIDECAR)),
    "a sidecar that differs": ("IDX009", replace_sidecar(b"12.8", b"12.9")),
    "a sidecar that misses a label": ("IDX009", replace_sidecar(b'"null": {}', b'"none": {}')),
    "a sidecar that is no document": ("IDX009", replace_sidecar(b"{", b"[")),
    "a sidecar too large": ("IDX009", large_sidecar),
    "a sidecar of another name": ("IDX009", sidecar_renamed),
    "a sidecar without variants": ("IDX009", stray_sidecar),
    "metadata that is gone": ("IDX010", lambda out: (vdemo(out) / f"{PLAIN}.metadata").unlink()),
    "other metadata": ("IDX010", lambda out: (vdemo(out) / f"{PLAIN}.metadata").write_bytes(b"Name: x\n")),
    "another hash of metadata": ("IDX010", entry(PLAIN, **{"core-metadata": {"sha256": "0" * 64}})),
    "another Requires-Python": ("IDX011", entry(PLAIN, **{"requires-python": ">=3.9"})),
    "no Requires-Python": ("IDX011", entry(PLAIN, **{"requires-python": None})),
    "a file of another project": (
        "IDX012",
        entry(PLAIN, filename="other-1.0-py3-none-any.whl", url="../other/other-1.0-py3-none-any.whl"),
    ),
    "a project without page": ("IDX013", without_page),
    "a project in one form of the list": (
        "IDX013",
        lambda out: (out / "simple/index.json").write_bytes(b'{"meta": {}, "projects": [{"name": "vdemo"}]}'),
    ),
    "a file twice": ("IDX014", lambda out: edit(out, twice)),
    "an address of another file": ("IDX016", entry(PLAIN, url="vdemo-1.0-py3-none-any.whl")),
    "a wheel whose content is not what it was": ("WHL119", bad_wheel),
}
ON_DISK: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a page that no list names": (
        "IDX013",
        lambda out: [
            (out / "simple/index.json").write_bytes(b'{"meta": {}, "projects": [{"name": "vdemo"}]}'),
            (out / "simple/index.html").write_text('<a href="vdemo/">vdemo</a>'),
        ],
    ),
    "a file on a server": ("IDX015", entry(PLAIN, url=f"https://localhost/{PLAIN}")),
    "a file elsewhere": ("IDX015", entry(PLAIN, url=f"../../../in/{PLAIN}")),
}


def test_a_good_index(out: Path, served: Callable[[Path], IndexCheck]) -> None:
    for check in (from_disk(out), served(out)):
        assert codes(check) == []
        assert check.files == 8


def test_our_own_layout_is_good(out: Path, tmp_path: Path, served: Callable[[Path], IndexCheck]) -> None:
    shutil.rmtree(out)
    build_index([tmp_path / "in"], out, now="2026-01-31T12:00:00Z")
    for check in (from_disk(out), served(out)):
        assert codes(check) == []
        assert check.files == 8


def test_an_index_of_one_form_is_good(out: Path) -> None:
    for path in out.rglob("index.json"):
        path.unlink()
    assert codes(from_disk(out)) == []


@pytest.mark.parametrize("case", [*LIES, *ON_DISK])
def test_lies_on_disk(out: Path, case: str) -> None:
    code, lie = (LIES | ON_DISK)[case]
    lie(out)
    assert code in codes(from_disk(out))


@pytest.mark.parametrize("case", LIES)
def test_lies_of_a_server(out: Path, served: Callable[[Path], IndexCheck], case: str) -> None:
    code, lie = LIES[case]
    lie(out)
    assert code in codes(served(out))


def test_every_rule_about_indexes_has_a_lie() -> None:
    told = {code for code, _ in (*LIES.values(), *ON_DISK.values())}
    assert told >= {code for code in RULES if code.startswith("IDX")}


def test_one_project_only(out: Path) -> None:
    (vdemo(out) / PLAIN).unlink()
    source = FolderIndex(out / "simple")
    assert codes(check_index(source, ["Other"])) == []
    assert codes(check_index(source, ["vdemo"])) == ["IDX004"]
    assert codes(check_index(source, ["gone"])) == ["IDX013"]


@pytest.mark.parametrize("name", ["vdemo-2.0-py3-none-any-cu128.whl", PLAIN, SIDECAR])
def test_of_an_incomplete_release_nothing_else_is_said(out: Path, name: str) -> None:
    entry(name, url=f"https://localhost/{name}")(out)
    assert codes(from_disk(out)) == ["IDX015"]


def test_of_a_refused_release_no_sidecar_is_judged(out: Path) -> None:
    make_variant(vdemo(out), "vdemo-2.0-py3-none-any-cu128.whl", CU128, ["amd", "nvidia"])
    relist(out, "vdemo-2.0-py3-none-any-cu128.whl")
    assert codes(from_disk(out)) == ["REL002"]


def test_findings_name_what_the_user_can_look_at(out: Path, served: Callable[[Path], IndexCheck]) -> None:
    bad_wheel(out)
    (on_disk,) = [finding for finding in from_disk(out).findings if finding.code == "WHL119"]
    assert on_disk.path == str(vdemo(out) / PLAIN)
    (remote,) = [finding for finding in served(out).findings if finding.code == "WHL119"]
    assert remote.path.startswith("http://127.0.0.1:")
    assert remote.path.endswith(f"/simple/vdemo/{PLAIN}")


def test_a_server_that_is_down(out: Path) -> None:
    with IndexServer(out) as server:
        url = server.url
    with pytest.raises(UnreachableError):
        check_index(RemoteIndex(url, Network()))


@pytest.mark.parametrize("what", ["file", "metadata"])
def test_a_server_that_goes_down_meanwhile(out: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def fail(*_: object) -> Path:
        raise UnreachableError("x: connection lost")

    monkeypatch.setattr(FolderIndex, what, fail)
    with pytest.raises(UnreachableError, match="connection lost"):
        from_disk(out)


def test_a_server_that_refuses_a_page() -> None:
    with FakeIndex() as index:
        index.routes["/simple/"] = Route(render_root_json(["x"]), JSON_TYPE)
        index.routes["/simple/x/"] = Route(b"", status=401)
        with pytest.raises(UpstreamError, match="answered 401"):
            check_index(RemoteIndex(f"{index.root}/simple", Network()))


def test_a_server_that_sends_without_end(out: Path, served: Callable[[Path], IndexCheck]) -> None:
    make_wheel(vdemo(out), PLAIN, files={"x.bin": os.urandom(2 << 20)})
    assert codes(served(out)) == ["IDX004"]
    (finding,) = [finding for finding in served(out).findings if finding.code == "IDX004"]
    assert "sends more than" in finding.message


def test_a_server_without_index(served: Callable[[Path], IndexCheck], out: Path) -> None:
    with (
        serving(IndexServer(out)) as server,
        pytest.raises(UpstreamError, match="there is no index"),
    ):
        check_index(RemoteIndex(f"{server.url}vdemo/nothing/", Network()))


def test_progress_is_told_by_projects(out: Path) -> None:
    told: list[tuple[int, int]] = []
    check_index(FolderIndex(out / "simple"), on_project=lambda *step: told.append(step))
    assert told == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize("name", ["..", "con:x.zip", ".hidden.zip", "a b.tar.gz", "x" * 300 + ".zip"])
def test_odd_names_reach_no_file(out: Path, served: Callable[[Path], IndexCheck], name: str) -> None:
    edit(out, lambda page: page["files"].append({"filename": name, "url": name, "hashes": {}}))
    for check in (from_disk(out), served(out)):
        assert {"IDX002", "IDX012"} & set(codes(check))


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damaged_pages_end_in_findings(out: Path, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(sorted(out.rglob("index.*"))))
    original = place.read_bytes()
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged)))
        damaged[start : start + data.draw(st.integers(0, 9))] = data.draw(
            st.one_of(
                st.binary(max_size=4), st.sampled_from([b'"', b"null", b"..", b"/", b"<a href=x>", b"%00"])
            )
        )
    place.write_bytes(damaged)
    try:
        codes(from_disk(out))
    finally:
        place.write_bytes(original)


def test_what_is_an_index_folder(out: Path, tmp_path: Path) -> None:
    assert index_folder(out) == index_folder(out / "simple") == out / "simple"
    assert index_folder(tmp_path / "in") is None
    assert index_folder(tmp_path / "nothing") is None

"""The plan: the order of writes, what pages list, and what stays of an earlier index."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.publish.family import make_family
from variant_index.publish.group import group_releases
from variant_index.publish.plan import Copy, Delete, Plan, Published, Put, plan_index, release_files
from variant_index.publish.release import Release
from variant_index.publish.scan import find_files, scan
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE

NOW = "2026-02-01T00:00:00Z"
URL = "https://index.example/simple/vdemo/"


@pytest.fixture
def releases(tmp_path: Path) -> list[Release]:
    return group_releases(scan(find_files([make_family(tmp_path)])))[0]


def page(plan: Plan, name: str = "vdemo") -> ProjectPage:
    (body,) = [
        step.content
        for step in plan.steps
        if isinstance(step, Put) and step.path == f"simple/{name}/index.json"
    ]
    return parse_page(body, JSON_TYPE, URL, name)


def _kind(path: str) -> str:
    suffixes = {".whl": "wheel", ".metadata": "metadata", "-variants.json": "sidecar"}
    for suffix, kind in suffixes.items():
        if path.endswith(suffix):
            return kind
    return "root" if path.startswith("simple/index.") else "page"


def test_nothing_is_named_before_it_is_there(releases: list[Release]) -> None:
    gone = ProjectPage("gone", (ProjectFile("gone-1-py3-none-any.whl", "x"),))
    plan = plan_index(releases, {"gone": gone}, [], NOW)
    kinds = [_kind(step.path) for step in plan.steps if not isinstance(step, Delete)]
    assert kinds == sorted(kinds, key=["wheel", "metadata", "sidecar", "page", "root"].index)
    assert set(kinds) == {"wheel", "metadata", "sidecar", "page", "root"}
    assert plan.steps[-2:] == (Delete("simple/gone/index.html"), Delete("simple/gone/index.json"))
    assert plan.dropped == (("gone", "1"),)


def test_the_page_lists_every_file_with_its_hash_and_metadata(releases: list[Release]) -> None:
    plan = plan_index(releases, {}, [], NOW)
    files = {file.filename: file for file in page(plan).files}
    copies = {step.path.rpartition("/")[2]: step for step in plan.steps if isinstance(step, Copy)}
    puts = {step.path.rpartition("/")[2]: step for step in plan.steps if isinstance(step, Put)}
    assert set(files) == {*copies, "vdemo-2.0-variants.json"}
    for name, copy in copies.items():
        assert files[name].hashes == {"sha256": copy.sha256}
        assert files[name].core_metadata
        assert f"{name}.metadata" in puts
        assert files[name].url == URL + name
        assert files[name].upload_time == NOW
    assert files["vdemo-1.0-py3-none-any.whl"].requires_python == ">=3.8"
    sidecar = files["vdemo-2.0-variants.json"]
    assert sidecar.size == len(puts["vdemo-2.0-variants.json"].content)
    assert sidecar.core_metadata is False
    assert json.loads(puts["vdemo-2.0-variants.json"].content)["variants"].keys() == {
        "cu128",
        "cu130",
        "null",
    }


def test_both_forms_of_a_page_agree_and_links_are_relative(releases: list[Release]) -> None:
    plan = plan_index(releases, {}, [], NOW)
    puts = {step.path: step.content for step in plan.steps if isinstance(step, Put)}
    html = parse_page(puts["simple/vdemo/index.html"], HTML_TYPE, URL, "vdemo")
    assert [(file.filename, file.url, file.hashes) for file in html.files] == [
        (file.filename, file.url, file.hashes) for file in page(plan).files
    ]
    assert b"http" not in puts["simple/vdemo/index.html"]
    assert b"http" not in puts["simple/vdemo/index.json"]


def test_a_plus_in_a_name_is_encoded_in_its_link(tmp_path: Path) -> None:
    make_wheel(tmp_path, "vdemo-1.0+cpu-py3-none-any.whl")
    plan = plan_index(group_releases(scan(find_files([tmp_path])))[0], {}, [], NOW)
    (file,) = page(plan).files
    assert file.url == URL + "vdemo-1.0%2Bcpu-py3-none-any.whl"


def _published(releases: list[Release], now: str) -> Published:
    return {"vdemo": page(plan_index(releases, {}, [], now))}


def test_upload_times_stay_while_the_bytes_do(releases: list[Release]) -> None:
    early = "2025-01-01T00:00:00Z"
    published = _published(releases, early)
    assert {file.upload_time for file in page(plan_index(releases, published, [], NOW)).files} == {early}
    fewer = [release for release in releases if release.key[1] == "1.0"]
    again = page(plan_index(releases, _published(fewer, early), [], NOW)).files
    times = {file.filename: file.upload_time for file in again}
    assert times["vdemo-1.0-py3-none-any.whl"] == early
    assert times["vdemo-2.0-py3-none-any.whl"] == NOW
    assert times["vdemo-2.0-variants.json"] == NOW


def test_other_bytes_are_a_new_upload(releases: list[Release]) -> None:
    files = tuple(
        replace(file, hashes={"sha256": "00" * 32}) for file in _published(releases, "2025")["vdemo"].files
    )
    again = page(plan_index(releases, {"vdemo": ProjectPage("vdemo", files)}, [], NOW))
    assert {file.upload_time for file in again.files} == {NOW}


def test_a_refused_release_stays_as_it_is_published(releases: list[Release]) -> None:
    published = _published(releases, NOW)
    plan = plan_index(releases[:1], published, [("vdemo", "2.0")], NOW)
    assert page(plan) == published["vdemo"]
    assert plan.dropped == ()
    plan = plan_index(releases[:1], published, [], NOW)
    assert [file.filename for file in page(plan).files] == ["vdemo-1.0-py3-none-any.whl"]
    assert plan.dropped == (("vdemo", "2.0"),)


def test_files_of_a_release(releases: list[Release]) -> None:
    assert release_files(releases[0]) == [
        "simple/vdemo/vdemo-1.0-py3-none-any.whl",
        "simple/vdemo/vdemo-1.0-py3-none-any.whl.metadata",
    ]
    assert "simple/vdemo/vdemo-2.0-variants.json" in release_files(releases[1])

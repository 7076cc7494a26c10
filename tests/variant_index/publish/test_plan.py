"""The plan: the order of writes, what pages list, and what stays of an earlier index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.publish.family import make_family
from variant_index.publish.find import find_files
from variant_index.publish.group import group_releases
from variant_index.publish.plan import (
    FILES,
    PAGES,
    Copy,
    Delete,
    Plan,
    Put,
    listed_path,
    plan_project,
    plan_root,
    release_files,
)
from variant_index.publish.release import Release, ReleaseKey
from variant_index.publish.scan import scan
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE

NOW = "2026-02-01T00:00:00Z"
URL = "https://index.example/simple/vdemo/"


@pytest.fixture
def releases(tmp_path: Path) -> list[Release]:
    return group_releases(scan(find_files([make_family(tmp_path)])))[0]


def plan(
    releases: Iterable[Release],
    published: ProjectPage | None = None,
    keep: Iterable[ReleaseKey] = (),
    now: str = NOW,
) -> Plan:
    return plan_project("vdemo", releases, published, keep, now)


def page(plan: Plan) -> ProjectPage:
    assert plan.page is not None
    return plan.page


def written(plan: Plan, path: str) -> ProjectPage:
    (body,) = [step.content for step in plan.steps if isinstance(step, Put) and step.path == path]
    return parse_page(body, HTML_TYPE if path.endswith("html") else JSON_TYPE, URL, "vdemo")


def _kind(path: str) -> str:
    return "page" if path.startswith(PAGES) else "file"


def test_nothing_is_named_before_it_is_there(releases: list[Release]) -> None:
    first = plan(releases)
    kinds = [_kind(step.path) for step in first.steps]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"file", "page"}
    gone = plan([], first.page)
    assert gone.page is None
    assert gone.dropped == (("vdemo", "1.0"), ("vdemo", "2.0"))
    assert [_kind(step.path) for step in gone.steps[:2]] == ["page", "page"]
    assert {step.path for step in gone.steps[2:]} == {
        step.path for step in first.steps if step.path.startswith(FILES)
    }
    assert all(isinstance(step, Delete) for step in gone.steps)


def test_the_root_page_lists_every_project() -> None:
    html, json_page = plan_root(["b", "a"])
    assert (html.path, json_page.path) == ("simple/index.html", "simple/index.json")
    assert isinstance(json_page, Put)
    assert [project["name"] for project in json.loads(json_page.content)["projects"]] == ["a", "b"]


def paths(plan: Plan) -> set[str]:
    return {step.path for step in plan.steps if step.path.startswith(FILES)}


def test_what_is_added_at_once_lies_together_under_a_digest(releases: list[Release]) -> None:
    made = plan(releases)
    (batch,) = {path.rpartition("/")[0] for path in paths(made)}
    assert re.fullmatch("files/vdemo/[0-9a-f]{32}", batch)
    assert {listed_path(file) for file in page(made).files} <= paths(made)
    assert {path.rpartition("/")[0] for path in paths(plan(releases[:1]))} != {batch}
    for url in ("x.whl", "../../files/../x.whl", "https://localhost/files/x.whl", "../../simple/x.whl"):
        assert listed_path(ProjectFile("x.whl", url)) is None


def test_what_is_listed_stays_where_it_is(releases: list[Release]) -> None:
    first = plan(releases[:1])
    both = plan(releases, first.page)
    assert paths(first) < paths(both)
    assert len({path.rpartition("/")[0] for path in paths(both)}) == 2
    assert paths(plan(releases, both.page)) == paths(both)
    (variant, *_) = [wheel for wheel in releases[1].wheels if wheel.filename.label == "cu128"]
    fewer = replace(releases[1], wheels=tuple(wheel for wheel in releases[1].wheels if wheel != variant))
    assert paths(plan([releases[0], fewer], both.page)) == paths(both)  # removals included


def test_a_sidecar_that_changes_gets_another_path(releases: list[Release]) -> None:
    first = plan(releases)
    document = releases[1].document
    assert document is not None
    variants = {label: properties for label, properties in document.variants.items() if label != "cu128"}
    changed = replace(releases[1], document=document.model_copy(update={"variants": variants}))
    second = plan([releases[0], changed], first.page)
    old, new = ({path for path in paths(made) if path.endswith(".json")} for made in (first, second))
    assert old < new  # the old one is removed
    assert len(new) == 2
    assert paths(second) - new == paths(first) - old


def test_what_is_published_is_not_copied_again(releases: list[Release]) -> None:
    first = plan(releases)
    known = [
        replace(
            release,
            wheels=tuple(replace(wheel, metadata=b"", published=True) for wheel in release.wheels),
        )
        for release in releases
    ]
    again = plan(known, first.page)
    assert again.page == first.page
    assert all(path.endswith("-variants.json") for path in paths(again))


def test_the_page_lists_every_file_with_its_hash_and_metadata(releases: list[Release]) -> None:
    made = plan(releases)
    files = {file.filename: file for file in written(made, "simple/vdemo/index.json").files}
    copies = {step.path.rpartition("/")[2]: step for step in made.steps if isinstance(step, Copy)}
    puts = {step.path.rpartition("/")[2]: step for step in made.steps if isinstance(step, Put)}
    assert set(files) == {*copies, "vdemo-2.0-variants.json"}
    for name, copy in copies.items():
        assert files[name].hashes == {"sha256": copy.sha256}
        assert files[name].core_metadata
        assert f"{name}.metadata" in puts
        assert files[name].url == f"https://index.example/{copy.path}"
        assert files[name].upload_time == NOW
        assert files[name].size == copy.size
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
    made = plan(releases)
    html, form = (written(made, f"simple/vdemo/index.{form}") for form in ("html", "json"))
    assert [(file.filename, file.url, file.hashes) for file in html.files] == [
        (file.filename, file.url, file.hashes) for file in form.files
    ]
    for step in made.steps:
        if isinstance(step, Put) and step.path.startswith(PAGES):
            assert b"http" not in step.content


def test_a_plus_in_a_name_is_encoded_in_its_link(tmp_path: Path) -> None:
    make_wheel(tmp_path, "vdemo-1.0+cpu-py3-none-any.whl")
    (file,) = page(plan(group_releases(scan(find_files([tmp_path])))[0])).files
    assert file.url.endswith("/vdemo-1.0%2Bcpu-py3-none-any.whl")
    assert (listed_path(file) or "").endswith("/vdemo-1.0+cpu-py3-none-any.whl")


def test_upload_times_stay_while_the_bytes_do(releases: list[Release]) -> None:
    early = "2025-01-01T00:00:00Z"
    assert {file.upload_time for file in page(plan(releases, plan(releases, now=early).page)).files} == {
        early
    }
    fewer = [release for release in releases if release.key[1] == "1.0"]
    again = page(plan(releases, plan(fewer, now=early).page)).files
    times = {file.filename: file.upload_time for file in again}
    assert times["vdemo-1.0-py3-none-any.whl"] == early
    assert times["vdemo-2.0-py3-none-any.whl"] == NOW
    assert times["vdemo-2.0-variants.json"] == NOW


def test_other_bytes_are_a_new_upload(releases: list[Release]) -> None:
    before = page(plan(releases, now="2025"))
    files = tuple(replace(file, hashes={"sha256": "00" * 32}) for file in before.files)
    again = page(plan(releases, ProjectPage("vdemo", files)))
    assert {file.upload_time for file in again.files} == {NOW}


def test_what_is_yanked_stays_yanked(releases: list[Release]) -> None:
    before = page(plan(releases))
    files = tuple(
        replace(file, yanked="broken" if "1.0" in file.filename else False) for file in before.files
    )
    again = page(plan(releases, ProjectPage("vdemo", files)))
    assert again.files == files


def test_a_refused_release_stays_as_it_is_published(releases: list[Release]) -> None:
    published = page(plan(releases))
    kept = plan(releases[:1], published, [("vdemo", "2.0")])
    assert page(kept) == published
    assert kept.dropped == ()
    assert not any(isinstance(step, Delete) for step in kept.steps)
    fewer = plan(releases[:1], published)
    assert [file.filename for file in page(fewer).files] == ["vdemo-1.0-py3-none-any.whl"]
    assert fewer.dropped == (("vdemo", "2.0"),)
    gone = {step.path for step in fewer.steps if isinstance(step, Delete)}
    assert gone == {path for path in paths(plan(releases)) if "/vdemo-2.0" in path}


def test_files_of_a_release(releases: list[Release]) -> None:
    made = page(plan(releases))
    first, second = (release_files(made, release.key) for release in releases)
    assert [path.rpartition("/")[2] for path in first] == [
        "vdemo-1.0-py3-none-any.whl",
        "vdemo-1.0-py3-none-any.whl.metadata",
    ]
    assert {*first, *second} == paths(plan(releases))

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_html, render_json
from variant_index.upstream.foresight import named_projects, newest_wheel, required_projects
from variant_index.upstream.page import RawPage

ADDRESS = "https://index.example/simple/a/"


def wheel(version: str, tags: str = "py3-none-any") -> ProjectFile:
    name = f"a-{version}-{tags}.whl"
    return ProjectFile(name, f"https://files.example/{name}", {"sha256": "ab" * 32}, core_metadata=True)


def raw(files: list[ProjectFile], form: str) -> RawPage:
    page = ProjectPage("a", tuple(files))
    return RawPage(ADDRESS, form, render_json(page) if form == JSON_TYPE else render_html(page))


FORMS = pytest.mark.parametrize("form", [JSON_TYPE, HTML_TYPE])


@FORMS
def test_the_newest_final_release_whatever_the_order(form: str) -> None:
    files = [wheel("1.9"), wheel("1.10"), wheel("2.0rc1"), wheel("1.2")]
    assert newest_wheel(raw(files, form), "a") == files[1]


@FORMS
def test_a_labelled_wheel_counts(form: str) -> None:
    found = newest_wheel(raw([wheel("1.0"), wheel("1.1", "cp312-cp312-linux_x86_64-cu128")], form), "a")
    assert found is not None
    assert found.filename == "a-1.1-cp312-cp312-linux_x86_64-cu128.whl"


@FORMS
def test_nothing_on_pages_without_final_wheels(form: str) -> None:
    sdist = ProjectFile("a-3.0.tar.gz", "https://files.example/a-3.0.tar.gz")
    assert newest_wheel(raw([sdist, wheel("1.0a1")], form), "a") is None
    assert newest_wheel(raw([], form), "a") is None


def test_the_form_is_seen_from_the_bytes() -> None:
    page = raw([wheel("1.0")], HTML_TYPE)
    assert newest_wheel(RawPage(ADDRESS, "text/html", page.body), "a") == wheel("1.0")


@given(st.binary(max_size=300), st.sampled_from([JSON_TYPE, HTML_TYPE, "", "x"]))
def test_no_bytes_do_harm(noise: bytes, form: str) -> None:
    for body in (noise, b'{"' + noise + b'-1.0-py3-none-any.whl"', b"<a" + noise + b"-1.0-py3-none-any.whl<"):
        newest_wheel(RawPage(ADDRESS, form, body), "a")
    required_projects(b"Requires-Dist: " + noise)


@given(st.lists(st.sampled_from(["1.0", "1.5", "2.0", "10.0", "3.0.dev1"]), min_size=1, unique=True))
def test_both_forms_tell_the_same(versions: list[str]) -> None:
    files = [wheel(version) for version in versions]
    assert newest_wheel(raw(files, JSON_TYPE), "a") == newest_wheel(raw(files, HTML_TYPE), "a")


def test_an_entry_that_is_not_plain_json_is_passed_over() -> None:
    body = json.dumps({"files": [{"filename": "a-1.0-py3-none-any.whl"}]}).encode()
    assert newest_wheel(RawPage(ADDRESS, JSON_TYPE, body), "a") is None


def test_what_metadata_requires() -> None:
    metadata = b"""Metadata-Version: 2.1
Name: a
Requires-Dist: B.b >= 2
Requires-Dist: c[x,y]
Requires-Dist: c[z] ; python_version >= "3"
Requires-Dist: old ; python_version < "3"
Requires-Dist: more ; extra == "all"
Requires-Dist: direct @ https://files.example/direct-1.0-py3-none-any.whl
Requires-Dist: (nonsense

Requires-Dist: of-the-description
"""
    assert required_projects(metadata) == {"b-b": frozenset(), "c": frozenset("xyz")}
    assert "more" in required_projects(metadata, {"all"})


def test_a_flood_of_requirements_is_cut() -> None:
    assert len(named_projects(f"p{number}" for number in range(2000))) == 500
    assert named_projects(["p" * 2000]) == {}

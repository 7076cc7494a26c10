from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from variantlib.constants import VALIDATION_WHEEL_NAME_REGEX

from variant_index.model.filename import (
    FilenameError,
    WheelFilename,
    canonical_name,
    escaped_name,
    escaped_version,
    is_label,
    parse_sidecar_filename,
    sidecar_filename,
)

_ALNUM = string.ascii_letters + string.digits
_NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._]{0,8}[A-Za-z0-9])?", fullmatch=True)
_VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}(rc1|\.post2)?(\+[a-z0-9]{1,5})?", fullmatch=True)
_BUILDS = st.one_of(st.just(""), st.from_regex(r"[0-9]{1,4}[a-z_]{0,3}", fullmatch=True))
_TAGS = st.from_regex(r"[a-z_][a-z0-9_]{0,6}(\.[a-z_][a-z0-9_]{0,6}){0,2}", fullmatch=True)
_LABELS = st.one_of(st.just(""), st.from_regex(r"[0-9a-z_.]{1,12}", fullmatch=True))
_WHEELS = st.builds(
    WheelFilename,
    distribution=_NAMES,
    version=_VERSIONS,
    build=_BUILDS,
    python=_TAGS,
    abi=_TAGS,
    platform=_TAGS,
    label=_LABELS,
)


@pytest.mark.parametrize(
    ("filename", "build", "tag_set", "label"),
    [
        ("vdemo-2.0-cp312-cp312-linux_x86_64.whl", "", "cp312-cp312-linux_x86_64", ""),
        ("vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl", "", "cp312-cp312-linux_x86_64", "cu128"),
        ("vdemo-2.0-3-cp312-cp312-linux_x86_64-null.whl", "3", "cp312-cp312-linux_x86_64", "null"),
        ("torch-2.10.0-3-cp312-cp312-win_amd64.whl", "3", "cp312-cp312-win_amd64", ""),
        ("x-1-1-py3-none-any.whl", "1", "py3-none-any", ""),
        ("x-1-py3-none-any-1.whl", "", "py3-none-any", "1"),
        ("x-1-1-py3-none-any-1.whl", "1", "py3-none-any", "1"),
        ("x-1+cu128-py2.py3-none-any-a.b_c.whl", "", "py2.py3-none-any", "a.b_c"),
    ],
)
def test_the_forms_of_the_specification(filename: str, build: str, tag_set: str, label: str) -> None:
    wheel = WheelFilename.parse(filename)
    assert (wheel.build, wheel.tag_set, wheel.label) == (build, tag_set, label)
    assert wheel.filename == str(wheel) == filename


@pytest.mark.parametrize(
    ("filename", "rule"),
    [
        ("x-1-py3-none-any", "ends in .whl"),
        ("x-1-py3-none-any.WHL", "ends in .whl"),
        ("x-1-py3-none.whl", "5 to 7 parts"),
        ("x-1-1-py3-none-any-a-b.whl", "5 to 7 parts"),
        ("x-1-py3-none-any-CU128.whl", "a variant label"),
        ("x-1-py3-none-any-.whl", "a variant label"),
        ("x-1-1-py3-none-any-.whl", "a variant label"),
        ("x-1-py3-none-any-cu128+x.whl", "a variant label"),
        ("x-1-py3-none-any-cu\u0665.whl", "a variant label"),
        ("x-1-a1-py3-none-any-b.whl", "build tag"),
        ("x-1--py3-none-any-b.whl", "a variant label|build tag"),
        ("x-1-3py-none-any.whl", "compatibility tag"),
        ("x-1-py3--any.whl", "compatibility tag"),
        ("x-1-py3-none-any\n.whl", "compatibility tag"),
        ("x-1-py3..py2-none-any.whl", "compatibility tag"),
        ("-1-py3-none-any.whl", "project name"),
        (".x-1-py3-none-any.whl", "project name"),
        ("../x-1-py3-none-any.whl", "project name"),
        ("a/b-1-py3-none-any.whl", "project name"),
        ("x--py3-none-any.whl", "not a version"),
        ("x-../1-py3-none-any.whl", "not a version"),
        ("x-1 0-py3-none-any.whl", "not a version"),
        ("x-1-py3-none-any-\x1b[31m.whl", "a variant label"),
        ("x" * 240 + "-1-py3-none-any.whl", "at most 255"),
        ("", "ends in .whl"),
        (".whl", "5 to 7 parts"),
    ],
)
def test_what_is_no_wheel_name_says_which_rule_it_breaks(filename: str, rule: str) -> None:
    with pytest.raises(FilenameError, match=rule) as caught:
        WheelFilename.parse(filename)
    assert str(caught.value).isprintable()


@given(_WHEELS)
def test_taking_apart_and_putting_together(wheel: WheelFilename) -> None:
    assert WheelFilename.parse(wheel.filename) == wheel
    assert WheelFilename.parse(wheel.labelled("").filename) == wheel.labelled("")


@given(
    st.text(max_size=300),
    st.sampled_from(
        ["{}", "{}.whl", "x-{}-py3-none-any.whl", "x-1-{}-none-any-a.whl", "x-1-py3-none-any-{}.whl"]
    ),
)
def test_any_text_is_a_name_or_a_one_line_error(text: str, form: str) -> None:
    name = form.format(text)
    try:
        wheel = WheelFilename.parse(name)
    except FilenameError as error:
        message = str(error)
        assert message.isprintable()
    else:
        assert wheel.filename == name


@given(_WHEELS)
def test_reads_what_packaging_reads_alike(wheel: WheelFilename) -> None:
    name = wheel.labelled("").filename
    try:
        project, version, build, tags = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return  # packaging also refuses names such as a__b, which older wheels have
    ours = WheelFilename.parse(name)
    assert ours.name == project
    assert escaped_version(ours.version) == str(version)
    assert ours.build_key == (build or (-1, ""))
    assert ours.tags == tags


@given(_WHEELS, st.sampled_from([*_ALNUM, "-", ".", "_", "+", "\n"]), st.integers(0, 60))
def test_reads_what_variantlib_reads_alike(wheel: WheelFilename, char: str, at: int) -> None:
    name = wheel.filename[:at] + char + wheel.filename[at:]
    theirs = VALIDATION_WHEEL_NAME_REGEX.fullmatch(name)
    try:
        ours = WheelFilename.parse(name)
    except FilenameError:
        return
    assert theirs is not None
    assert (theirs["name"], theirs["ver"], theirs["build"] or "", theirs["variant_label"] or "") == (
        ours.distribution,
        ours.version,
        ours.build,
        ours.label,
    )
    assert f"{theirs['pyver']}-{theirs['abi']}-{theirs['plat']}" == ours.tag_set


def test_build_tags_are_numbers_first() -> None:
    builds = ["", "0", "1", "2", "2a", "10", "9999999999999999999", "10000000000000000000"]
    wheels = [WheelFilename("x", "1", build, "py3", "none", "any") for build in builds]
    keys = [wheel.build_key for wheel in wheels]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_labels() -> None:
    assert is_label("cu12.8_sm")
    assert not any(is_label(text) for text in ("", "A", "a-b", "a\n", "é", "٣"))


def test_names_and_versions_in_normal_form() -> None:
    assert canonical_name("Foo.-_Bar_baz") == "foo-bar-baz"
    assert escaped_name("Foo.-_Bar-baz") == "foo_bar_baz"
    assert escaped_version("v1.0-RC1+Cu.128") == "1.0rc1+cu.128"
    with pytest.raises(FilenameError, match="'nope' is not a version"):
        escaped_version("nope")


def test_sidecar_names() -> None:
    assert sidecar_filename("Foo.Bar", "2.0-rc1") == "foo_bar-2.0rc1-variants.json"
    assert parse_sidecar_filename("foo_bar-2.0rc1-variants.json") == ("foo-bar", "2.0rc1")
    # A name with a dash is not recognised by installers (uv takes the plain wheel without a word).
    for name in (
        "my-pkg-1.0-variants.json",
        "foo-variants.json",
        "foo--variants.json",
        "-1.0-variants.json",
        "foo-1.0.json",
        "foo-1/0-variants.json",
        "f" * 250 + "-1.0-variants.json",
    ):
        assert parse_sidecar_filename(name) is None, name


@given(_NAMES, _VERSIONS)
def test_sidecar_names_go_round(name: str, version: str) -> None:
    found = parse_sidecar_filename(sidecar_filename(name, version))
    assert found == (canonical_name(name), escaped_version(version))

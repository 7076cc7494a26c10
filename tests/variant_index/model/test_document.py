from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from variantlib.variants_json import VariantsJson

from tests.documents import documents
from tests.making import document
from variant_index.model.document import DocumentError, VariantsDocument, parse_document, write_document

Content = dict[str, Any]

_URL_825 = "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json"


def _content() -> Content:
    """Return a document with one provider of each shape that is published."""
    return json.loads(  # type: ignore[no-any-return]
        json.dumps(
            document(
                {
                    "null": {},
                    "a.b_1": {"nvidia": {"sm_arch": ["80_real", "90_real"]}, "rank": {"order": ["first"]}},
                    "other": {"own": {"x": ["y"]}},
                },
                namespaces=["nvidia", "rank", "own"],
                providers={
                    "rank": {"static-properties": {"order": ["first", "second"]}, "optional": False},
                    "own": {"builtin": "some-logic"},
                },
            )
        )
    )


def _read(content: Content, *, strict: bool = False) -> VariantsDocument:
    return parse_document(json.dumps(content).encode(), "x-variants.json", strict=strict)


def test_reads_every_shape_of_provider() -> None:
    read = _read(_content(), strict=True)
    assert read.providers is not None
    assert [provider.shape for provider in read.providers.values()] == ["plugin", "static", "builtin"]
    assert read.providers["nvidia"].plugin_api == "nvidia_variant_provider.plugin:NvidiaVariantPlugin"
    assert read.variants["a.b_1"]["nvidia"] == {"sm_arch": ("80_real", "90_real")}


def test_reads_a_plain_pep_825_document() -> None:
    content = _content()
    del content["providers"]
    content["$schema"] = _URL_825
    assert _read(content, strict=True).providers is None


def _set(*path: Any, to: Any) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        place: Any = content
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = to

    return change


def _drop(*path: str) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        place = content
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return change


_RULES: dict[str, tuple[Callable[[Content], None], str]] = {
    "unknown key": (_set("x", to=1), "x: is not a known key"),
    "unknown key in priorities": (
        _set("default-priorities", "feature", to={}),
        "feature: is not a known key",
    ),
    "unknown key in provider": (
        _set("providers", "nvidia", "enable-if", to="x"),
        "enable-if: is not a known key",
    ),
    "schema missing": (_drop("$schema"), r"\$schema: is missing"),
    "schema of another type": (_set("$schema", to=1), r"\$schema: .*must be text"),
    "major version": (_set("$schema", to="https://x/y/v1.0.0.json"), "major version 1 is not known"),
    "priorities missing": (_drop("default-priorities"), "default-priorities: is missing"),
    "namespaces missing": (_drop("default-priorities", "namespace"), "namespace: is missing"),
    "no namespace": (_set("default-priorities", "namespace", to=[]), "must not be empty"),
    "namespace twice": (_set("default-priorities", "namespace", 1, to="nvidia"), "listed twice"),
    "namespace spelled wrong": (
        _set("default-priorities", "namespace", 0, to="n-v"),
        "may hold only|must be",
    ),
    "variants missing": (_drop("variants"), "variants: is missing"),
    "label spelled wrong": (_set("variants", "CU128", to={}), r"variants.CU128.*may hold only|must be"),
    "label empty": (_set("variants", "", to={}), "may hold only|must be"),
    "null with properties": (_set("variants", "null", to={"own": {"x": ["y"]}}), "null variant has no prop"),
    "namespace without priority": (
        _set("variants", "c", to={"amd": {"x": ["y"]}}),
        "namespace amd is not in",
    ),
    "variant namespace wrong": (_set("variants", "c", to={"a.b": {"x": ["y"]}}), "may hold only|must be"),
    "no features": (_set("variants", "c", to={"own": {}}), "must not be empty"),
    "feature spelled wrong": (_set("variants", "c", to={"own": {"x.y": ["y"]}}), "may hold only|must be"),
    "no values": (_set("variants", "c", to={"own": {"x": []}}), "must not be empty"),
    "value spelled wrong": (_set("variants", "c", to={"own": {"x": ["Y"]}}), "may hold only|must be"),
    "value empty": (_set("variants", "c", to={"own": {"x": [""]}}), "may hold only|must be"),
    "value with line feed": (_set("variants", "c", to={"own": {"x": ["y\n"]}}), "may hold only|must be"),
    "value of another type": (_set("variants", "c", to={"own": {"x": [1]}}), "must be text"),
    "values not in a list": (_set("variants", "c", to={"own": {"x": "y"}}), "must be a list"),
    "value twice": (
        _set("variants", "c", to={"own": {"x": ["y", "y"]}}),
        r"variants.c.own.x: .*listed twice",
    ),
    "provider missing": (_drop("providers", "own"), "no more, no less"),
    "provider too many": (_set("providers", "amd", to={"builtin": "x"}), "no more, no less"),
    "provider spelled wrong": (_set("providers", "a-b", to={"builtin": "x"}), "may hold only|must be"),
    "provider without shape": (_set("providers", "own", to={}), "exactly one of"),
    "provider with two shapes": (_set("providers", "own", "requires", to=["x"]), "exactly one of"),
    "provider with a requirement nobody reads": (
        _set("providers", "nvidia", "requires", to=["x>=" + "9" * 5000]),
        "at most 1000",
    ),
    "build provider": (_set("providers", "own", "build-requires", to=["x"]), "pyproject.toml only"),
    "no requirement": (_set("providers", "nvidia", "requires", to=[]), "must not be empty"),
    "requirement of two lines": (
        _set("providers", "nvidia", "requires", to=["a\nb"]),
        "may hold only|must be",
    ),
    "plugin-api spelled wrong": (
        _set("providers", "nvidia", "plugin-api", to="a b"),
        "may hold only|must be",
    ),
    "plugin-api without plugin": (_set("providers", "own", "plugin-api", to="a:b"), "goes with requires"),
    "optional of another type": (_set("providers", "own", "optional", to="yes"), "must be true or false"),
    "static without features": (_set("providers", "rank", "static-properties", to={}), "must not be empty"),
    "static without values": (
        _set("providers", "rank", "static-properties", "order", to=[]),
        "must not be empty",
    ),
    "static value twice": (
        _set("providers", "rank", "static-properties", "order", to=["a", "a"]),
        "values of order are listed twice",
    ),
    "static order missing": (
        _set("providers", "rank", "static-properties", "x", to=["a"]),
        "feature-order is needed",
    ),
    "static order too short": (
        _set("providers", "rank", to={"static-properties": {"a": ["1"], "b": ["1"]}, "feature-order": ["a"]}),
        "every static feature once",
    ),
    "static order twice": (
        _set("providers", "rank", to={"static-properties": {"a": ["1"]}, "feature-order": ["a", "a"]}),
        "every static feature once",
    ),
    "order without static": (_set("providers", "own", "feature-order", to=["x"]), "goes with static"),
}


@pytest.mark.parametrize("case", _RULES)
def test_every_rule(case: str) -> None:
    change, message = _RULES[case]
    content = _content()
    _read(content, strict=True)
    change(content)
    with pytest.raises(DocumentError, match=f"^x-variants.json: .*{message}") as caught:
        _read(content)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda text: text.replace('"null":', '"other": {}, "null":'), "key 'other' appears twice"),
        (lambda text: text.replace('"optional": false', '"plugin-api": null'), "key 'plugin-api' is null"),
        (
            lambda text: text.replace('"variants":', '"variants": 1e999, "variants":'),
            "key 'variants' appears twice",
        ),
        (
            lambda text: text.replace('"variants":', '"variants": NaN, "variants":'),
            "key 'variants' appears twice",
        ),
    ],
)
def test_publishers_refuse_what_readers_disagree_on(text: Callable[[str], str], message: str) -> None:
    data = text(json.dumps(_content())).encode()
    parse_document(data, "x")
    with pytest.raises(DocumentError, match=message) as caught:
        parse_document(data, "x", strict=True)
    assert str(caught.value).isprintable()


def test_publishers_refuse_the_providers_schema_without_providers() -> None:
    content = _content()
    del content["providers"]
    _read(content)
    with pytest.raises(DocumentError, match="no providers"):
        _read(content, strict=True)


_VALID = json.dumps(_content()).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b"{",
        _VALID[:-1],
        _VALID + b"x",
        _VALID + b"\0",
        b"\xef\xbb\xbf" + _VALID,
        _VALID.decode().encode("utf-16"),
        b'{"\xff": 1}',
        b'{"$schema": NaN}',
        b'{"$schema": -Infinity}',
        b'{"x": ' + b"9" * 5000 + b"}",
        b'{"variants": ' + b"[" * 100_000,
        b'{"variants": ' + b'{"a": ' * 100_000,
        b'{"variants": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        _VALID.replace(b"a.b_1", b"a\\u001b[31m\\n\\u202e"),
        _VALID.replace(b"a.b_1", b"a" * 500_000 + b"A"),
        _VALID.replace(b"a.b_1", "\u0663".encode()),
        _VALID.replace(b"a.b_1", b"\\ud800"),
        _VALID.replace(b'"nvidia", "rank"', b"1, " * 100_000 + b"1"),
    ],
    ids=range(22),
)
@pytest.mark.parametrize("strict", [False, True])
def test_hostile_text_gives_one_printable_line(data: bytes, strict: bool) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(data, "a\nb", strict=strict)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@given(st.binary(max_size=40), st.integers(0, len(_VALID)))
def test_any_damage_is_read_or_refused(damage: bytes, at: int) -> None:
    data = _VALID[:at] + damage + _VALID[at + len(damage) :]
    try:
        parse_document(data, "x", strict=True)
    except DocumentError as error:
        message = str(error)
        assert message.isprintable()


@given(documents())
def test_writing_goes_round(content: Content) -> None:
    read = _read(content)
    written = write_document(read)
    again = parse_document(written, "x", strict=True)
    assert write_document(again) == written
    assert again.default_priorities == read.default_priorities
    assert again.providers == read.providers
    assert again.schema_url == read.schema_url
    assert again.variants == {
        label: {
            ns: {f: tuple(sorted(values)) for f, values in features.items()} for ns, features in props.items()
        }
        for label, props in read.variants.items()
    }


@given(documents())
def test_variantlib_reads_what_we_write(content: Content) -> None:
    written = json.loads(write_document(_read(content, strict=True)))
    theirs = VariantsJson(written)
    assert theirs.namespace_priorities == content["default-priorities"]["namespace"]
    assert {label: variant.to_dict() for label, variant in theirs.variants.items()} == written["variants"]


@given(documents(), st.randoms(use_true_random=False))
def test_equal_content_gives_equal_bytes(content: Content, random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    other = shuffled(content)
    for properties in other["variants"].values():
        for features in properties.values():
            for values in features.values():
                random.shuffle(values)
    assert write_document(_read(other)) == write_document(_read(content))

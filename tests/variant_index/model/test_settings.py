from __future__ import annotations

from pathlib import Path

import pytest

from variant_index.model.document import parse_document, write_document
from variant_index.model.properties import Property
from variant_index.model.settings import (
    DEFAULT_PROVIDERS,
    SettingsError,
    VariantSettings,
    load_settings,
    parse_settings,
)

RANK = '[variant.providers.rank]\nstatic-properties = {order = ["first", "second"]}\n'
NVIDIA = '[variant.providers.nvidia]\nrequires = ["nvidia-variant-provider{}"]\n'
API = 'plugin-api = "nvidia_variant_provider.plugin:NvidiaVariantPlugin"\n'


def test_defaults_are_nvidia_before_amd() -> None:
    settings = VariantSettings.default()
    assert settings.default_priorities.namespace == ["nvidia", "amd"]
    assert settings.providers == DEFAULT_PROVIDERS
    assert settings.notices() == []


@pytest.mark.parametrize(
    ("text", "namespaces"),
    [
        ("[variant]", ["nvidia", "amd"]),
        (RANK, ["rank"]),
        ('[variant.default-priorities]\nnamespace = ["amd"]', ["amd"]),
        ('[variant.default-priorities]\nnamespace = ["rank", "nvidia"]\n' + RANK, ["rank", "nvidia"]),
    ],
)
def test_what_is_left_out_has_a_default(text: str, namespaces: list[str]) -> None:
    settings = parse_settings(text.encode(), "x")
    assert settings.default_priorities.namespace == namespaces
    assert set(settings.providers) == set(namespaces)


def test_documents_carry_all_providers_in_order(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"\n' + RANK + NVIDIA.format(">=0.0.1") + API)
    document = load_settings(path).document("first", [Property("rank", "order", "first")])
    again = parse_document(write_document(document), "x", strict=True)
    assert again == document
    assert again.default_priorities.namespace == ["rank", "nvidia"]
    assert list(again.providers or ()) == ["rank", "nvidia"]
    assert again.variants == {"first": {"rank": {"order": ("first",)}}}


def test_a_property_needs_a_provider() -> None:
    with pytest.raises(SettingsError, match=r"add a table \[variant.providers.rank\] to the settings file"):
        VariantSettings.default().document("x", [Property("rank", "order", "first")])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("x = 1", r"f: has no \[variant\] table"),
        ("variant = 1", "must be a table"),
        ("x = ", "f: not TOML"),
        ("x = " + "[" * 100_000, "f: not TOML"),
        ("[variant]\nprovider = {}", "provider: is not a known key"),
        ("[variant]\nproviders = 1", "providers: must be a table"),
        ("[variant.default-priorities]\nnamespace = 1", "default-priorities.namespace"),
        ('[variant.default-priorities]\nnamespace = ["x"]', "providers.x is missing"),
        ('[variant.default-priorities]\nnamespace = ["amd"]\n' + RANK, "does not name rank"),
        ("[variant.providers.Rank]\nrequires = ['x']", "may hold only the characters"),
        ("[variant.providers.rank]\nrequires = 'x'", "providers.rank.requires"),
        ("[variant.providers.rank]\nbuild-requires = ['x']", "publish static-properties"),
        ("[variant]\n#" + " " * (1 << 20), "larger than 1048576 bytes"),
        ("x = '\udcff'", "not UTF-8"),
    ],
)
def test_wrong_settings_are_one_line(text: str, rule: str) -> None:
    with pytest.raises(SettingsError, match=rule) as caught:
        parse_settings(text.encode(errors="surrogateescape"), "f")
    assert str(caught.value).isprintable()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone.toml: No such file"):
        load_settings(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("specifier", "more", "fits"),
    [
        (">=0.0.1,<1.0.0", API, True),
        ("", API, True),
        ("==0.0.1", API, True),
        (">=0.0.2", API, False),
        ("==0.0.2", API, False),
        (">=1", API, False),
        ("~=1.0", API, False),
        ("[x]", API, False),
        ("; sys_platform == 'linux'", API, False),
        (" @ https://example.org/x.whl", API, False),
        ("!", API, False),
        ("", "", False),
        ("", API + "optional = true\n", False),
    ],
)
def test_says_when_uv_would_not_answer(specifier: str, more: str, fits: bool) -> None:
    settings = parse_settings((NVIDIA.format(specifier) + more).encode(), "x")
    assert (settings.notices() == []) == fits


def test_a_static_nvidia_needs_no_plugin() -> None:
    text = '[variant.providers.nvidia]\nstatic-properties = {sm_arch = ["90_real"]}'
    assert parse_settings(text.encode(), "x").notices() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[variant]\nprovider = {}",
            "provider: is not a known key (known are default-priorities, providers)",
        ),
        (
            "[variant.default-priorities]\nnamespaces = ['a']",
            "default-priorities.namespaces: is not a known key (known are namespace) (and 1 more)",
        ),
        (
            "[variant.providers.a]\nrequire = ['x']",
            "providers.a.require: is not a known key (known are requires, plugin-api, static-properties,"
            " feature-order, builtin, optional)",
        ),
    ],
)
def test_unknown_keys_are_told_from_known_ones(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text.encode(), "p.toml")
    assert str(caught.value) == f"p.toml: in [variant]: {message}"

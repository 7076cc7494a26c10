from __future__ import annotations

from pathlib import Path

import pytest

from variant_index.errors import InputError
from variant_index.torch_index.settings import DEFAULT_TORCH_INDEX, torch_settings


def url(**arguments: object) -> str | None:
    source = torch_settings(arguments.pop("environment", {}), **arguments).source  # type: ignore[arg-type]
    return None if source is None else source.url


MIRROR = "https://mirror.example/whl"
NAMED = {"VARIANT_INDEX_TORCH_INDEX": MIRROR}


def test_without_a_word_it_is_pytorchs() -> None:
    assert url() == DEFAULT_TORCH_INDEX
    assert torch_settings({}).prefer == "hardware"
    assert torch_settings({}).backends == ()
    assert not torch_settings({}).allow_unhashed


def test_an_index_of_the_users_serves_the_family_too() -> None:
    assert url(own_index=True) is None


def test_the_variable_counts_with_an_index_of_the_users_as_well() -> None:
    assert url(environment=NAMED, own_index=True) == MIRROR


def test_the_option_comes_first() -> None:
    assert url(environment=NAMED, torch_index="https://other.example/whl/") == "https://other.example/whl/"
    assert url(environment=NAMED, torch_index="off") is None
    assert url(environment={"VARIANT_INDEX_TORCH_INDEX": "off"}) is None
    assert url(environment={"VARIANT_INDEX_TORCH_INDEX": ""}) == DEFAULT_TORCH_INDEX


def test_a_folder(tmp_path: Path) -> None:
    assert url(torch_index=str(tmp_path)) == tmp_path.as_uri()


def test_a_backends_folder_is_one_too_deep() -> None:
    with pytest.raises(InputError, match="name the folder above cu126"):
        url(torch_index="https://download.pytorch.org/whl/cu126/")


@pytest.mark.parametrize("bad", ["ftp://mirror.example/whl", "https://user:secret@mirror.example/whl"])
def test_addresses_that_cannot_be_read(bad: str) -> None:
    with pytest.raises(InputError) as failure:
        url(torch_index=bad)
    assert "secret" not in str(failure.value)


def test_the_other_variables() -> None:
    settings = torch_settings(
        {
            "VARIANT_INDEX_PREFER": "version",
            "VARIANT_INDEX_TORCH_BACKENDS": "cu126,cpu",
            "VARIANT_INDEX_ALLOW_UNHASHED": "1",
        }
    )
    assert settings.prefer == "version"
    assert [backend.folder for backend in settings.backends] == ["cu126", "cpu"]
    assert settings.allow_unhashed
    assert torch_settings({"VARIANT_INDEX_PREFER": "version"}, prefer="hardware").prefer == "hardware"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VARIANT_INDEX_PREFER", "newest"),
        ("VARIANT_INDEX_ALLOW_UNHASHED", "yes"),
        ("VARIANT_INDEX_TORCH_BACKENDS", "cuda13"),
    ],
)
def test_values_that_mean_nothing_are_refused(name: str, value: str) -> None:
    with pytest.raises(InputError, match=value):
        torch_settings({name: value})

from __future__ import annotations

from pathlib import Path

import pytest

from variant_index.errors import InputError
from variant_index.torch_index.settings import DEFAULT_TORCH_INDEX, torch_settings


def url(**arguments: object) -> str | None:
    source = torch_settings(**arguments).source  # type: ignore[arg-type]  # the arguments by name
    return None if source is None else source.url


MIRROR = "https://mirror.example/whl"


def test_without_a_word_it_is_pytorchs() -> None:
    assert url() == DEFAULT_TORCH_INDEX
    assert torch_settings().prefer == "hardware"
    assert torch_settings().backends == ()
    assert not torch_settings().allow_unhashed


def test_an_index_of_the_users_serves_the_family_too() -> None:
    assert url(own_index=True) is None


def test_one_that_is_named_counts_with_an_index_of_the_users_as_well() -> None:
    assert url(torch_index=MIRROR, own_index=True) == MIRROR


def test_off_and_unset() -> None:
    assert url(torch_index="off") is None
    assert url(torch_index="") == DEFAULT_TORCH_INDEX


def test_a_folder(tmp_path: Path) -> None:
    assert url(torch_index=str(tmp_path)) == tmp_path.as_uri()


def test_a_backends_folder_is_one_too_deep() -> None:
    with pytest.raises(InputError, match="name the folder above cu126"):
        url(torch_index="https://download.pytorch.org/whl/cu126/")


@pytest.mark.parametrize("bad", ["ftp://mirror.example/whl", "ftp://user:secret@mirror.example/whl"])
def test_addresses_that_cannot_be_read(bad: str) -> None:
    with pytest.raises(InputError) as failure:
        url(torch_index=bad)
    assert "secret" not in str(failure.value)


def test_backends() -> None:
    settings = torch_settings(backends=["cu126", "cpu"])
    assert [backend.folder for backend in settings.backends] == ["cu126", "cpu"]
    with pytest.raises(InputError, match="cuda13"):
        torch_settings(backends=["cuda13"])

"""A folder of providers with its loader, and an index."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.variant_index.providers.toys import Index, make_loader, serve


@pytest.fixture(scope="session")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loader") / "providers"
    folder.mkdir(mode=0o700)
    make_loader(folder)
    return folder


@pytest.fixture
def root(loader: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(loader, tmp_path / "data" / "variant-index" / "providers", symlinks=True))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with serve(tmp_path / "wheels") as server:
        yield server


@pytest.fixture
def environment(root: Path, tmp_path: Path) -> dict[str, str]:
    """The variables of a user whose providers are those of `root` and whom no pip configuration helps."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "VARIANT_"))}
    home = tmp_path / "home"
    home.mkdir()
    return {
        **kept,
        "HOME": str(home),
        "XDG_DATA_HOME": str(root.parent.parent),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
    }

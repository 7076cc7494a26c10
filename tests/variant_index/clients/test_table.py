"""The table of docs/clients.md: what real installers do behind the shim.

Measured with the real tools at pinned versions. `VARIANT_INDEX_UPDATE_DOCS=1` writes the table anew.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.clients.recipes import RECIPES, Recipe, Requirements, UvProject, locked_hashes
from tests.variant_index.clients.tables import NONE, check_table
from tests.variant_index.clients.workshop import Workshop, install_tools
from tests.variant_index.shim.family import NAME
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.clients.command_line import Syntax
from variant_index.clients.pdm import take_over as pdm
from variant_index.clients.pip_tools import take_over as pip_tools
from variant_index.clients.pipx import take_over as pipx
from variant_index.clients.poetry import take_over as poetry

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="the folders of configuration files are Linux's"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="pipx 1.18 needs Python 3.11"),
]

KEEP = "VARIANT_INDEX_KEEP_ADDRESS"

Cell = Callable[[Recipe, Workshop, str], str]


def installs(recipe: Recipe, shop: Workshop, index: str) -> str:
    recipe.configure(shop, index)
    recipe.prepare(shop)
    status = recipe.install(shop)
    if status == 2 and "error: uv sync would write the shim's address" in shop.last:
        return "refused"
    said = f"{NAME} 2.0: cu128 — CUDA ≥ 12.8" in shop.last
    return "yes" if status == 0 and said and shop.installed(recipe.place) == "cu128" else "NO"


def follows_the_hardware(recipe: Recipe, shop: Workshop, _index: str) -> str:
    shop.variables[KEEP] = "1"
    labels = []
    for driver in ("12.9", "13.0"):
        recipe.prepare(shop)
        labels.append(shop.installed(recipe.place) if recipe.install(shop, driver) == 0 else "")
    del shop.variables[KEEP]
    return "yes" if labels == ["cu128", "cu130"] else "NO"


def locks(recipe: Recipe, shop: Workshop, _index: str) -> str:
    if recipe.lock_file is None:
        return NONE
    path = shop.project / recipe.lock_file
    path.unlink(missing_ok=True)
    project = shop.project / "pyproject.toml"
    before = project.read_text() if project.exists() else ""
    status = recipe.lock(shop)
    assert before == (project.read_text() if project.exists() else "")
    if status == 2 and "--allow-loopback-lock" in shop.last and not path.exists():
        return "refused"
    wheels = len(locked_hashes(path.read_text())) if path.exists() else 0
    shop.last += f"servers named in files: {shop.addresses()}\n"
    clean = status == 0 and not shop.addresses()
    return {5: "all variants", 1: "one variant"}.get(wheels, "NO") if clean else "NO"


def locks_dependencies(recipe: Recipe, shop: Workshop, index: str) -> str:
    """Lock a project whose variants need different things, for one hardware after the other."""
    shop.wanted = "split"
    shop.variables[KEEP] = "1"
    found = []
    assert recipe.lock_file is not None
    path = shop.project / recipe.lock_file
    whole = path.read_text()
    for driver in ("12.9", "13.0"):
        path.unlink()
        recipe.configure(shop, index)
        recipe.prepare(shop)
        status = recipe.lock(shop, driver)
        found.append(set(re.findall(r"only[-_](\w+)", path.read_text())) if status == 0 else set())
    del shop.variables[KEEP]
    shop.wanted = NAME
    recipe.configure(shop, index)
    recipe.prepare(shop)
    path.write_text(whole)
    return "yes" if found == [{"cu128"}, {"cu130"}] else f"NO {found}"


def locked_elsewhere(recipe: Recipe, shop: Workshop, _index: str) -> str:
    recipe.prepare(shop)
    status = recipe.install_locked(shop, "12.6")
    return "yes" if status == 0 and shop.installed(recipe.place) == "cu126" else "NO"


def locked_and_plain(recipe: Recipe, shop: Workshop, index: str) -> str:
    recipe.prepare(shop)
    status = recipe.install_locked_plainly(shop)
    return "default wheel" if status == 0 and shop.installed(recipe.place) == "default" else "NO"


def locked_to_another(recipe: Recipe, shop: Workshop, _index: str) -> str:
    """Lock only the hash of a variant that is not chosen here."""
    recipe.prepare(shop)
    assert recipe.lock_file is not None
    path = shop.project / recipe.lock_file
    whole = path.read_text()
    cu126 = (shop.folder / "upstream" / f"{NAME}-2.0-py3-none-any-cu126.whl").read_bytes()
    if isinstance(recipe, Requirements):
        path.write_text(f"{NAME}==2.0 --hash=sha256:{_sha256(cu126)}\n")
    else:
        kept = [line for line in whole.splitlines() if "hash =" not in line or _sha256(cu126) in line]
        path.write_text("\n".join(kept) + "\n")
    status = recipe.install_locked(shop)
    path.write_text(whole)
    return "refused" if status != 0 and not shop.installed(recipe.place) else "NO"


def leaves_no_address(_recipe: Recipe, shop: Workshop, _index: str) -> str:
    shop.last = f"servers named in files: {shop.addresses()}\n"
    return "none" if not shop.addresses() else "NO"


def keeps_to_the_first_index(recipe: Recipe, shop: Workshop, index: str) -> str:
    with FakeIndex() as second:
        newer = make_wheel(shop.folder / "second", f"{NAME}-99.0-py3-none-any.whl")
        second.add_project(NAME, [second.add_file(newer)])
        recipe.configure(shop, index, second.url)
        recipe.prepare(shop)
        status = recipe.install(shop)
        recipe.configure(shop, index)
    return "yes" if status == 0 and shop.installed(recipe.place) == "cu128" else "NO"


def reads_wheels_themselves(recipe: Recipe, shop: Workshop, _index: str) -> str:
    shop.without_metadata_files()
    recipe.prepare(shop)
    status = recipe.install(shop)
    return "yes" if status == 0 and shop.installed(recipe.place) == "cu128" else "NO"


def names_a_failing_index(recipe: Recipe, shop: Workshop, index: str) -> str:
    page = shop.index.routes[f"/simple/{NAME}/"]
    shop.index.routes[f"/simple/{NAME}/"] = Route(status=500)
    recipe.prepare(shop)
    status = recipe.install(shop)
    shop.index.routes[f"/simple/{NAME}/"] = page
    named = re.search(rf"^.*error: .*{re.escape(index)}{NAME}/ answered 500", shop.last, re.MULTILINE)
    return "yes" if status != 0 and named and not shop.installed(recipe.place) else "NO"


def refuses_wrong_bytes(recipe: Recipe, shop: Workshop, _index: str) -> str:
    shop.break_wheel()
    recipe.prepare(shop)
    status = recipe.install(shop)
    return "refused" if status != 0 and not shop.installed(recipe.place) else "NO"


ROWS: dict[str, Cell] = {
    "installs the variant of this machine": installs,
    "installs the right one after a change of hardware, warm caches": follows_the_hardware,
    "lock file": locks,
    "a lock file has the dependencies of this machine's variant, warm caches": locks_dependencies,
    "the lock file on other hardware: its variant": locked_elsewhere,
    "the lock file without variant-index": locked_and_plain,
    "a lock file with the hash of another variant only": locked_to_another,
    "addresses of the shim in files that stay (projects, lock files, what is installed)": leaves_no_address,
    "a second index with a higher version does not get in": keeps_to_the_first_index,
    "an index that fails is an error that names it": names_a_failing_index,
    "indexes without metadata files (HEAD, ranges)": reads_wheels_themselves,
    "other bytes than the index lists": refuses_wrong_bytes,
}
LOCKED = (locks_dependencies, locked_elsewhere, locked_and_plain, locked_to_another)


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def measure(kind: type[Recipe], folder: Path, tools: Path) -> tuple[list[str], list[str]]:
    """Return an installer's cells, and what the commands said where a cell is not as it should be."""
    recipe = kind()
    cells: list[str] = []
    logs: list[str] = []
    with FakeIndex() as index:
        shop = Workshop(folder, tools, index, uv_on_path=recipe.uv_on_path)
        for title, cell in ROWS.items():
            installable = not cells or cells[0] == "yes"
            lockable = len(cells) < 3 or cells[2] == "all variants"
            if (cell is not locks and not installable) or (cell in LOCKED and not lockable):
                cells.append(NONE)
                continue
            cells.append(cell(recipe, shop, index.url))
            if cells[-1].startswith("NO"):
                logs.append(f"{recipe.title}: {title}\n{shop.last}")
    return cells, logs


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    if (reason := install_tools(folder)) is not None:
        pytest.skip(reason)
    return folder


PROJECT = ("install", "lock", "add", "remove", "update", "sync")
OPTIONS: dict[str, tuple[Syntax, tuple[str, ...]]] = {
    "poetry": (poetry.SYNTAX, PROJECT),
    "pdm": (pdm.SYNTAX, PROJECT),
    "pip-compile": (pip_tools.SYNTAX, ("",)),
    "pip-sync": (pip_tools.SYNTAX, ("",)),
    "pipx": (pipx.SYNTAX, ("install", "inject", "reinstall", "run", "upgrade")),
}


@pytest.mark.parametrize("program", OPTIONS)
def test_the_tools_own_help_knows_the_same_options_with_values(program: str, tools: Path) -> None:
    syntax, commands = OPTIONS[program]
    found = set()
    for command in commands:
        done = subprocess.run(
            [str(tools / "bin" / program), *command.split(), "--help"],
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "PDM_CHECK_UPDATE": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
        for given in re.findall(r"^ +(-.*?)(?:  |$)", text, re.MULTILINE):
            if not re.search(r"[ =]\[?[A-Z]{3,}|[{]| \[[a-z]", re.sub(r"\(.*?\)", "", given)):
                continue
            names = re.findall(r"--([a-z][a-z-]*)", given)
            found.update(names)
            for letter in re.findall(r"(?:^|[ ,])-([a-zA-Z])\b", given):
                assert syntax.short.get(letter) in names, given
    assert len(found) > 4
    assert found <= syntax.valued


def test_a_locked_uv_project_gets_its_variants(tmp_path: Path, tools: Path) -> None:
    """What the refusal of `uv sync` says, step by step; the lock file stays one for everybody."""
    with FakeIndex() as index:
        shop = Workshop(tmp_path / "shop", tools, index)
        recipe = UvProject()
        recipe.configure(shop, index.url)
        recipe.prepare(shop)
        assert shop.plain("uv", "lock") == 0, shop.last
        locked = (shop.project / "uv.lock").read_text()
        assert shop.behind("uv", "sync") == 2
        assert "uv export --frozen --no-hashes -o FILE" in shop.last
        assert shop.plain("uv", "export", "--frozen", "--no-hashes", "-o", "all.txt") == 0, shop.last
        assert shop.behind("uv", "pip", "sync", "all.txt") == 0, shop.last
        assert shop.installed() == "cu128"
        for command in (("sync", "--frozen"), ("run", "--no-sync", "python", "-V")):
            assert shop.behind("uv", *command) == 0, shop.last
            assert shop.installed() == "cu128"
        assert (shop.project / "uv.lock").read_text() == locked
        assert not shop.addresses()


def test_the_table(tmp_path: Path, tools: Path) -> None:
    assert importlib.metadata.version("uv") == "0.13.8"
    with ThreadPoolExecutor(2) as beside:
        rows = list(beside.map(lambda kind: measure(kind, tmp_path / kind.__name__, tools), RECIPES))
    wrong = "\n".join(log for _, logs in rows for log in logs)
    assert not wrong, wrong
    cells = [[title, *(cells[row] for cells, _ in rows)] for row, title in enumerate(ROWS)]
    check_table("clients", [["", *(kind.title for kind in RECIPES)], *cells])

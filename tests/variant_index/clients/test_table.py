"""The table of docs/clients.md: what real installers do behind the shim.

Measured with the real tools at pinned versions. `VARIANT_INDEX_UPDATE_DOCS=1` writes the table anew.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.clients.recipes import RECIPES, Recipe, Requirements, locked_hashes
from tests.variant_index.clients.workshop import Workshop, install_tools
from tests.variant_index.shim.family import NAME
from tests.variant_index.upstream.fake_index import FakeIndex, Route

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="the folders of configuration files are Linux's"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="pipx 1.18 needs Python 3.11"),
]

DOCUMENT = Path(__file__).parents[3] / "docs" / "clients.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"
NONE = "—"

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
    recipe.prepare(shop)
    status = recipe.install(shop, "13.0")
    return "yes" if status == 0 and shop.installed(recipe.place) == "cu130" else "NO"


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
    wheels = len(locked_hashes(path.read_text()))
    shop.last += f"servers named in files: {shop.addresses()}\n"
    clean = status == 0 and not shop.addresses()
    return {5: "all variants", 1: "one variant"}.get(wheels, "NO") if clean else "NO"


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
    "the lock file on other hardware: its variant": locked_elsewhere,
    "the lock file without variant-index": locked_and_plain,
    "a lock file with the hash of another variant only": locked_to_another,
    "a second index with a higher version does not get in": keeps_to_the_first_index,
    "an index that fails is an error that names it": names_a_failing_index,
    "indexes without metadata files (HEAD, ranges)": reads_wheels_themselves,
    "other bytes than the index lists": refuses_wrong_bytes,
}
LOCKED = (locked_elsewhere, locked_and_plain, locked_to_another)


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
            if cells[-1] == "NO":
                logs.append(f"{recipe.title}: {title}\n{shop.last}")
    return cells, logs


def test_the_table(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    if (reason := install_tools(tools)) is not None:
        pytest.skip(reason)
    with ThreadPoolExecutor(2) as beside:
        rows = list(beside.map(lambda kind: measure(kind, tmp_path / kind.__name__, tools), RECIPES))
    wrong = "\n".join(log for _, logs in rows for log in logs)
    assert not wrong, wrong
    lines = [["", *(kind.title for kind in RECIPES)], ["---"] * (len(RECIPES) + 1)]
    lines += [[title, *(cells[row] for cells, _ in rows)] for row, title in enumerate(ROWS)]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    committed, _, after = rest.partition(END)
    if os.environ.get("VARIANT_INDEX_UPDATE_DOCS") == "1":
        DOCUMENT.write_text(f"{before}{BEGIN}{table}{END}{after}")
    assert committed == table
    assert re.search(r"uv\s+0\.13\.8", text)

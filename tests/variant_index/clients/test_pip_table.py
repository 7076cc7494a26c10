"""The table of pip's versions in docs/clients.md: what each of its commands does behind the shim.

Measured with real pips. `VARIANT_INDEX_UPDATE_DOCS=1` writes the table anew.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.clients.tables import NONE, check_table
from tests.variant_index.clients.workshop import UV, Workshop
from tests.variant_index.shim.family import NAME
from tests.variant_index.upstream.fake_index import FakeIndex

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="the folders of environments are Linux's"),
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="pip 22 does not run on Python 3.12"),
]

VERSIONS = ("22.0.4", "24.0", "26.3")
CHOSEN = f"{NAME}-2.0-0_cu128-py3-none-any.whl"
SAID = f"{NAME} 2.0: cu128 — CUDA ≥ 12.8"

Cell = Callable[[Workshop, tuple[int, ...]], str]


def answer(right: object) -> str:
    return "yes" if right else "NO"


def installed(shop: Workshop, *arguments: str) -> bool:
    """Install into a folder of its own and tell whether it is the right build, and said."""
    folder = shop.project / "target"
    status = shop.behind("pip", "install", "--upgrade", "--target", str(folder), *arguments)
    module = folder / f"{NAME}.py"
    right = status == 0 and SAID in shop.last and "-2.0-py3-none-any-cu128" in module.read_text()
    module.unlink(missing_ok=True)
    return right


def installs(shop: Workshop, _version: tuple[int, ...]) -> str:
    return answer(
        shop.behind("pip", "install", NAME) == 0 and SAID in shop.last and shop.installed() == "cu128"
    )


def fetches(command: str, option: str) -> Cell:
    def cell(shop: Workshop, _version: tuple[int, ...]) -> str:
        status = shop.behind("pip", command, "--no-deps", option, command, NAME)
        found = [path.name for path in (shop.project / command).glob("*")]
        return answer(status == 0 and SAID in shop.last and found == [CHOSEN])

    return cell


def requirements(shop: Workshop, version: tuple[int, ...]) -> str:
    """Files that name indexes, one of which has a higher version; pip's messages name the files."""
    with FakeIndex() as poison:
        newer = make_wheel(shop.folder / "newer", f"{NAME}-99.0-py3-none-any.whl")
        poison.add_project(NAME, [poison.add_file(newer)])
        shop.write("r.txt", f"-r nested.txt\n{NAME}\n")
        shop.write("nested.txt", f"-i {shop.index.url}\n--extra-index-url {poison.url}\n")
        right = installed(shop, "-r", "r.txt") and "index.txt" not in shop.last
        # Older ones name the file where something goes wrong only.
        return answer(right and (version < (23,) or f"{NAME} (from -r r.txt (line 2))" in shop.last))


def constraints(shop: Workshop, _version: tuple[int, ...]) -> str:
    shop.write("c.txt", f"-i {shop.index.url}\n{NAME}<2\n")
    status = shop.behind("pip", "install", "--target", "older", "-c", "c.txt", NAME)
    return answer(status == 0 and "-1.0-" in (shop.project / "older" / f"{NAME}.py").read_text())


def hashes(shop: Workshop, _version: tuple[int, ...]) -> str:
    pins = [
        hashlib.sha256((shop.folder / "upstream" / f"{NAME}-2.0-py3-none-any-{label}.whl").read_bytes())
        for label in ("cu126", "cu128")
    ]
    line = " ".join(f"--hash=sha256:{pin.hexdigest()}" for pin in pins)
    shop.write("pinned.txt", f"{NAME}==2.0 {line}\n")
    return answer(installed(shop, "--require-hashes", "-r", "pinned.txt"))


def versions(shop: Workshop, _version: tuple[int, ...]) -> str:
    status = shop.behind("pip", "index", "versions", NAME)
    return answer(status == 0 and "Available versions: 2.0, 1.0" in shop.last)


def dry_runs(shop: Workshop, version: tuple[int, ...]) -> str:
    if version < (22, 2):
        return NONE
    status = shop.behind("pip", "install", "--dry-run", "--ignore-installed", NAME)
    if status == 0 and version < (23,) and SAID not in shop.last:
        return "nothing is said"
    return answer(status == 0 and SAID in shop.last)


def reports(shop: Workshop, version: tuple[int, ...]) -> str:
    if version < (22, 2):
        return NONE
    options = ("--dry-run", "--ignore-installed", "--quiet", "--report", "-")
    status = shop.behind("pip", "install", *options, NAME)
    document = json.loads(shop.last[shop.last.index("{\n") : shop.last.rindex("}\n") + 1])
    url = document["install"][0]["download_info"]["url"]
    return answer(status == 0 and url == f"{shop.index.root}/files/{NAME}-2.0-py3-none-any-cu128.whl")


def locks(shop: Workshop, version: tuple[int, ...]) -> str:
    if version < (25, 1):
        return NONE
    status = shop.behind("pip", "lock", "--quiet", "--output", "-", NAME)
    url = f"{shop.index.root}/files/{NAME}-2.0-py3-none-any-cu128.whl"
    return answer(status == 0 and f'url = "{url}"' in shop.last)


ROWS: dict[str, Cell] = {
    "`install`": installs,
    "`download`": fetches("download", "--dest"),
    "`wheel`": fetches("wheel", "--wheel-dir"),
    "`-r FILE`, which names indexes": requirements,
    "`-c FILE`, which names an index": constraints,
    "`--require-hashes`, the hashes of variants": hashes,
    "`index versions`": versions,
    "`install --dry-run` says which build": dry_runs,
    "`install --report` names files upstream": reports,
    "`lock` names files upstream": locks,
}


def measure(version: str, folder: Path) -> tuple[list[str], str]:
    """Return a pip's cells, and what the commands said where a cell is not as it should be."""
    number = tuple(map(int, re.findall(r"\d+", version)))
    cells: list[str] = []
    logs = ""
    with FakeIndex() as index:
        shop = Workshop(folder, folder, index)
        shop.make_environment(f"pip=={version}")
        shop.write("~/.config/pip/pip.conf", f"[global]\nindex-url = {index.url}\n")
        for title, cell in ROWS.items():
            cells.append(cell(shop, number))
            if cells[-1] == "NO":
                logs += f"pip {version}: {title}\n{shop.last}"
    return cells, logs


def test_the_table(tmp_path: Path) -> None:
    for version in VERSIONS:
        command = [*UV, "pip", "install", "--target", str(tmp_path / "fetched" / version), f"pip=={version}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no pip {version} from a package registry: {done.stderr.strip()[-200:]}")
    with ThreadPoolExecutor(2) as beside:
        found = list(beside.map(lambda version: measure(version, tmp_path / version), VERSIONS))
    wrong = "".join(log for _, log in found)
    assert not wrong, wrong
    rows = [[title, *(cells[row] for cells, _ in found)] for row, title in enumerate(ROWS)]
    check_table("pip", [["pip", *VERSIONS], *rows])

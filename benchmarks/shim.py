"""The shim: runs of installers through it, large pages, many pages, many projects, PyTorch's index.

Where a target is an absolute one, the peer's column holds the limit.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks.dry_run import PROJECTS, problem_of, run
from benchmarks.figure import Figure, interleaved, timed
from benchmarks.running_shim import fake_upstream, load, running_shim
from benchmarks.start_up import script

__all__ = ["measure"]

_COLD_PAGES = 9
_CONNECTIONS = 4
_LOAD_SECONDS = 3.0
_PROJECTS_SEEN = 500
_RUNS = 5
_FOLDERS = {"cpu": 996, "cu126": 565, "cu128": 394, "cu129": 168, "cu130": 161, "rocm6.4": 178}
_AT_THE_ROOT = 98


def measure() -> Iterator[Figure]:
    """Yield the figures; those that need a registry are skipped with the reason when none answers."""
    yield from _pages()
    yield from _torch()
    yield from _installers()


def _pages() -> Iterator[Figure]:
    with fake_upstream() as (url, upstream), running_shim("--torch-index", "off", "-i", url) as shim:
        assert upstream.stdout is not None
        waits = []
        for number in range(_COLD_PAGES):
            first = shim.first_byte(f"p5000v{number}")
            waits.append(first - float(upstream.stdout.readline()))
        yield Figure(
            "shim, 5000-file page: first byte", 1.0, faster=False, ours=statistics.median(waits), peer=0.06
        )
    with fake_upstream() as (url, upstream), running_shim("--torch-index", "off", "-i", url) as shim:
        for name, label in (("p10", "10-file"), ("p5000", "5000-file")):
            seconds = min(load(shim.url, name, _CONNECTIONS, _LOAD_SECONDS) for _ in range(3))
            yield Figure(f"shim, {label} page, warm", 1.0, faster=False, ours=seconds, peer=1e-3)
    if not sys.platform.startswith("linux"):
        return
    with fake_upstream() as (url, upstream), running_shim("--torch-index", "off", "-i", url) as shim:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(shim.first_byte, (f"p100v{number}" for number in range(_PROJECTS_SEEN))))
        yield Figure("shim, memory, 500 projects", 1.0, faster=False, ours=shim.memory(), peer=80, unit="MB")


def _torch() -> Iterator[Figure]:
    """Yield how long deciding takes over six backend folders of real sizes, without the downloads."""
    from variant_index.model.properties import Properties
    from variant_index.shim.target import tags_of
    from variant_index.shim.torch_family import TorchFamily, present_family
    from variant_index.torch_index.backends import parse_backend
    from variant_index.torch_index.reader import TorchIndex
    from variant_index.upstream.network import Network, Reply
    from variant_index.upstream.source import Source

    root = "http://127.0.0.1/whl"
    html = {"content-type": "text/html"}
    replies = {
        url: Reply(url, 200, html, _torch_page(backend, files).encode())
        for backend, files in _FOLDERS.items()
        for url in [f"{root}/{backend}/torch/"]
    }

    class Downloaded(Network):
        """Has the pages already."""

        def get(self, url: str, *, limit: int, accept: str = "", named_by: str = "") -> Reply:
            return replies[url]

    supported: Properties = {"nvidia": {"cuda_version_lower_bound": ["12.8", "12.6"], "sm_arch": ["90_real"]}}
    tags = tags_of(sys.executable)
    backends = [found for one in _FOLDERS if (found := parse_backend(one)) is not None]
    network = Downloaded()

    def family() -> TorchFamily:
        return TorchFamily(TorchIndex(Source.index(root), network, backends))

    def select(family: TorchFamily) -> None:
        project = family.project("torch", supported, tags)
        assert project is not None
        assert present_family(project).files

    cold = statistics.median(timed(lambda: select(family())) for _ in range(9))
    known = family()
    select(known)
    warm = statistics.median(timed(lambda: select(known)) for _ in range(31))
    network.close()
    yield Figure("torch over 6 backends, cold", 1.0, faster=False, ours=cold, peer=0.15)
    yield Figure("torch over 6 backends, warm", 1.0, faster=False, ours=warm, peer=0.005)


def _torch_page(backend: str, files: int) -> str:
    pythons = [f"cp3{minor}-cp3{minor}" for minor in range(9, 14)]
    platforms = ("manylinux_2_28_x86_64", "win_amd64", "manylinux_2_28_aarch64")
    tags = [f"{python}-{platform}" for python in pythons for platform in platforms]
    anchors = []
    for number in range(files - _AT_THE_ROOT):
        newer, tag = divmod(number, len(tags))
        name = f"torch-{2 + newer // 12}.{newer % 12}.0+{backend}-{tags[tag]}.whl"
        anchors.append(_anchor(f"/whl/{backend}/{name}", name))
    for number in range(_AT_THE_ROOT):
        name = f"torch-1.{number // 14}.{number % 14}-cp36-cp36m-manylinux1_x86_64.whl"
        anchors.append(_anchor(f"/whl/{name}", name))
    return f"<!DOCTYPE html>\n<html>\n<body>\n<h1>Links for torch</h1>\n{''.join(anchors)}</body>\n</html>\n"


def _anchor(path: str, name: str) -> str:
    digest, other = (hashlib.sha256(text.encode()).hexdigest() for text in (path, name))
    href = f"https://files.example{path.replace('+', '%2B')}#sha256={digest}"
    core = f'data-dist-info-metadata="sha256={other}" data-core-metadata="sha256={other}"'
    return f'    <a href="{href}" {core}>{name}</a><br/>\n'


def _installers() -> Iterator[Figure]:
    """Yield runs of uv started by us, and of pip and uv through a shim that runs already."""
    with ExitStack() as until_the_end:
        target = until_the_end.enter_context(tempfile.TemporaryDirectory())
        uv = [str(script("uv")), "pip", "install", "--dry-run", "--no-cache", "--target", target]
        uv += ["--python", sys.executable, "--quiet", *PROJECTS]
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--ignore-installed",
            "--quiet",
            *PROJECTS,
        ]
        named = {
            "uv, dry run, variant-index run": 1.5,
            "pip, dry run, warm shim": 1.02,
            "uv, dry run, warm shim": 1.15,
        }
        index = _index_of_pip()
        problem = problem_of(pip) or problem_of(uv) or (None if index else "pip has its default index")
        if problem is not None or index is None:
            for name, goal in named.items():
                yield Figure(name, goal, faster=False, skipped=problem)
            return
        shim = until_the_end.enter_context(running_shim("--torch-index", "off", "-i", index))
        only = ["--isolated", "--index-url", shim.url]
        commands: list[tuple[Sequence[str], Sequence[str]]] = [
            ([str(script("variant-index")), "run", "--", *uv], uv),
            ([*pip, *only], [*pip, "--isolated", "--index-url", index]),
            (
                [*uv, "--no-config", "--default-index", shim.url],
                [*uv, "--no-config", "--default-index", index],
            ),
        ]
        for (name, goal), (ours, peer) in zip(named.items(), commands, strict=True):
            if (problem := problem_of(ours)) is not None:
                yield Figure(name, goal, faster=False, skipped=problem)
                continue
            a, b = interleaved(lambda: run(ours), lambda: run(peer), runs=_RUNS)  # noqa: B023  # called here
            yield Figure(name, goal, faster=False, ours=a, peer=b)


def _index_of_pip() -> str | None:
    answer = run([sys.executable, "-m", "pip", "config", "get", "global.index-url"])
    return answer.stdout.strip() or "https://pypi.org/simple"

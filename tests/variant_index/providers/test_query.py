"""Real plugins in real child processes: good answers pass, hostile ones cost a line and little time."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.variant_index.providers.processes import is_running, wait_for
from tests.variant_index.providers.toys import GOOD, provider_wheel, serve
from variant_index.model.machine import MachineProfile
from variant_index.providers.failure import ProviderFailure
from variant_index.providers.query import ask_provider, ask_providers, child_variables
from variant_index.providers.remembered import TrustedProvider
from variant_index.providers.request import parse_request
from variant_index.providers.trust import trust

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX processes")

_PLUGINS = {
    "prints": "print('hello'); return GOOD",
    "prints_late": "import atexit; atexit.register(print, 'bye'); return GOOD",
    "writes_fd": "os.write(1, b'x'); return GOOD",
    "hangs": "time.sleep(600)",
    "ignores_signals": "[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(600)",
    "aborts": "os.abort()",
    "raises": "raise RuntimeError('several lines\\n no \\x1b[31mdevice')",
    "exits_well": "sys.exit(0)",
    "exits_hard": "os._exit(0)",
    "kills_parents": "os.kill(os.getppid(), 9)",
    "floods": "\n        while True: os.write(1, b'x' * 65536)",
    "floods_stderr": "\n        while True: os.write(2, b'x' * 65536)",
    "huge": "return [Config('speed', ['v%d' % n for n in range(300_000)])]",
    "many_values": "return [Config('speed', ['v%d' % n for n in range(10_001)])]",
    "eats_memory": "data = bytearray(3 << 30); return GOOD",
    "tuple": "return (Config('speed', ['fast']),)",
    "generator": "return (one for one in GOOD)",
    "numbers": "return [Config('speed', [1])]",
    "nothing_at_all": "return None",
    "no_values": "return [Config('speed', [])]",
    "bad_name": "return [Config('Speed', ['fast'])]",
    "bad_value": "return [Config('speed', ['a b\\n'])]",
    "newline_value": "return [Config('speed', ['fast\\n'])]",
    "values_twice": "return [Config('speed', ['fast', 'fast'])]",
    "features_twice": "return [Config('speed', ['fast']), Config('speed', ['slow'])]",
}
_SLOW = {"hangs", "ignores_signals", "floods", "floods_stderr", "kills_parents"}
_GOOD_PLUGINS = {
    "forks": "daemon(3); return GOOD",
    "supports_nothing": "return []",
    "tells_environment": "return [Config('seen', sorted(k.lower() for k in os.environ))]",
    "writes_files": (
        "open('here', 'w').close(); open(os.path.expanduser('~/there'), 'w').close(); return GOOD"
    ),
    "tells_place": ("return [Config(n, [p().encode().hex()]) for n, p in PLACES]"),
    "forks_quietly": (
        "[os.dup2(os.open(os.devnull, 2), n) for n in (1, 2)]; daemon(1, True); os.dup2(KEPT, 1); return GOOD"
    ),
    "meets_others": (
        "\n        open(f'{MARK}/{os.getpid()}', 'w').close()"
        "\n        while len(os.listdir(MARK)) < 3: time.sleep(0.01)"
        "\n        return GOOD"
    ),
    "tells_modules": (
        "return [Config('ours', ['yes' if importlib.util.find_spec('variant_index') else 'no'])]"
    ),
}
_SOURCE = """\
import importlib.util, os, signal, sys, time

class Config:
    def __init__(self, name, values):
        self.name, self.values, self.multi_value = name, values, False

KEPT = os.dup(1)
MARK = os.environ.get("ACME_VARIANT_PROVIDER_FORCE_MARK", "")
PLACES = ("cwd", os.getcwd), ("home", lambda: os.environ["HOME"])
GOOD = [Config("speed", ["fast", "slow"])]

def daemon(depth, quiet=False):
    # Leaves the session and keeps every descriptor; returns once all of them have said who they are.
    if os.fork() == 0:
        os.setsid()
        for _ in range(depth):
            os.fork()
        os.closerange(3, 64) if quiet else None
        open(MARK, "a").write(f"{os.getpid()}\\n")
        time.sleep(600)
        os._exit(0)
    while not os.path.exists(MARK) or open(MARK).read().count("\\n") < 2 ** depth:
        time.sleep(0.01)
"""


def _source() -> str:
    methods = "".join(
        f"""
class {name}:
    @classmethod
    def get_all_configs(cls):
        return GOOD

    @classmethod
    def get_supported_configs(cls):
        {body}
"""
        for name, body in {**_PLUGINS, **_GOOD_PLUGINS}.items()
    )
    return _SOURCE + methods


@pytest.fixture(scope="module")
def installed(
    loader: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, TrustedProvider]]:
    """One provider with all plugins, installed once."""
    with serve(tmp_path_factory.mktemp("hostile")) as index:
        files = {"hostile.py": _source(), "dies_early.py": "import os; os._exit(3)", "plain.py": GOOD}
        pin = provider_wheel(index.folder, "hostile", files=files, entry_points="acme = plain:Plugin")
        root = Path(shutil.copytree(loader, index.folder / "root" / "providers", symlinks=True))
        yield root, trust(root, parse_request(pin, str), index.variables)[0]


def _ask(
    installed: tuple[Path, TrustedProvider],
    api: str,
    timeout: float = 60,
    environ: Mapping[str, str] | None = None,
) -> MachineProfile:
    root, provider = installed
    asked = provider.model_copy(update={"namespaces": {"acme": api}})
    return ask_provider(root, asked, timeout, {"PATH": os.environ["PATH"], **(environ or {})})


def test_a_good_answer(installed: tuple[Path, TrustedProvider]) -> None:
    profile = _ask(installed, "plain:Plugin")
    assert profile.supported() == {"acme": {"speed": ["fast", "slow"], "size": ["big"]}}
    assert list(profile.feature_order["acme"]) == ["speed", "size"]
    fact = profile.facts["acme"]["provider"]
    assert (fact.value, fact.source) == ("hostile 1.2", "trusted provider")


def test_supporting_nothing_is_an_answer(installed: tuple[Path, TrustedProvider]) -> None:
    profile = _ask(installed, "hostile:supports_nothing")
    assert (profile.properties, list(profile.facts)) == ({}, ["acme"])


@pytest.mark.parametrize("name", [*_PLUGINS, "missing"])
def test_hostile_plugins_cost_one_line(installed: tuple[Path, TrustedProvider], name: str) -> None:
    started = time.monotonic()
    with pytest.raises(ProviderFailure) as failure:
        _ask(installed, f"hostile:{name}", timeout=1 if name in _SLOW else 60)
    assert time.monotonic() - started < 120
    text = str(failure.value)
    assert text
    assert text.isprintable()
    assert len(text) <= 300
    assert "Traceback" not in text
    expected = {"hangs": "did not answer in 1 s", "prints": "standard output", "raises": "device"}
    assert expected.get(name, "") in text


def test_a_module_that_ends_the_process(installed: tuple[Path, TrustedProvider]) -> None:
    with pytest.raises(ProviderFailure):
        _ask(installed, "dies_early:Plugin")


def test_what_leaves_the_session_is_ended_too(
    installed: tuple[Path, TrustedProvider], tmp_path: Path
) -> None:
    def force(name: str) -> Mapping[str, str]:
        return {"ACME_VARIANT_PROVIDER_FORCE_MARK": str(tmp_path / name)}

    with pytest.raises(ProviderFailure):  # it keeps the pipe of variantlib's child open
        _ask(installed, "hostile:forks", timeout=5, environ=force("loud"))
    assert _ask(installed, "hostile:forks_quietly", environ=force("quiet")).properties["acme"]["speed"]
    marks = [line for name in ("loud", "quiet") for line in (tmp_path / name).read_text().split()]
    assert len(marks) == 8 + 2
    wait_for(lambda: not any(is_running(int(mark)) for mark in marks))


def test_files_go_to_a_folder_that_is_removed(installed: tuple[Path, TrustedProvider]) -> None:
    told = _ask(installed, "hostile:tells_place").properties["acme"]
    place = told["cwd"][0]
    assert told["home"] == [place]
    assert not Path(bytes.fromhex(place).decode()).exists()
    before = set(Path.cwd().iterdir())
    _ask(installed, "hostile:writes_files")
    assert set(Path.cwd().iterdir()) == before


def test_no_login_reaches_a_provider(installed: tuple[Path, TrustedProvider]) -> None:
    seen = _ask(
        installed,
        "hostile:tells_environment",
        environ={
            "PIP_INDEX_URL": "https://user:secret@example.test",
            "AWS_SECRET_ACCESS_KEY": "x",
            "PYTHONPATH": "/nowhere",
            "ACME_VARIANT_PROVIDER_FORCE_SPEED": "slow",
        },
    ).properties["acme"]["seen"]
    assert "acme_variant_provider_force_speed" in seen
    assert not {"pip_index_url", "aws_secret_access_key", "pythonpath"} & set(seen)


def test_our_own_packages_are_not_there(installed: tuple[Path, TrustedProvider]) -> None:
    assert _ask(installed, "hostile:tells_modules").properties["acme"]["ours"] == ["no"]


def test_an_environment_that_is_gone(installed: tuple[Path, TrustedProvider], tmp_path: Path) -> None:
    with pytest.raises(ProviderFailure, match="trust it again"):
        ask_provider(tmp_path, installed[1], 1, {})


def test_several_are_asked_side_by_side(installed: tuple[Path, TrustedProvider], tmp_path: Path) -> None:
    root, provider = installed
    one, other = (
        provider.model_copy(update={"namespaces": {"acme": f"hostile:{name}"}})
        for name in ("meets_others", "aborts")
    )
    answers = ask_providers(
        root, [one, other, one, one], 60, {"ACME_VARIANT_PROVIDER_FORCE_MARK": str(tmp_path)}
    )
    assert [isinstance(one, ProviderFailure) for one in answers] == [False, True, False, False]


def test_the_childs_variables() -> None:
    passed = child_variables(
        {"Path": "p", "HOME": "mine", "TOKEN": "t", "NV_VARIANT_PROVIDER_FORCE_X": "1"}, "s"
    )
    assert passed == {
        "Path": "p",
        "NV_VARIANT_PROVIDER_FORCE_X": "1",
        **dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TMP", "TEMP"), "s"),
    }
    assert json.dumps(passed)

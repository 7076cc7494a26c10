"""Real pip installs from a loopback index into environments of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.variant_index.providers.toys import Index, provider_wheel
from variant_index.errors import NoAnswerError, VariantIndexError
from variant_index.providers.failure import ProviderError, ProviderInstallError
from variant_index.providers.query import ask_provider
from variant_index.providers.remembered import TrustedProvider, read_remembered
from variant_index.providers.request import parse_request
from variant_index.providers.trust import forget, trust

pytestmark = pytest.mark.skipif(os.name != "posix", reason="environments with symbolic links")

_RUNS = "import pathlib; pathlib.Path({!r}).touch()\n"


def _trust(root: Path, index: Index, pin: str) -> tuple[TrustedProvider, bool]:
    return trust(root, parse_request(pin, lambda file: Path(file).read_text()), index.variables, wait=20)


def _environments(root: Path) -> set[str]:
    return {path.name for path in (root / "environments").iterdir()}


def test_exactly_what_is_trusted_is_installed_and_not_run(root: Path, index: Index, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    files = {
        "acme_plugin.py": _RUNS.format(str(mark)),
        "acme.pth": f"import pathlib; {_RUNS.format(str(mark))}",
    }
    pin = provider_wheel(index.folder, files=files)
    provider, is_new = _trust(root, index, pin)
    assert (provider.name, provider.version, provider.namespaces) == (
        "acme",
        "1.2",
        {"acme": "acme_plugin:Plugin"},
    )
    assert is_new
    assert read_remembered(root) == (provider,)
    assert _environments(root) == {provider.environment, provider.loader}
    assert not mark.exists()
    seen = list(index.asked)
    assert _trust(root, index, pin) == (provider, False)
    assert index.asked == seen  # nothing is asked of an index again
    host = subprocess.run([sys.executable, "-c", "import acme_plugin"], capture_output=True)
    assert b"No module named 'acme_plugin'" in host.stderr


def test_other_bytes_are_refused(root: Path, index: Index) -> None:
    pin = provider_wheel(index.folder)
    provider_wheel(index.folder, files={"acme_plugin.py": "evil = 1"})
    with pytest.raises(ProviderError, match="other bytes than those you trust"):
        _trust(root, index, pin)
    assert read_remembered(root) == ()
    assert len(_environments(root)) == 1  # the loader's


def test_a_version_that_the_index_lacks(root: Path, index: Index) -> None:
    with pytest.raises(ProviderInstallError, match=r"acme==1\.2 cannot be installed from your sources: "):
        _trust(root, index, f"acme==1.2 --hash=sha256:{'0' * 64}")


def test_source_distributions_are_not_built(root: Path, index: Index) -> None:
    (index.folder / "acme-1.2.tar.gz").write_bytes(b"setup.py would run")
    with pytest.raises(ProviderInstallError):
        _trust(root, index, f"acme==1.2 --hash=sha256:{'0' * 64}")
    assert not [path for path in index.asked if "tar.gz" in path]


def test_dependencies_must_be_pinned_too(root: Path, index: Index, tmp_path: Path) -> None:
    pin = provider_wheel(index.folder, requires=("helper",))
    helper = provider_wheel(index.folder, "helper", "3", files={"helper.py": ""}, entry_points=None)
    with pytest.raises(ProviderError, match="needs more than is pinned"):
        _trust(root, index, pin)
    file = tmp_path / "with space.txt"
    file.write_text(f"{pin}\n{helper}\n")
    provider, _ = _trust(root, index, f"-r {file}")
    assert [f"{one.name}=={one.version}" for one in provider.pins] == ["acme==1.2", "helper==3"]


def test_a_wheel_that_claims_more_than_it_may(root: Path, index: Index) -> None:
    pin = provider_wheel(index.folder, entry_points="acme = acme_plugin:Plugin\nnvidia = acme_plugin:Nvidia")
    with pytest.raises(ProviderError, match="add --namespace=nvidia"):
        _trust(root, index, pin)
    assert _trust(root, index, f"{pin} --namespace=acme")[0].namespaces == {"acme": "acme_plugin:Plugin"}


@pytest.mark.parametrize("text", ["acme = a:P\n[variant_plugins", "acme\xff", "acme = ../x:y", "= a:P"])
def test_entry_points_that_are_none(root: Path, index: Index, text: str) -> None:
    pin = provider_wheel(index.folder, entry_points=text)
    with pytest.raises(VariantIndexError) as error:
        _trust(root, index, pin)
    assert str(error.value).isprintable()
    assert read_remembered(root) == ()


def test_two_providers_for_one_namespace(root: Path, index: Index) -> None:
    first, _ = _trust(root, index, provider_wheel(index.folder))
    other = provider_wheel(index.folder, "other", files={"other.py": ""}, entry_points="acme = other:P")
    with pytest.raises(ProviderError, match=r"acme 1\.2 answers for acme already"):
        _trust(root, index, other)
    assert read_remembered(root) == (first,)
    assert _environments(root) == {first.environment, first.loader}


def test_another_version_takes_the_place(root: Path, index: Index) -> None:
    old, _ = _trust(root, index, provider_wheel(index.folder))
    new, is_new = _trust(root, index, provider_wheel(index.folder, version="1.3"))
    assert (is_new, new.version, read_remembered(root)) == (True, "1.3", (new,))
    assert old.environment not in _environments(root)


def test_forgetting_removes_the_files(root: Path, index: Index) -> None:
    provider, _ = _trust(root, index, provider_wheel(index.folder))
    assert forget(root, "acme") == provider
    assert (read_remembered(root), _environments(root)) == ((), set())
    with pytest.raises(NoAnswerError):
        forget(root, "acme")


_CHILD = """\
import json, sys
from pathlib import Path
from variant_index.providers.request import parse_request
from variant_index.providers.trust import trust
root, pin, variables = sys.argv[1:]
trust(Path(root), parse_request(pin, str), json.loads(variables))
"""


def _start(root: Path, index: Index, pin: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(root), pin, json.dumps(index.variables)],
        start_new_session=True,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_is_killed_leaves_nothing_half(root: Path, index: Index, number: signal.Signals) -> None:
    pin = provider_wheel(index.folder)
    index.hangs.set()
    child = _start(root, index, pin)
    deadline = time.monotonic() + 120
    while not index.asked and time.monotonic() < deadline:
        time.sleep(0.02)
    assert index.asked
    os.kill(child.pid, number)
    child.communicate(timeout=60)
    left = {name for name in _environments(root) if not name.startswith(".new-")}
    assert read_remembered(root) == ()
    index.hangs.clear()
    index.released.set()
    provider, _ = _trust(root, index, pin)
    assert left <= {provider.loader}
    assert _environments(root) == {provider.environment, provider.loader}
    assert ask_provider(root, provider, 60, {"PATH": os.environ["PATH"]}).properties["acme"]


def test_two_at_once(root: Path, index: Index) -> None:
    pins = [
        provider_wheel(index.folder, name, files={f"{name}.py": ""}, entry_points=f"{name} = {name}:P")
        for name in ("acme", "beta", "acme")
    ]
    children = [_start(root, index, pin) for pin in pins]
    for child in children:
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
    found = read_remembered(root)
    assert [one.name for one in found] == ["acme", "beta"]
    assert _environments(root) == {key for one in found for key in (one.environment, one.loader)}

"""`variant-pip` with real pip, real HTTP and throw-away environments."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.shim.family import NAME, add_family
from tests.variant_index.upstream.fake_index import FakeIndex, Route

FORCE = "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION"
CUDA = {FORCE: "12.9"}
CPU = {FORCE: "none", "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "none"}
MAIN = "from variant_index.cli.variant_pip import main; raise SystemExit(main())"

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX paths and signals")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the folders are those of Linux")


@pytest.fixture(scope="session")
def environment_with_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("with-pip") / "env"
    venv.create(folder, with_pip=True)
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    """Serve vtorch 1.0 (plain) and 2.0 (plain, cu126, cu128, cu130, null)."""
    with FakeIndex() as index:
        add_family(index, tmp_path / "upstream")
        yield index


class Shell:
    """Runs commands as a user in an activated environment without any configuration of pip."""

    def __init__(self, environment: Path, home: Path) -> None:
        self.folder = home
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "VIRTUAL_ENV": str(environment),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_RETRIES": "0",
        }
        self.pip = [str(environment / "bin" / "python"), "-m", "pip"]

    def start(self, command: list[str], *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, *arguments],
            env={**self.variables, **variables},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, command: list[str], *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        with self.start(command, *arguments, **variables) as process:
            stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def variant_pip(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run([sys.executable, "-c", MAIN], *arguments, **{**CUDA, **variables})

    def plain_pip(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.pip, *arguments, **variables)

    def installed(self) -> str:
        """Return the name of the wheel that was installed into `target`."""
        text = (self.folder / "target" / f"{NAME}.py").read_text()
        return text.partition("'")[2].partition("'")[0]


INSTALL = ("install", "--target", "target", NAME)
TRUSTED = ("--trusted-host", "index.example")


@pytest.fixture
def shell(environment_with_pip: Path, tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    home.mkdir()
    return Shell(environment_with_pip, home)


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("variant-pip: ")]


@posix_only
@pytest.mark.parametrize(
    ("machine", "label", "reason"),
    [
        ({FORCE: "13.0"}, "-cu130", "CUDA ≥ 13.0"),
        ({FORCE: "12.9"}, "-cu128", "CUDA ≥ 12.8"),
        ({FORCE: "12.6"}, "-cu126", "CUDA ≥ 12.6"),
        ({FORCE: "11.8"}, "-null", ""),
        (CPU, "-null", ""),
    ],
)
def test_the_machine_decides(
    machine: dict[str, str], label: str, reason: str, shell: Shell, index: FakeIndex
) -> None:
    done = shell.variant_pip(*INSTALL, "-i", index.url, **machine)
    assert done.returncode == 0, done.stderr
    assert shell.installed() == f"{NAME}-2.0-py3-none-any{label}.whl"
    (line,) = said(done)
    assert line.startswith(f"variant-pip: {NAME} 2.0: {label.removeprefix('-')} — ")
    assert reason in line
    assert "Successfully installed" in done.stdout


@posix_only
def test_plain_pip_gets_the_default_wheel(shell: Shell, index: FakeIndex) -> None:
    assert shell.plain_pip(*INSTALL, "-i", index.url).returncode == 0
    assert shell.installed() == f"{NAME}-2.0-py3-none-any.whl"


@posix_only
def test_it_installs_into_the_active_environment(tmp_path: Path, shell: Shell, index: FakeIndex) -> None:
    venv.create(tmp_path / "other", with_pip=True)
    done = shell.variant_pip("install", "-v", NAME, "-i", index.url, VIRTUAL_ENV=str(tmp_path / "other"))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "other").glob(f"lib/*/site-packages/{NAME}.py"))
    assert f"variant-pip: runs the pip of {tmp_path / 'other'}" in done.stderr


@posix_only
def test_pips_python_option_chooses_the_target(tmp_path: Path, shell: Shell, index: FakeIndex) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    done = shell.variant_pip("--python", str(tmp_path / "bare"), "install", NAME, "-i", index.url)
    assert done.returncode == 0, done.stderr
    (module,) = (tmp_path / "bare").glob(f"lib/*/site-packages/{NAME}.py")
    assert "cu128" in module.read_text()
    done = shell.variant_pip("--python", str(tmp_path / "missing"), "install", NAME)
    assert (done.returncode, said(done)[0].startswith("variant-pip: error: --python ")) == (2, True)


@posix_only
def test_quiet_says_no_choices(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip(*INSTALL, "-q", "-i", index.url)
    assert (done.returncode, said(done)) == (0, [])
    assert shell.installed().endswith("-cu128.whl")
    assert not said(shell.variant_pip(*INSTALL, "--upgrade", "-i", index.url, PIP_QUIET="1"))


@posix_only
def test_other_commands_are_pip_itself(shell: Shell) -> None:
    for arguments in (
        ["--version"],
        ["list"],
        ["config", "list"],
        ["install", "--help"],
        ["nonsense"],
        ["install", "--nonsense"],
    ):
        ours, pips = shell.variant_pip(*arguments), shell.plain_pip(*arguments)
        assert (ours.returncode, ours.stdout) == (pips.returncode, pips.stdout), arguments
        assert ours.stderr == pips.stderr


@posix_only
def test_the_working_directory_is_not_searched_for_pip(shell: Shell, index: FakeIndex) -> None:
    for name in ("pip", "runpy", "sys", "optparse"):
        (shell.folder / f"{name}.py").write_text("print('stray')\nraise SystemExit(9)\n")
    for arguments in (["--version"], [*INSTALL, "-i", index.url]):
        done = shell.variant_pip(*arguments)
        assert (done.returncode, "stray" in done.stdout) == (0, False), done.stderr


@posix_only
def test_help_says_what_is_added(shell: Shell) -> None:
    ours, pips = shell.variant_pip("--help"), shell.plain_pip("--help")
    assert ours.stdout.endswith(pips.stdout)
    assert len(ours.stdout.removesuffix(pips.stdout).splitlines()) == 3
    assert shell.variant_pip().stdout == shell.variant_pip("help").stdout == ours.stdout
    assert (
        "variant-pip"
        not in shell.variant_pip(PIP_AUTO_COMPLETE="1", COMP_WORDS="pip ins", COMP_CWORD="1").stdout
    )


@posix_only
def test_no_match_is_pips_own_failure(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip("install", "no-such-project", "-i", index.url)
    assert done.returncode == 1
    assert "No matching distribution found" in done.stderr
    assert said(done) == []


@posix_only
def test_an_index_that_fails_is_named(shell: Shell, index: FakeIndex) -> None:
    index.routes[f"/simple/{NAME}/"] = Route(status=503)
    done = shell.variant_pip(*INSTALL, "-q", "-i", index.url)
    assert done.returncode != 0
    assert any(
        line.startswith("variant-pip: error: ") and index.url in line and "503" in line for line in said(done)
    )


@posix_only
def test_an_index_that_is_down_is_named(shell: Shell) -> None:
    done = shell.variant_pip(*INSTALL, "-i", "http://127.0.0.1:9/simple/")
    assert done.returncode != 0
    assert any(line.startswith("variant-pip: error: ") and "127.0.0.1:9" in line for line in said(done))


@posix_only
def test_a_failure_that_pip_overlooks_counts(tmp_path: Path, shell: Shell, index: FakeIndex) -> None:
    """pip keeps what is installed when an index fails, and calls that a success."""
    venv.create(tmp_path / "bare", with_pip=False)
    arguments = ("--python", str(tmp_path / "bare"), "install", "--upgrade", NAME, "-i", index.url)
    assert shell.variant_pip(*arguments).returncode == 0
    index.routes[f"/simple/{NAME}/"] = Route(status=500)
    done = shell.variant_pip(*arguments)
    assert "Requirement already satisfied" in done.stdout
    assert done.returncode == 3
    assert any(line.startswith("variant-pip: error: ") for line in said(done))


@posix_only
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-i", "ftp://host/"], "http, https or file URL"),
        (["-i", "ftp://user:secret@host/"], "http, https or file URL"),
        (["-i", "file:///no/such/folder"], "index file:///no/such/folder: no such folder"),
        (["--no-index", "-f", "no-such-folder"], "no-such-folder: no such file or folder"),
        (["--keyring-provider", "1password"], "auto, import, subprocess, disabled"),
        (["-i", "https://host.example/", "--client-cert", "no-such-file"], "no-such-file"),
        (["--index", "u", "--no-in"], "write the option in full"),
        (["--timeout", "soon"], "timeout"),
        (["-i", "https://host.example/", "--cert", "no-such-file"], "no-such-file"),
        (["-r", "https://host.example/r.txt"], "download it"),
    ],
)
def test_our_errors_are_one_line(arguments: list[str], message: str, shell: Shell) -> None:
    done = shell.variant_pip("install", NAME, *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("variant-pip: error: ")
    assert message in line
    assert "secret" not in line


@pytest.fixture
def poison(tmp_path: Path) -> Iterator[FakeIndex]:
    """Serve a version that is higher than any of the true index's."""
    with FakeIndex() as poison:
        poison.add_project(
            NAME, [poison.add_file(make_wheel(tmp_path / "poison", f"{NAME}-99.0-py3-none-any.whl"))]
        )
        yield poison


def poisoned(kind: str, shell: Shell, poison: FakeIndex) -> tuple[list[str], dict[str, str]]:
    """Configure pip, in one of the ways there are, to look at the poisoned index too."""
    text = f"[global]\nextra-index-url = {poison.url}\n[install]\nextra-index-url =\n  {poison.url}\n"
    if kind == "user file":
        file = shell.folder / ".config" / "pip" / "pip.conf"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        return [], {"PIP_CONFIG_FILE": str(shell.folder / "missing")}
    if kind == "named file":
        (shell.folder / "own.conf").write_text(text)
        return [], {"PIP_CONFIG_FILE": "own.conf"}
    if kind == "isolated":
        (shell.folder / "own.conf").write_text(text)
        return ["--isolated", "--retries=0"], {"PIP_CONFIG_FILE": "own.conf"}
    if kind == "variable":
        return [], {"PIP_EXTRA_INDEX_URL": poison.url}
    return ["--extra-index-url", poison.url], {}


@linux_only
@pytest.mark.parametrize("kind", ["user file", "named file", "isolated", "variable", "command line"])
def test_another_source_does_not_get_past_the_shim(
    kind: str, shell: Shell, index: FakeIndex, poison: FakeIndex
) -> None:
    options, variables = poisoned(kind, shell, poison)
    arguments = (*INSTALL, "-i", index.url, *options)
    assert shell.plain_pip(*arguments, **variables).returncode == 0
    assert "-99.0-" in shell.installed()  # the control: pip by itself takes the poison
    asked = poison.asked(NAME)
    done = shell.variant_pip(*arguments, "--upgrade", **variables)
    assert done.returncode == 0, done.stderr
    assert shell.installed() == f"{NAME}-2.0-py3-none-any-cu128.whl"
    assert poison.asked(NAME) == asked


@posix_only
def test_extra_indexes_have_what_the_first_has_not(shell: Shell, index: FakeIndex, poison: FakeIndex) -> None:
    other = make_wheel(shell.folder, "other-1.0-py3-none-any.whl", requires_dist=[NAME])
    poison.add_project("other", [poison.add_file(other)])
    arguments = ("install", "--target", "target", "other", "-i", index.url, "--extra-index-url", poison.url)
    done = shell.variant_pip(*arguments)
    assert done.returncode == 0, done.stderr
    assert shell.installed().endswith("-2.0-py3-none-any-cu128.whl")


@posix_only
@pytest.mark.parametrize("kind", ["option", "short option", "variable", "file", "isolated"])
def test_sources_in_requirements_files_do_not_get_past_the_shim(
    kind: str, shell: Shell, index: FakeIndex, poison: FakeIndex
) -> None:
    (shell.folder / "deep").mkdir()
    (shell.folder / "r.txt").write_text("-c deep/c.txt\n\n")
    (shell.folder / "deep" / "c.txt").write_text(
        f"-i {index.url} \\\n --pre\n--extra-index-url {poison.url}\n"
    )
    (shell.folder / "own.conf").write_text("[install]\nconstraint = deep/c.txt\n")
    options, variables = {
        "option": (["--requirement=r.txt"], {}),
        "short option": (["-qr", "r.txt"], {}),
        "variable": ([], {"PIP_CONSTRAINT": "deep/c.txt"}),
        "file": ([], {"PIP_CONFIG_FILE": "own.conf"}),
        "isolated": (["--isolated", "--retries=0"], {"PIP_CONFIG_FILE": "own.conf"}),
    }[kind]
    arguments = (*INSTALL, "-i", poison.url, *options)
    assert shell.plain_pip(*arguments, **variables).returncode == 0
    assert "-99.0-" in shell.installed()  # the control: pip by itself follows the file
    asked = poison.asked(NAME)
    done = shell.variant_pip(*arguments, "--upgrade", **variables)
    assert done.returncode == 0, done.stderr
    assert shell.installed() == f"{NAME}-2.0-py3-none-any-cu128.whl"
    assert poison.asked(NAME) == asked


@posix_only
def test_pip_index_reads_no_constraints(shell: Shell, index: FakeIndex, poison: FakeIndex) -> None:
    (shell.folder / "c.txt").write_text(f"-i {poison.url}\n")
    done = shell.variant_pip("index", "versions", NAME, "-i", index.url, PIP_CONSTRAINT="c.txt")
    assert done.returncode == 0, done.stderr
    assert "Available versions: 2.0, 1.0" in done.stdout


@posix_only
def test_hashes_and_messages_of_requirements_files_stay(shell: Shell, index: FakeIndex) -> None:
    (shell.folder / "r.txt").write_text(
        f"--index-url {index.url}\n\n{NAME}==1.0 \\\n    --hash=sha256:{'0' * 64}\n"
    )
    done = shell.variant_pip("install", "--target", "target", "-r", "r.txt")
    assert done.returncode == 1
    assert "(from -r r.txt (line 3))" in done.stderr + done.stdout
    assert f"Expected sha256 {'0' * 64}" in done.stderr


@posix_only
def test_folders_as_sources(tmp_path: Path, shell: Shell) -> None:
    from tests.variant_index.shim.family import write_release, write_sidecar

    folder = shell.folder / "wheels"
    write_release(folder)
    write_sidecar(folder)
    done = shell.variant_pip(*INSTALL, "--no-index", "--find-links", "wheels")
    assert done.returncode == 0, done.stderr
    assert shell.installed().startswith(f"{NAME}-2.0-")


def serve_as_proxy(index: FakeIndex) -> None:
    """Let the stand-in index be a proxy: a request through one names the whole address."""
    name = b"http://index.example"
    index.routes = {
        f"http://index.example{path}": replace(route, body=route.body.replace(index.root.encode(), name))
        for path, route in index.routes.items()
    }


@posix_only
@pytest.mark.parametrize("kind", ["option", "variable", "file"])
def test_a_proxy_is_asked_for_everything_but_the_shim(kind: str, shell: Shell, index: FakeIndex) -> None:
    serve_as_proxy(index)
    (shell.folder / "own.conf").write_text(f"[install]\nproxy = {index.root}\n")
    options, variables = {
        "option": (["--proxy", index.root], {}),
        "variable": ([], {"PIP_PROXY": index.root}),
        "file": ([], {"PIP_CONFIG_FILE": "own.conf"}),
    }[kind]
    done = shell.variant_pip(*INSTALL, "-i", "http://index.example/simple/", *TRUSTED, *options, **variables)
    assert done.returncode == 0, done.stderr
    assert shell.installed().endswith("-cu128.whl")
    assert not any(
        re.search(r"http://127\.0\.0\.1:\d+/[^/]{20,}/simple", request) for request in index.requests
    )


@posix_only
def test_environment_proxies_do_not_catch_the_shim(shell: Shell, index: FakeIndex) -> None:
    serve_as_proxy(index)
    done = shell.variant_pip(
        *INSTALL, "-i", "http://index.example/simple/", *TRUSTED, http_proxy=index.root, NO_PROXY="other"
    )
    assert done.returncode == 0, done.stderr
    assert shell.installed().endswith("-cu128.whl")


@posix_only
def test_download_for_another_platform(tmp_path: Path, shell: Shell) -> None:
    with FakeIndex() as index:
        wheels = [
            make_wheel(tmp_path / "wheels", f"plat-1.0-cp312-cp312-{platform}.whl")
            for platform in ("manylinux2014_aarch64", "manylinux2014_x86_64")
        ]
        index.add_project("plat", [index.add_file(path) for path in wheels])
        target = ["--platform", "manylinux2014_aarch64", "--python-version", "3.12", "--only-binary", ":all:"]
        done = shell.variant_pip("download", "plat", *target, "-d", "got", "-i", index.url)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (shell.folder / "got").iterdir()] == [wheels[0].name]


@posix_only
def test_a_variant_for_another_platform(tmp_path: Path, shell: Shell) -> None:
    from tests.making import document

    with FakeIndex() as index:
        platforms = ("manylinux2014_aarch64", "manylinux2014_x86_64")
        names = [
            f"plat-1.0-cp312-cp312-{platform}{label}.whl"
            for platform in platforms
            for label in ("", "-cu128")
        ]
        labels = {"cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}}}
        sidecar = tmp_path / "plat-1.0-variants.json"
        sidecar.write_text(json.dumps(document(labels)))
        own = document(labels)
        files = [
            index.add_file(
                make_wheel(tmp_path / "wheels", name, variant_json=own if "cu128" in name else None)
            )
            for name in names
        ]
        index.add_project("plat", [*files, index.add_file(sidecar)])
        target = ["--platform", "manylinux2014_aarch64", "--python-version", "3.12", "--only-binary", ":all:"]
        done = shell.variant_pip("download", "plat", *target, "-d", "got", "-i", index.url)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (shell.folder / "got").iterdir()] == [
        "plat-1.0-0_cu128-cp312-cp312-manylinux2014_aarch64.whl"
    ]
    assert "variant-pip: plat 1.0: cu128 — " in done.stderr


@posix_only
def test_a_report_names_the_files_and_not_the_shim(shell: Shell, index: FakeIndex) -> None:
    dry_run = ("install", "--dry-run", "--ignore-installed", "-i", index.url, "--report", "r.json")
    done = shell.variant_pip(*dry_run, NAME)
    assert done.returncode == 0, done.stderr
    (line,) = said(done)
    assert "cu128" in line
    report = json.loads((shell.folder / "r.json").read_text())
    (item,) = report["install"]
    assert item["download_info"]["url"] == f"{index.root}/files/{NAME}-2.0-py3-none-any-cu128.whl"
    assert said(shell.variant_pip(*dry_run, f"{NAME}<2")) == []
    assert index.url.removesuffix("simple/") in (shell.folder / "r.json").read_text()


@posix_only
def test_uv_installs_from_the_lock_file_without_the_shim(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip("lock", NAME, "-i", index.url, VIRTUAL_ENV=sys.prefix)  # pip 25.1 or newer
    assert done.returncode == 0, done.stderr
    assert ["note: the lock file" in line for line in said(done)] == [True, False]
    venv.create(shell.folder / "bare", with_pip=False)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", "bare"]
    done = shell.run([*uv, "--default-index", "http://127.0.0.1:9/", "-r", "pylock.toml"])
    assert done.returncode == 0, done.stderr
    (module,) = (shell.folder / "bare").glob(f"lib/*/site-packages/{NAME}.py")
    assert "-cu128" in module.read_text()


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_pip_and_the_shim(number: signal.Signals, shell: Shell, index: FakeIndex) -> None:
    index.routes[f"/simple/{NAME}/"] = Route(seconds_before=300)
    command = [sys.executable, "-c", MAIN]
    with shell.start(command, *INSTALL, "-i", index.url) as process:
        assert process.stdout is not None
        while "Looking in indexes" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == (1 if number == signal.SIGINT else -number)
    assert "Traceback" not in stderr
    with pytest.raises(ProcessLookupError):  # nothing of its session is left
        os.killpg(process.pid, 0)


@posix_only
def test_the_environment_of_pip_is_otherwise_the_users(shell: Shell, index: FakeIndex) -> None:
    """`--require-hashes`, cache folders and the like come from the user's settings."""
    (shell.folder / "own.conf").write_text("[install]\nrequire-hashes = yes\n")
    for options in ([], ["--isolated"]):
        done = shell.variant_pip(*INSTALL, *options, "-i", index.url, PIP_CONFIG_FILE="own.conf")
        assert done.returncode == 1
        assert "--require-hashes mode" in done.stderr


@posix_only
def test_without_pip_there_is_one_line(tmp_path: Path, shell: Shell) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    done = shell.variant_pip("install", NAME, VIRTUAL_ENV=str(tmp_path / "bare"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "has no pip" in done.stderr

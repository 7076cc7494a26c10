"""What uv command lines mean: sources in uv's order, what runs as it is, what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from variant_index.clients.takeover import AsIs, Child, ClientError, Takeover
from variant_index.clients.uv.take_over import take_over

PYPI = "https://pypi.org/simple"


def understood(
    text: str,
    folder: Path,
    variables: dict[str, str] | None = None,
    *,
    program: str = "uv",
    allow: bool = False,
) -> Takeover | AsIs:
    environment = {"HOME": str(folder / "home"), "XDG_CONFIG_DIRS": str(folder / "none")}
    environment |= variables or {}
    return take_over(program, tuple(text.split()), environment, folder, allow_loopback_lock=allow)


def taken(text: str, folder: Path, **variables: str) -> Takeover:
    found = understood(text, folder, variables)
    assert isinstance(found, Takeover)
    return found


def child(found: Takeover, folder: Path) -> Child:
    return found.child({"": "http://127.0.0.1:1/t/simple/"}, folder)


@pytest.mark.parametrize(
    ("text", "variables", "urls", "links"),
    [
        ("", {}, [PYPI], []),
        ("--index http://a/ --index http://b/", {}, ["http://a/", "http://b/", PYPI], []),
        ("--index n=http://a/ --default-index http://d/", {}, ["http://a/", "http://d/"], []),
        ("-i http://d/ --extra-index-url http://e/", {}, ["http://e/", "http://d/"], []),
        ("", {"UV_INDEX": "http://a/ n=http://b/"}, ["http://a/", "http://b/", PYPI], []),
        ("--index http://c/", {"UV_INDEX": "http://a/"}, ["http://c/", "http://a/", PYPI], []),
        ("", {"UV_DEFAULT_INDEX": "http://d/", "UV_INDEX_URL": "http://o/"}, ["http://d/"], []),
        ("", {"UV_EXTRA_INDEX_URL": "http://e/"}, ["http://e/", PYPI], []),
        ("-f http://l/", {}, [PYPI], ["http://l/"]),
        ("", {"UV_FIND_LINKS": "http://l/,http://m/"}, [PYPI], ["http://l/", "http://m/"]),
        ("--no-index -f http://l/", {}, [], ["http://l/"]),
        ("", {"UV_NO_INDEX": "1"}, [], []),
        ("", {"UV_NO_INDEX": "0"}, [PYPI], []),
    ],
)
def test_sources(
    text: str, variables: dict[str, str], urls: list[str], links: list[str], tmp_path: Path
) -> None:
    found = taken(f"pip install x {text}", tmp_path, **variables)
    (index,) = found.indexes
    assert (list(index.urls), list(index.find_links)) == (urls, links)
    assert index.own == ("http://d/" in urls and "UV_DEFAULT_INDEX" not in variables)
    started = child(found, tmp_path)
    assert started.command == ("uv", "pip", "install", "x")
    assert started.environment["UV_DEFAULT_INDEX"] == "http://127.0.0.1:1/t/simple/"
    assert not {"UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"} & set(
        started.environment
    )
    assert started.environment["no_proxy"] == "127.0.0.1"


def test_configured_sources(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text(
        'prerelease = "allow"\n'
        '[[index]]\nname = "a"\nurl = "http://a/"\n'
        '[[index]]\nname = "x"\nurl = "http://x/"\nexplicit = true\n'
        '[[index]]\nname = "d"\nurl = "http://d/"\ndefault = true\n'
        '[pip]\nextra-index-url = ["http://e/"]\nfind-links = ["links"]\n'
    )
    found = taken(
        "pip install x", tmp_path, UV_INDEX_A_USERNAME="me", UV_INDEX_A_PASSWORD="p/w", UV_TORCH_BACKEND="cpu"
    )
    (index,) = found.indexes
    assert index.urls == ("http://me:p%2Fw@a/", "http://e/", "http://d/")
    assert index.find_links == (str(tmp_path / "links"),)
    (warning,) = found.warnings
    assert "pinned to the index x" in warning
    started = child(found, tmp_path / "throw-away")
    assert started.environment["UV_CONFIG_FILE"] == str(tmp_path / "throw-away" / "uv.toml")
    assert started.files == {"uv.toml": '"prerelease" = "allow"\n'}
    assert "UV_TORCH_BACKEND" not in started.environment
    named = taken("pip install x --index x --default-index a", tmp_path)
    assert named.indexes[0].urls == ("http://x/", "http://a/", "http://e/")


def test_another_order_of_indexes_is_said(tmp_path: Path) -> None:
    (warning,) = taken("pip install x --index-strategy unsafe-best-match", tmp_path).warnings
    assert "unsafe-best-match is not followed" in warning


def test_a_named_configuration_stays_in_effect(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('prerelease = "allow"\n')
    started = child(taken("pip install x --config-file own.toml", tmp_path), tmp_path)
    assert started.environment["UV_CONFIG_FILE"] == "own.toml"
    assert child(taken("pip install x --no-config", tmp_path), tmp_path).environment["UV_NO_CONFIG"] == "1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "--version",
        "pip",
        "pip list",
        "pip install --help",
        "tool list",
        "venv",
        "build",
        "cache clean",
        "run --frozen x",
        "sync --locked",
        "sync --frozen",
        "run --no-sync x",
    ],
)
def test_what_needs_no_shim(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    found = understood(text, tmp_path)
    assert isinstance(found, AsIs)
    assert bool(found.note) == any(word in text for word in ("frozen", "locked", "no-sync"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lock", "into uv.lock"),
        ("sync", "into uv.lock"),
        ("run python", "into uv.lock"),
        ("export", "into uv.lock"),
        ("add x", "into pyproject.toml"),
        ("remove x", "into pyproject.toml"),
        ("pip compile r.in --emit-index-url", "--emit-index-url"),
        ("pip compile r.in --emit-index-annotation", "--emit-index-annotation"),
        ("pip compile r.in --emit-find-links", "--emit-find-links"),
        ("pip compile r.in --format pylock.toml", "pylock.toml"),
        ("pip compile r.in -o pylock.gpu.toml", "pylock.toml"),
        ("pip install x --torch-backend=auto", "--torch-backend"),
        ("pip install x --python-platform linux", "--python-platform"),
        ("tool install x", "remembers"),
        ("tool upgrade x", "remembers"),
        ("pip install -r sources.txt", "--extra-index-url in a requirements file"),
        ("pip compile sources.txt", "--extra-index-url in a requirements file"),
    ],
)
def test_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "sources.txt").write_text("x\n--extra-index-url http://e/\n")
    with pytest.raises(ClientError, match=reason) as caught:
        understood(text, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("variable", ["UV_FROZEN", "UV_LOCKED", "UV_NO_SYNC"])
def test_variables_that_keep_to_the_lock_file(variable: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert isinstance(understood("run x", tmp_path, {variable: "1"}), AsIs)
    with pytest.raises(ClientError):
        understood("run x", tmp_path, {variable: "0"})


def test_the_remedy_for_a_locked_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "uv.lock").touch()
    for text, remedy in (
        ("sync", "uv export --frozen --no-hashes -o FILE"),
        ("run x", "uv export --frozen --no-hashes -o FILE"),
        ("lock", "uv pip install -r pyproject.toml"),
        ("add x --script s.py", "into the script"),
    ):
        with pytest.raises(ClientError, match=remedy):
            understood(text, tmp_path)


@pytest.mark.parametrize(
    "setting",
    [
        *("emit-index-url = true", "emit-index-annotation = true", "emit-find-links = true"),
        'output-file = "sub/pylock.toml"',
    ],
)
def test_addresses_that_the_configuration_would_have_written(setting: str, tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text(f"[pip]\n{setting}\n")
    with pytest.raises(ClientError, match="allow-loopback-lock") as caught:
        understood("pip compile r.in", tmp_path)
    assert "\n" not in str(caught.value)
    undone = f"--no-{setting.partition(' ')[0]}" if "true" in setting else "-o requirements.txt"
    taken(f"pip compile r.in {undone}", tmp_path)
    taken("pip install x", tmp_path)
    assert isinstance(understood("pip compile r.in", tmp_path, allow=True), Takeover)


@pytest.mark.parametrize("text", ["lock", "sync", "pip compile r.in --emit-index-url"])
def test_the_flag_allows_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert isinstance(understood(text, tmp_path, allow=True), Takeover)


def test_the_flag_does_not_allow_a_changed_project_file(tmp_path: Path) -> None:
    with pytest.raises(ClientError):
        understood("add x", tmp_path, allow=True)


@pytest.mark.parametrize(
    ("text", "project", "script", "works"),
    [
        ("run --with x python", False, "", True),
        ("run --with x python", True, "", False),
        ("run --no-project --with x python", True, "", True),
        ("run s.py", True, "# /// script\n# dependencies = []\n# ///\n", True),
        ("run s.py", True, "print()\n", False),
        ("run python s.py", True, "# /// script\n", False),
    ],
)
def test_run_outside_of_a_project(text: str, project: bool, script: str, works: bool, tmp_path: Path) -> None:
    if project:
        (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "s.py").write_text(script)
    if works:
        assert isinstance(understood(text, tmp_path), Takeover)
    else:
        with pytest.raises(ClientError):
            understood(text, tmp_path)


def test_a_locked_script_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "s.py").write_text("# /// script\n# ///\n")
    (tmp_path / "s.py.lock").touch()
    with pytest.raises(ClientError):
        understood("run s.py", tmp_path)


def test_options_of_the_program_that_is_run_are_its_own(tmp_path: Path) -> None:
    found = taken("tool run x --index http://a/ --help", tmp_path)
    assert found.indexes[0].urls == (PYPI,)
    assert child(found, tmp_path).command == ("uv", "tool", "run", "x", "--index", "http://a/", "--help")
    uvx = understood("--index http://a/ x --torch-backend", tmp_path, program="uvx")
    assert isinstance(uvx, Takeover)
    assert child(uvx, tmp_path).command == ("uvx", "x", "--torch-backend")
    assert uvx.indexes[0].urls == ("http://a/", PYPI)


@pytest.mark.parametrize("program", ["uv", "uvx", "./uv", "./uvx"])
def test_the_uv_that_is_run_is_asked_for_the_interpreter(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not be on PATH."""
    monkeypatch.chdir(Path(sys.executable).parent)
    named = program if program.startswith(".") else str(Path(sys.executable).with_name(program))
    words = ("ruff",) if program.endswith("x") else ("--directory", str(tmp_path), "pip", "install", "x")
    words = (*words[:-1], "--python", sys.executable, words[-1])
    variables = {"PATH": str(tmp_path), "UV_NO_CONFIG": "1", "HOME": str(tmp_path)}
    found = take_over(named, words, variables, Path.cwd(), allow_loopback_lock=False)
    assert isinstance(found, Takeover)
    assert Path(found.python()).samefile(sys.executable)


def test_locks_list_every_variant(tmp_path: Path) -> None:
    assert taken("pip compile r.in", tmp_path).locks
    assert not taken("pip install x", tmp_path).locks

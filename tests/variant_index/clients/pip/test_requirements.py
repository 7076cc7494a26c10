"""Requirements files that name sources, held against pip's own reading of them and of their copies."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.variant_index.clients.pip.pip_requirements import PipReader, Scope
from variant_index.clients.pip.arguments import parse_arguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.led import Led, lead
from variant_index.clients.pip.requirements import Requirements, RequirementsError, read_requirements
from variant_index.clients.pip.requirements_line import Option, parse_lines, render_options
from variant_index.clients.pip.sources import pip_sources

DEFAULT = "https://default.example/simple"
SHIM = "http://127.0.0.1:1/token/simple/"
NOTHING = PipConfiguration({}, {})


def led(
    found: Requirements, words: list[str], folder: Path, configuration: PipConfiguration = NOTHING
) -> Led:
    def made() -> Path:
        folder.mkdir()
        return folder

    return lead(found, parse_arguments(["install", *words]), configuration, SHIM, made)


def file_options(words: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the options of a command line that name files, and the files."""
    pairs = (word.removeprefix("--").partition("=") for word in words if word.startswith("--"))
    return [(name, file) for name, equals, file in pairs if equals]


def test_of_the_users_own_files_pip_takes_the_last_index(tmp_path: Path) -> None:
    """What `lead` builds on."""
    (tmp_path / "r.txt").write_text("-i https://a.example\n--extra-index-url https://b.example\ntorch\n")
    (tmp_path / "index.txt").write_text(f"-i {SHIM}\n")
    with PipReader() as pip:
        scope = pip.read([(str(tmp_path / name), False) for name in ("r.txt", "index.txt")], [DEFAULT])
    assert isinstance(scope, Scope)
    assert scope.indexes == [SHIM]


@pytest.fixture(scope="module")
def pip() -> Iterator[PipReader]:
    with PipReader() as pip:
        yield pip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-i URL", [("index-url", "URL")]),
        ("-iURL", [("index-url", "URL")]),
        ("--index-url=URL", [("index-url", "URL")]),
        ("--pypi-url URL", [("index-url", "URL")]),
        ("-i A -i B", [("index-url", "B")]),
        ("-f a -f b", [("find-links", "a")]),
        ("--extra-index-url E --index-url I", [("index-url", "I"), ("extra-index-url", "E")]),
        ("--extra-index-url URL # note", [("extra-index-url", "URL")]),
        ("--ext URL", [("extra-index-url", "URL")]),
        ("-f 'a folder'", [("find-links", "a folder")]),
        ("--pre --no-index", [("no-index", "")]),
        ("--extra-\\\nindex-url \\\n  URL\nx", [("extra-index-url", "URL")]),
        ("x \\\n# a comment ends the line\n-iURL", [("index-url", "URL")]),
        ("${OPTION} URL", [("index-url", "URL")]),
        ("-r more.txt -i URL", []),  # pip ignores it there
        ("-e . -i URL", []),
        ("torch --index-url URL", []),
        ("# -i URL\n#--no-index", []),
        ("--no-binary :all:\n--only-binary=x\n--prefer-binary\n${MISSING}", []),
        ("", []),
    ],
)
def test_source_options(text: str, expected: list[tuple[str, str]]) -> None:
    lines = parse_lines(text, {"OPTION": "--index-url"})
    assert [(option.name, option.value) for line in lines for option in line.sources] == expected


_URLS = st.sampled_from(["https://a.example/s", "https://u:p@b.example", "${HOME}", "file:///c"])
_LINES = st.one_of(
    st.sampled_from(
        [
            *("torch==2.9", "numpy ; python_version < '4'  # -i URL", "x --hash=sha256:" + "0" * 64, ""),
            *("# comment", "y \\", "  --hash=sha256:" + "1" * 64, "--pre", "--prefer-binary", "-e ."),
            *("--no-index", "--trusted-host h:8080", "--trusted-host g", "-f links", "-f 'a folder'"),
            *("-r other.txt", "-c other.txt -i https://ignored.example", "--no-binary :all: --pre", "-e"),
            *(
                "--extra-index-url https://e.example \\",
                "--unknown",
                "-i 'unclosed",
                "z @ https://z.example/z",
            ),
            *("--find-links=https://l.example --no-index", "--use-feature=fast-deps", "-r missing.txt"),
        ]
    ),
    st.builds("{} {}".format, st.sampled_from(["-i", "--index-url", "--extra-index-url", "-f"]), _URLS),
    st.builds("--extra-index-url {} --pre --index-url={}".format, _URLS, _URLS),
)
_FILES = st.lists(_LINES, max_size=8).map("\n".join)


def in_effect(found: Requirements) -> tuple[list[str], list[str], bool, list[str]]:
    configuration = PipConfiguration({}, {"index-url": DEFAULT, "find-links": "first"})
    sources = pip_sources(configuration, parse_arguments(["install", "x"]), found.sources)
    return (
        list(sources.index_urls),
        list(sources.find_links),
        sources.no_index,
        list(dict.fromkeys(sources.trusted_hosts)),
    )


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(texts=st.tuples(_FILES, _FILES, _FILES), inherited=st.booleans())
@example(texts=("-i https://a.example\n--no-index\n-i https://b.example", "", ""), inherited=False)
@example(texts=("-r other.txt\n-f links", "-i https://b.example/\n-f links", "--no-index"), inherited=False)
@example(texts=("-r other.txt", "-i https://b.example/\n-r main.txt", ""), inherited=False)
@example(texts=("-i https://b.example \\\n --pre \\\n\ntorch==2.9", "", ""), inherited=False)
@example(texts=("", "", "--extra-index-url https://b.example"), inherited=True)
@example(texts=("", "--extra-index-url https://b.example", "-r other.txt"), inherited=True)
def test_sources_are_pips_and_pip_keeps_to_the_shim(
    pip: PipReader, tmp_path_factory: pytest.TempPathFactory, texts: tuple[str, str, str], inherited: bool
) -> None:
    folder = tmp_path_factory.mktemp("files")
    (folder / "links").mkdir()
    constraint, main = str(folder / "constraint.txt"), str(folder / "main.txt")
    for name, text in zip(("main", "other", "constraint"), texts, strict=True):
        (folder / f"{name}.txt").write_text(text)
    truth = pip.read([(constraint, True), (main, False)], [DEFAULT], ["first"])
    try:
        found = read_requirements([constraint, main], os.environ)
    except RequirementsError:
        assert isinstance(truth, str)  # pip refuses it as well
        return
    if inherited:  # by the children of pip, which get no last file
        configuration = PipConfiguration({}, {"constraint": constraint})
        ours = led(found, ["-r", main], folder / "ours", configuration)
        theirs = ours.settings.get("constraint", constraint)
        alone = pip.read([(theirs, True)], [SHIM])
        assert isinstance(alone, str) or (alone.indexes, alone.links) == ([SHIM], [])
        files = [("constraint", theirs), *file_options(ours.arguments.passed)]
    else:
        ours = led(found, [f"--constraint={constraint}", f"--requirement={main}"], folder / "ours")
        files = file_options(ours.arguments.passed)
    if inherited and not ours.arguments.passed[1].startswith("--"):
        files.append(("requirement", main))
    if not any(line.sources for file in found.files.values() for line in file.lines):
        assert not (folder / "ours").exists()
    read = pip.read([(file, option == "constraint") for option, file in files], [SHIM])
    if isinstance(truth, str):
        assert isinstance(read, str)
        return
    assert isinstance(read, Scope), read
    hosts = list(dict.fromkeys(truth.hosts))
    assert (truth.indexes, truth.links, truth.no_index, hosts) == in_effect(found)
    assert read.lines == truth.lines
    assert (read.indexes, read.links, read.no_index) == ([SHIM], [], False)
    assert read.hosts == truth.hosts


_VALUE = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" #${}'\"\\"), min_size=1)


@given(st.lists(st.tuples(st.sampled_from(["trusted-host", "requirement", "no-binary"]), _VALUE), max_size=4))
@example([("requirement", "a #b"), ("trusted-host", "${A}"), ("no-binary", "' #\"")])
def test_rendered_options_are_read_as_they_were(pairs: list[tuple[str, str]]) -> None:
    options = tuple(Option(name, value) for name, value in pairs)
    line = render_options(options)
    assert [option for one in parse_lines(line, {"A": "b"}) for option in one.options] == list(options)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for found in parse_lines(text, {}):
        assert 1 <= found.number <= found.number + found.count - 1 <= len(text.splitlines())


def test_files_that_only_name_indexes_are_pips_to_read(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("-i https://user:secret@h.example/\ntorch\n-c c.txt\n")
    (tmp_path / "c.txt").write_text("--extra-index-url https://h.example/\ntorch<3\n")
    (tmp_path / "d.txt").write_text("torch<4\n")
    r, d = str(tmp_path / "r.txt"), str(tmp_path / "d.txt")
    ours = led(read_requirements([d, r], {}), ["-r", r, "-c", d, "--pre"], tmp_path / "ours")
    last = tmp_path / "ours" / "index.txt"
    assert ours.arguments.passed == (
        *("install", f"--constraint={d}", f"--requirement={r}", f"--requirement={last}", "--pre"),
    )
    assert [path.name for path in (tmp_path / "ours").rglob("*")] == ["index.txt"]
    assert last.read_text(encoding="utf-8-sig") == f"--index-url {SHIM}\n"
    assert stat.S_IMODE(last.stat().st_mode) == 0o600
    # Without a requirements file it must not become one: pip then says that it was given none.
    only = led(read_requirements([r], {}), ["-c", r], tmp_path / "more")
    assert [name for name, _ in file_options(only.arguments.passed)] == ["constraint", "constraint"]


def test_copies_are_few_and_private_and_hold_no_source(tmp_path: Path) -> None:
    texts = {
        "r.txt": "-i https://user:secret@h.example/\ntorch\n-c c.txt\n",
        "c.txt": "torch<3\n-r d.txt",
        "d.txt": "--find-links https://user:secret@h.example/",
        "e.txt": "-i https://user:secret@h.example/",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    names = [str(tmp_path / name) for name in ("r.txt", "e.txt")]
    words = [word for name in names for word in ("-r", name)]
    ours = led(read_requirements(names, {}), words, tmp_path / "ours")
    given = [Path(file) for _, file in file_options(ours.arguments.passed)]
    assert [path.name for path in given] == ["r.txt", "e.txt", "index.txt"]
    assert [path.is_relative_to(tmp_path / "ours") for path in given] == [True, False, True]
    written = [path for path in (tmp_path / "ours").rglob("*") if path.is_file()]
    assert len(written) == 4
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "secret" not in path.read_text()


def test_files_without_sources_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r a.txt\n-r b.txt\ntorch\n--trusted-host h\n")
    (tmp_path / "pylock.toml").write_text("-i URL\n")
    names = [str(tmp_path / name) for name in ("a.txt", "pylock.toml", "missing.txt", "")]
    found = read_requirements(names, {})
    assert not found.need_leading
    words = ["-r", names[0], "-qr", names[1], "x"]
    assert led(found, words, tmp_path / "ours") == Led(parse_arguments(["install", *words]))


@pytest.mark.parametrize(
    ("data", "index"),
    [
        ("-i https://ü.example".encode("utf-16"), "https://ü.example"),
        ("# -*- coding: latin-1 -*-\n-i https://ü.example".encode("latin-1"), "https://ü.example"),
        ("\ufeff-i https://ü.example".encode(), "https://ü.example"),
    ],
)
def test_encodings(data: bytes, index: str, tmp_path: Path, pip: PipReader) -> None:
    (tmp_path / "r.txt").write_bytes(data + "\nü==1".encode("utf-16-le" if data[0] == 0xFF else "latin-1"))
    path = str(tmp_path / "r.txt")
    if data.startswith(b"\xef"):
        (tmp_path / "r.txt").write_bytes(data + "\nü==1".encode())
    if data[0] == 0xFF:
        (tmp_path / "r.txt").write_bytes(data + "\nü==1".encode("utf-16-le"))
    found = read_requirements([path], {})
    assert found.sources == [Option("index-url", index)]
    configuration = PipConfiguration({"install.requirement": path}, {})
    copy = led(found, ["x"], tmp_path / "ours", configuration).settings["requirement"]
    assert copy != path
    copied = pip.read([(copy, False)], [])
    assert isinstance(copied, Scope)
    assert [line[:2] for line in copied.lines] == [["ü==1", f"line {data.count(b'coding') + 2}"]]


@pytest.mark.skipif(os.name != "posix", reason="pipes with names")
def test_a_pipe_is_read_once_and_copied(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("torch\n",), daemon=True)
    writer.start()
    found = read_requirements([str(path)], {})
    writer.join(60)
    ((_, copy),) = file_options(led(found, ["-r", str(path)], tmp_path / "ours").arguments.passed)
    assert Path(copy).read_text(encoding="utf-8-sig") == "torch\n"


def test_file_urls(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("--no-index\n-r c.txt")
    (tmp_path / "c.txt").write_text("-f .")
    name = (tmp_path / "a b.txt").as_uri()
    found = read_requirements([name], {})
    assert found.sources == [Option("no-index"), Option("find-links", str(tmp_path))]
    ours = led(found, ["--constraint", name], tmp_path / "ours")
    assert [Path(file).name for _, file in file_options(ours.arguments.passed)] == ["a b.txt"]
    assert name not in " ".join(ours.arguments.passed)


def test_what_is_refused(tmp_path: Path) -> None:
    def refusal(text: str) -> str:
        (tmp_path / "r.txt").write_text(text)
        with pytest.raises(RequirementsError) as caught:
            read_requirements([str(tmp_path / "r.txt")], {})
        assert str(caught.value).isprintable()
        return str(caught.value)

    assert "download it" in refusal("-r https://user:secret@h.example/r.txt")
    assert "secret" not in refusal("-r https://user:secret@h.example/r.txt")
    assert "line 2: " in refusal("x\n--new-option --index-url https://u:secret@h")
    assert "secret" not in refusal("--new-option --index-url https://u:secret@h")
    with (tmp_path / "r.txt").open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    with pytest.raises(RequirementsError, match="16 MB"):
        read_requirements([str(tmp_path / "r.txt")], {})
    (tmp_path / "r.txt").write_bytes(b"# coding: no-such\n")
    with pytest.raises(RequirementsError, match="encoding"):
        read_requirements([str(tmp_path / "r.txt")], {})
    (tmp_path / "r.txt").write_text("-i https://h")
    with pytest.raises(RequirementsError, match="--index-url in a build constraints file"):
        read_requirements([], {}, [str(tmp_path / "r.txt")])


def test_bombs_of_includes_end(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n" * 2)
    with pytest.raises(RequirementsError, match="more than 1000"):
        read_requirements([str(tmp_path / "0.txt")], {})
    for number in range(300):
        (tmp_path / f"d{number}.txt").write_text(f"-r d{number + 1}.txt\n")
    with pytest.raises(RequirementsError, match="100 deep"):
        read_requirements([str(tmp_path / "d0.txt")], {})

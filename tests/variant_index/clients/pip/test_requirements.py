"""Requirements files that name sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.clients.pip.requirements import (
    RequirementsError,
    SourceLine,
    check_requirements,
    find_source_lines,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-i URL", [SourceLine(1, "index-url", "URL")]),
        ("-iURL", [SourceLine(1, "index-url", "URL")]),
        ("--index-url=URL", [SourceLine(1, "index-url", "URL")]),
        ("--index-url URL", [SourceLine(1, "index-url", "URL")]),
        ("--pypi-url URL", [SourceLine(1, "index-url", "URL")]),
        ("--extra-index-url URL # note", [SourceLine(1, "extra-index-url", "URL")]),
        ("--ext URL", [SourceLine(1, "extra-index-url", "URL")]),
        ("-f 'a folder'", [SourceLine(1, "find-links", "a folder")]),
        ("--no-index", [SourceLine(1, "no-index", "")]),
        ("--pre --no-index", [SourceLine(1, "no-index", "")]),
        ("# first\n\n  --no-index", [SourceLine(3, "no-index", "")]),
        ("--extra-\\\nindex-url \\\n  URL\nx", [SourceLine(1, "extra-index-url", "URL")]),
        ("x \\\n# a comment ends the line\n-iURL", [SourceLine(3, "index-url", "URL")]),
        ("${OPTION} URL", [SourceLine(1, "index-url", "URL")]),
        (
            "-r more.txt\n-cless.txt",
            [SourceLine(1, "requirement", "more.txt"), SourceLine(2, "constraint", "less.txt")],
        ),
        ("torch==2.9\nnumpy ; python_version < '4'  # -i URL", []),
        ("torch --index-url URL", []),  # pip ignores it there
        ("# -i URL\n#--no-index", []),
        (
            "-e . \n--editable=.\n--pre\n--no-binary :all:\n--only-binary=x\n--prefer-binary",
            [],
        ),
        ("--trusted-host h\n--use-feature=fast-deps\n${MISSING}", []),
        ("-i 'unclosed", []),
        ("-r", []),
        ("", []),
    ],
)
def test_source_lines(text: str, expected: list[SourceLine]) -> None:
    assert list(find_source_lines(text, {"OPTION": "--index-url"})) == expected


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for found in find_source_lines(text, {}):
        assert 1 <= found.line <= len(text.splitlines())


def test_a_source_deep_in_the_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text("x\n-r deep/b.txt\n-c missing.txt\n")
    (tmp_path / "deep" / "b.txt").write_text("-c c.txt\n-r ../a.txt\n")
    (tmp_path / "deep" / "c.txt").write_bytes("y\n\n--extra-index-url https://u\n".encode("utf-16"))
    with pytest.raises(RequirementsError) as caught:
        check_requirements([str(tmp_path / "a.txt")], {})
    message = str(caught.value)
    assert "c.txt, line 3: --extra-index-url" in message
    assert "command line" in message
    assert "\n" not in message


def test_a_file_url_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("--no-index\n")
    with pytest.raises(RequirementsError, match="line 1: --no-index"):
        check_requirements([(tmp_path / "a b.txt").as_uri()], {})


def test_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r a.txt\n-r b.txt\ntorch\n")
    (tmp_path / "pylock.toml").write_text("-i URL\n")
    check_requirements([str(tmp_path / name) for name in ("a.txt", "pylock.toml", "missing.txt", "")], {})


def test_a_file_on_the_network_is_refused() -> None:
    with pytest.raises(RequirementsError, match="download it"):
        check_requirements(["https://host.example/requirements.txt"], {})


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    with pytest.raises(RequirementsError, match="16 MB"):
        check_requirements([str(path)], {})

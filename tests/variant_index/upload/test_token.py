"""Only who has the token is let in, and a token that others may read is not taken."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.upload.token import VARIABLE, Token, TokenError, find_token

SECRET = "0123456789abcdef"
TOKEN = Token(SECRET, "here")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_who_is_let_in() -> None:
    assert TOKEN.admits(basic(f"__token__:{SECRET}"))
    assert TOKEN.admits(basic(f"anybody:{SECRET}"))
    assert TOKEN.admits(basic(f"__token__:{SECRET}").replace("Basic", "basic"))
    for password in ("", SECRET[:-1], f"{SECRET}x", SECRET.upper(), f":{SECRET}"):
        assert TOKEN.admits(basic(f"__token__:{password}")) is False
    assert TOKEN.admits(basic(SECRET)) is False
    for header in (None, "", "Basic", f"Bearer {SECRET}", SECRET, "Basic ???"):
        assert not TOKEN.admits(header)
    assert TOKEN.admits(None) is TOKEN.admits(f"Bearer {SECRET}") is None


in_base64 = st.binary(max_size=60).map(lambda data: f"Basic {base64.b64encode(data).decode()}")


@given(header=st.text(max_size=60) | in_base64)
def test_no_other_header_lets_in(header: str) -> None:
    assert not TOKEN.admits(header)


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(TOKEN)
    with pytest.raises(TokenError) as error:
        Token("short secret", "here")
    assert "secret " not in str(error.value).partition("; make one")[0]


def test_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    other = {VARIABLE: "x" * 20}
    assert find_token(file, other).admits(basic(f"u:{SECRET}"))
    assert find_token(None, other).admits(basic(f"u:{'x' * 20}"))


@pytest.mark.parametrize(
    "text", ["", "\n", "short", "x" * 1001, "two words of a secret", "ünicode-secret-ünicode"]
)
def test_an_unfit_token(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(TokenError):
        find_token(file, {})
    with pytest.raises(TokenError):
        find_token(None, {VARIABLE: text})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_use(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text(SECRET)
    file.chmod(mode)
    with pytest.raises(TokenError, match="chmod 600"):
        find_token(file, {})


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="No such file"):
        find_token(tmp_path / "missing", {})
    with pytest.raises(TokenError, match="--token-file"):
        find_token(None, {})

"""Forms, cut into pieces anywhere, come out as they went in; and what is no form is refused."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.variant_index.upload.sending import BOUNDARY, form
from variant_index.upload.form import FormError, FormReader, Part, boundary_of

MARK = BOUNDARY.encode()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read(data: bytes, size: int = 1 << 16) -> list[tuple[Part, bytes]]:
    reader = FormReader(pieces(data, size), MARK)
    return [(part, b"".join(reader.content())) for part in reader]


nearly_marks = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--mar", MARK, b"\r\n--mar"])).map(b"".join)
nearly_forms = st.lists(
    st.sampled_from([b"\r\n", b"--", MARK, b"--mark\r\n", b": ", b"x", b"Content-Disposition: form-data"])
).map(b"".join)


@given(contents=st.lists(st.binary(max_size=40) | nearly_marks), size=st.integers(1, 60))
def test_every_cut_gives_the_same(contents: list[bytes], size: int) -> None:
    contents = [content for content in contents if b"\r\n--" + MARK not in b"\r\n" + content]
    parts = [(f'; name="field{number}"', content) for number, content in enumerate(contents)]
    found = read(form(parts), size)
    assert [content for _, content in found] == contents
    assert [part.name for part, _ in found] == [f"field{number}" for number in range(len(contents))]


@given(data=st.binary(max_size=200) | nearly_forms, size=st.integers(1, 20))
def test_what_is_no_form_is_refused_in_one_way(data: bytes, size: int) -> None:
    with contextlib.suppress(FormError):
        read(data, size)


def test_parts_that_nobody_reads_are_passed_over() -> None:
    data = form([('; name="a"', b"x" * 1000), ('; name="b"; filename="f.whl"', b"y")])
    assert list(FormReader(pieces(data, 7), MARK)) == [Part("a", None), Part("b", "f.whl")]


def test_content_is_never_held_as_a_whole() -> None:
    def endless() -> Iterator[bytes]:
        yield b'--mark\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n\r\n'
        yield from itertools.repeat(b"-" * 100_000)

    reader = FormReader(endless(), MARK)
    next(iter(reader))
    for _, piece in zip(range(1000), reader.content(), strict=False):
        assert len(piece) <= 200_000


GOOD = b'--mark\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'


def headed(*headers: bytes) -> bytes:
    return b"--mark\r\n" + b"\r\n".join(headers) + b"\r\n\r\n\r\n--mark--"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "breaks off"),
        (GOOD, "breaks off"),
        (GOOD + b"--mark", "breaks off"),
        (GOOD + b"--mark--\r\nmore", "follows the end"),
        (GOOD + b"--mark--" + GOOD, "follows the end"),
        (b"preamble\r\n" + GOOD + b"--mark--", "does not begin"),
        (GOOD + b"--marker--", "neither a new line"),
        (headed(b"Content-Disposition: form-data"), "is not form-data"),
        (headed(b'Content-Disposition: form-data; filename="a"'), "is not form-data"),
        (headed(b'Content-Disposition: attachment; name="a"'), "is not form-data"),
        (headed(b'Content-Disposition: form-data; name="a"; name="b"'), "is not form-data"),
        (headed(b'Content-Disposition: form-data; name="a" x'), "is not form-data"),
        (headed(b"Content-Disposition: form-data; name=a"), "is not form-data"),
        (headed(b"Content-Disposition: form-data; name=\"a\"; filename*=utf-8''x"), "is not form-data"),
        (headed(b'Content-Disposition: form-data; name="a\\"b"'), "is not form-data"),
        (headed(b"no header"), "no header"),
        (headed(b"A: 1", b"a: 2"), "second one"),
        (
            headed(b'Content-Disposition: form-data; name="a"', b"Content-Transfer-Encoding: base64"),
            "encoded",
        ),
        (headed(b"A: \xff"), "not UTF-8"),
        (headed(*(b"A%d: 1" % number for number in range(17))), "more than 16"),
        (headed(b"A: " + b"x" * 5000), "longer than 4096"),
        (b"--mark\r\nA: " + b"x" * 500_000, "longer than 4096"),
        (GOOD * 10_001 + b"--mark--", "more than 10000"),
    ],
)
def test_not_well_formed(data: bytes, problem: str) -> None:
    for size in (5, 1 << 20):
        with pytest.raises(FormError, match=problem):
            read(data, size)


def test_the_boundary() -> None:
    assert boundary_of("multipart/form-data; boundary=abc-1") == b"abc-1"
    assert boundary_of('Multipart/Form-Data;boundary="ab"') == b"ab"
    assert boundary_of("multipart/form-data; boundary=a\r") == b"a"


@pytest.mark.parametrize(
    "other",
    [
        *("", "text/plain", "multipart/form-data", "multipart/mixed; boundary=a"),
        f"multipart/form-data; boundary={'x' * 71}",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a\rb",
    ],
)
def test_no_boundary(other: str) -> None:
    with pytest.raises(FormError):
        boundary_of(other)

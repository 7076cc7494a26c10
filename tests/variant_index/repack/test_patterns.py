from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.repack.patterns import PatternError, fill_in, first_match, parse_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "field", "value"),
    [
        ("cu{cuda}", "cu126", "cuda.version", "12.6"),
        ("cu{cuda}", "cu130", "cuda.version", "13.0"),
        ("cu{cuda}", "cu118", "cuda.version", "11.8"),
        ("cupy-cuda{cuda}x", "cupy-cuda12x", "cuda.version", "12.0"),
        ("cuda{cuda}.cudnn*", "cuda12.cudnn91", "cuda.major", "12"),
        ("cuda{cuda}", "cuda12.6", "cuda.minor", "6"),
        ("rocm{rocm}", "rocm71", "rocm.version", "7.1"),
        ("rocm{rocm}", "rocm6.4.1", "rocm.version", "6.4"),
        ("cupy-rocm-{rocm}", "cupy-rocm-5-0", "rocm.version", "5.0"),
        ("jax-rocm{rocm}-plugin", "jax-rocm7-plugin", "rocm.version", "7.0"),
        ("jax-rocm{rocm}-plugin", "jax-rocm60-plugin", "rocm.version", "6.0"),
        ("pt{torch}cu{cuda}", "pt2.9.0cu130", "torch", "2.9.0"),
        ("pt{torch}cu{cuda}", "pt2.9.0cu130", "torch.version", "2.9"),
        ("pt{torch}cu{cuda}", "pt212cu130", "torch.version", "2.12"),
        ("pt{torch}cu{cuda}", "pt20cu118", "torch.version", "2.0"),
        ("pyt{torch}", "pyt1110", "torch", "1.11.0"),
        ("pyt{torch}", "pyt113", "torch.version", "1.13"),
        ("{commit}pt{torch}cu{cuda}", "fd27788pt2.9.0cu130", "commit", "fd27788"),
        ("cu{cuda}torch{torch}cxx11abi{abi}", "cu12torch2.9cxx11abiTRUE", "abi", "true"),
        ("{backend}", "rocm6.4", "backend", "rocm6.4"),
        ("{backend}", "cpu", "backend.label", "null"),
        ("{backend}.*", "rocm6.4.43484.123eb5128", "backend", "rocm6.4"),
    ],
)
def test_the_schemes_in_use(pattern: str, text: str, field: str, value: str) -> None:
    found = parse_pattern(pattern).match(text)
    assert found is not None
    assert found[field] == value


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("cu{cuda}", "cu12x"),
        ("cu{cuda}", "xcu126"),
        ("{backend}", "cuda126"),
        ("cu{cuda}", "cu126\n"),
        ("cu{cuda}", "cu\u0661\u0662\u0666"),
        ("{commit}pt{torch}", "xyzpt2.9"),
        ("a.b", "axb"),
    ],
)
def test_the_whole_text_has_to_fit(pattern: str, text: str) -> None:
    assert parse_pattern(pattern).match(text) is None


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("cu{coda}", r"there is no field \{coda\}; there are backend, cuda, rocm, torch, abi, commit"),
        ("{cuda}{cuda}", r"has \{cuda\} twice"),
        ("cu{cuda", "a brace without its other half"),
        ("*a*b*", "more than 2"),
        ("a" * 300, "200 characters"),
    ],
)
def test_refuses_patterns_that_mean_nothing(pattern: str, problem: str) -> None:
    with pytest.raises(PatternError, match=problem):
        parse_pattern(pattern)


def test_texts_are_filled_in() -> None:
    found = parse_pattern("cu{cuda}torch{torch}").match("cu126torch2.9")
    assert found is not None
    assert fill_in("cu{cuda}_{torch.version}.*", found) == "cu126_2.9.*"
    with pytest.raises(PatternError, match=r"uses \{abi\}, which no pattern of its rule finds"):
        fill_in("{abi}", found)


def test_the_first_that_fits_counts() -> None:
    patterns = [parse_pattern("cuda{cuda}x"), parse_pattern("*")]
    assert first_match(patterns, "cuda12x") == {
        "cuda": "12",
        "cuda.major": "12",
        "cuda.minor": "0",
        "cuda.version": "12.0",
    }
    assert first_match(patterns, "anything") == {}
    assert first_match(patterns[:1], "anything") is None


@given(st.text(max_size=30), st.text("{}*.cudabn", max_size=12))
def test_any_text_either_fits_or_does_not(text: str, pattern: str) -> None:
    try:
        parsed = parse_pattern(pattern)
    except PatternError:
        return
    found = parsed.match(text)
    assert found is None or found.keys() | {"backend.properties"} >= parsed.fields


@given(st.integers(10, 99), st.integers(0, 9))
def test_cuda_with_three_digits(major: int, minor: int) -> None:
    found = parse_pattern("cu{cuda}").match(f"cu{major}{minor}")
    assert found is not None
    assert found["cuda.version"] == f"{major}.{minor}"


def test_long_names_take_no_time() -> None:
    pattern = parse_pattern("*{commit}*{rocm}-")
    start = time.thread_time()
    assert pattern.match("0" * 255) is None
    assert time.thread_time() - start < 20

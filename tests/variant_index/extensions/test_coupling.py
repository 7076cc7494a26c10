"""What names and addresses say of the torch that a wheel was built for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.extensions.coupling import Coupling, read_coupling


@pytest.mark.parametrize(
    ("version", "coupling"),
    [
        # torch_packages_builder: a commit may stand before, and its digits may look like anything
        ("0.6+fd27788pt2.9.0cu130", Coupling((2, 9, 0), "cuda", (13, 0))),
        ("0.6+864913fpt2.9.0cu130", Coupling((2, 9, 0), "cuda", (13, 0))),
        ("0.7+pt2.8.0cpu", Coupling((2, 8, 0), "cpu")),
        # PyG: no separators
        ("2.1.2+pt212cu130", Coupling((2, 12), "cuda", (13, 0))),
        ("2.1.2+pt29cpu", Coupling((2, 9), "cpu")),
        ("2.1.2+pt20cu118", Coupling((2, 0), "cuda", (11, 8))),
        ("2.1.2+pt113cu117", Coupling((1, 13), "cuda", (11, 7))),
        ("1.0+pt201cu118", Coupling((2, 0, 1), "cuda", (11, 8))),
        ("1.0+pyt1110", Coupling((1, 11, 0))),
        ("1.0+cu92pt15", Coupling((1, 5), "cuda", (9, 2))),
        # flash-attn and its prebuilt wheels
        ("2.8.3+cu12torch2.9cxx11abiTRUE", Coupling((2, 9), "cuda", (12,), True)),
        ("2.8.3+cu12torch2.5cxx11abiFALSE", Coupling((2, 5), "cuda", (12,), False)),
        ("2.8.3+rocm71torch2.9cxx11abiTRUE", Coupling((2, 9), "rocm", (7, 1), True)),
        ("2.8.3+rocm6.4torch2.9", Coupling((2, 9), "rocm", (6, 4))),
        ("2.8.3+cu130torch2.9", Coupling((2, 9), "cuda", (13, 0))),
        ("1.0+torch2.9", Coupling((2, 9))),
        # natten, k2, mamba, PyG's and builders' other words
        ("0.17.5+torch260cu126", Coupling((2, 6, 0), "cuda", (12, 6))),
        ("0.15.1+torch210cu121", Coupling((2, 1, 0), "cuda", (12, 1))),
        ("0.21.5+torch2100cu130", Coupling((2, 10, 0), "cuda", (13, 0))),
        ("1.24.4.dev1+cuda12.4.torch2.6.0", Coupling((2, 6, 0), "cuda", (12, 4))),
        ("2.2.4+cu12torch2.5cxx11abiFALSE", Coupling((2, 5), "cuda", (12,), False)),
        ("0.6.0+pt210cu128", Coupling((2, 10), "cuda", (12, 8))),
        ("1.0+torch2.9xpu", Coupling((2, 9), "xpu")),
    ],
)
def test_local_versions(version: str, coupling: Coupling) -> None:
    assert read_coupling(version, "") == coupling


@pytest.mark.parametrize(
    "version", ["1.0", "2.9.0+cu128", "1.0+pt2", "1.0+ckpt3", "1.0+script2cu128", "1.0+abcdef1", "1.0+cpu"]
)
def test_others_are_built_for_no_torch(version: str) -> None:
    assert read_coupling(version, "https://example.org/whl/cu128/a.whl") is None


@pytest.mark.parametrize(
    ("url", "coupling"),
    [
        ("https://h/whl/torch-2.12.0%2Bcu130/a-1.0.whl", Coupling((2, 12, 0), "cuda", (13, 0))),
        ("https://h/whl/torch-2.12.0+cpu/a-1.0.whl", Coupling((2, 12, 0), "cpu")),
        ("https://h/dist/cu113/torch1.10/a-1.0.whl", Coupling((1, 10), "cuda", (11, 3))),
        ("file:///x/torch-2.9.0/a-1.0.whl", Coupling((2, 9, 0))),
        ("https://h/torch-2.8.0_cu128/kaolin-0.18.0.whl", Coupling((2, 8, 0), "cuda", (12, 8))),
        ("https://h/wheels/py310_cu121_pyt241/a-0.7.8.whl", Coupling((2, 4, 1), "cuda", (12, 1))),
        ("https://h/wheels/torch-2.4/cu124/dgl-2.4.0.whl", Coupling((2, 4), "cuda", (12, 4))),
        ("https://h/torch-2.12.0+cu130/a/b/c/d-1.0.whl", None),
        ("https://h/torch/2.9.0/a-1.0.whl", None),
    ],
)
def test_folders(url: str, coupling: Coupling | None) -> None:
    assert read_coupling("1.0", url) == coupling


def test_the_folder_is_more_exact_than_the_suffix() -> None:
    url = "https://data.example/whl/torch-2.9.1%2Bcu128/torch_scatter-2.1.2%2Bpt29cu128-cp312.whl"
    assert read_coupling("2.1.2+pt29cu128", url) == Coupling((2, 9, 1), "cuda", (12, 8))


@given(st.text(alphabet="0123456789abcuptorhx.+_-/%", max_size=200), st.text(max_size=100))
def test_no_text_breaks_it(version: str, url: str) -> None:
    try:
        coupling = read_coupling(version, f"https://h/{url}")
    except ValueError:
        pytest.fail("raised")
    assert coupling is None or str(coupling).startswith("torch ")


def test_time_grows_with_the_length_only() -> None:
    start = time.thread_time()
    for piece in ("a", "pt", "0123456789abcdef", "cu1", "torch-", "1."):
        read_coupling("1+" + piece * 20_000, "https://h/" + piece * 20_000 + "/a/b")
    assert time.thread_time() - start < 20

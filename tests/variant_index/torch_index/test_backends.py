from __future__ import annotations

import pytest

from tests.variant_index.torch_index.fake_torch import (
    cpu_machine,
    cuda_machine,
    intel_machine,
    rocm_machine,
)
from variant_index.model.machine import MachineProfile
from variant_index.selection.ordering import rank_labels
from variant_index.torch_index.backends import (
    Backend,
    BackendError,
    backend_document,
    parse_backend,
    parse_backends,
    runnable,
    works_with,
)
from variant_index.torch_index.table import CURRENT_BACKENDS, OLDER_BACKENDS

TORCH_2_10 = parse_backends("cu126 cu128 cu130 rocm7.0 rocm7.1 xpu cpu")


@pytest.mark.parametrize(
    ("folder", "kind", "version"),
    [
        ("cu126", "cuda", (12, 6)),
        ("cu130", "cuda", (13, 0)),
        ("cu92", "cuda", (9, 2)),
        ("cu75", "cuda", (7, 5)),
        ("cu118_full", "cuda", (11, 8)),
        ("cu121_pypi_cudnn", "cuda", (12, 1)),
        ("rocm6.4", "rocm", (6, 4)),
        ("rocm6.2.4", "rocm", (6, 2)),
        ("rocm7.14", "rocm", (7, 14)),
        ("cpu", "cpu", (0, 0)),
        ("cpu-cxx11-abi", "cpu", (0, 0)),
        ("cpu_pypi_pkg", "cpu", (0, 0)),
        ("xpu", "xpu", (0, 0)),
    ],
)
def test_names_of_folders(folder: str, kind: str, version: tuple[int, int]) -> None:
    backend = parse_backend(folder)
    assert backend is not None
    assert (backend.kind, backend.version) == (kind, version)


@pytest.mark.parametrize(
    "folder", ["", "whl", "torch", "cu", "cu1", "cu12345", "CU126", "rocm6", "cpux", "cu1\uff126"]
)
def test_other_names_are_no_backends(folder: str) -> None:
    assert parse_backend(folder) is None


def test_a_list_of_backends() -> None:
    assert [backend.folder for backend in parse_backends("cu130, cu126,cpu rocm6.4")] == [
        *("cu130", "cu126", "cpu", "rocm6.4")
    ]
    with pytest.raises(BackendError, match="'cuda13' is not a backend"):
        parse_backends("cu126,cuda13")


@pytest.mark.parametrize("folder", [*CURRENT_BACKENDS, *OLDER_BACKENDS])
def test_the_default_list_holds_backends(folder: str) -> None:
    assert parse_backend(folder) is not None


def best(machine: MachineProfile, torch: tuple[int, int] | None = (2, 10)) -> str:
    return rank_labels(backend_document(TORCH_2_10, torch), machine.supported())[0]


# The table of torch 2.10's published documents, evaluated by variantlib and uv (see the reference).
@pytest.mark.parametrize(
    ("cuda", "capability", "label"),
    [
        *((cuda, sm, "null") for cuda in ("11.8",) for sm in ("5.0", "7.0", "8.6", "12.0")),
        *((cuda, "5.0", "cu126") for cuda in ("12.0", "12.4", "12.8", "13.0", "13.1")),
        *((cuda, "6.1", "cu126") for cuda in ("12.0", "12.8", "13.1")),
        *((cuda, "7.0", "cu128") for cuda in ("12.0", "12.8", "13.0", "13.1")),
        *(("12.4", sm, "cu128") for sm in ("7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "12.0", "12.1")),
        *(("13.0", sm, "cu130") for sm in ("7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "12.0", "12.1")),
        ("12.8", "11.0", "null"),
        ("13.0", "11.0", "null"),
    ],
)
def test_the_same_choice_as_torch_publishes(cuda: str, capability: str, label: str) -> None:
    assert best(cuda_machine(cuda, capability)) == label


def test_capabilities_follow_the_torch_release() -> None:
    volta = cuda_machine("12.8", "7.0")
    assert best(volta, (2, 10)) == "cu128"
    assert best(volta, (2, 11)) == "cu126"
    assert best(volta, (2, 7)) == "cu126"


def test_machines_without_nvidia() -> None:
    assert best(rocm_machine("gfx942", "7.2", "7.1", "7.0", "6.4")) == "rocm7.1"
    assert best(rocm_machine("gfx942", "7.0", "6.4")) == "rocm7.0"
    assert best(rocm_machine("gfx1031", "7.1")) == "null"
    assert best(intel_machine("20.1.0")) == "xpu"
    assert best(cpu_machine()) == "null"


def test_on_aarch64_other_gpus_count() -> None:
    machine = cuda_machine("13.0", "8.6").supported()
    backends = parse_backends("cu130,cpu")
    assert rank_labels(backend_document(backends, None, aarch64=True), machine) == ["cu130", "null"]
    turing = cuda_machine("13.0", "7.5").supported()
    assert rank_labels(backend_document(backends, None, aarch64=True), turing) == ["null"]
    assert rank_labels(backend_document(backends, None), turing) == ["cu130", "null"]


def test_unknown_newer_toolkits_are_like_the_newest_known() -> None:
    future = parse_backends("cu145,cu130,rocm9.3")
    assert rank_labels(backend_document(future), cuda_machine("14.6", "9.0").supported())[:2] == [
        "cu145",
        "cu130",
    ]
    assert rank_labels(backend_document(future), rocm_machine("gfx1100", "9.3").supported())[0] == "rocm9.3"


def test_old_flavours_of_cpu_rank_before_the_null_variant_and_after_gpus() -> None:
    document = backend_document(parse_backends("cpu-cxx11-abi cpu cu126"))
    assert rank_labels(document, cuda_machine("12.8", "8.0").supported()) == [
        "cu126",
        "cpu_cxx11_abi",
        "null",
    ]


def test_cuda_10_is_no_variant() -> None:
    assert set(backend_document(parse_backends("cu102 cpu")).variants) == {"null"}


def test_only_folders_that_can_run() -> None:
    older = parse_backends(" ".join(OLDER_BACKENDS))
    assert runnable(older, cpu_machine().supported()) == frozenset()
    assert runnable(older, cuda_machine("12.8", "8.9").supported()) == {
        *("cu124", "cu121", "cu118", "cu117", "cu116", "cu115", "cu113", "cu111", "cu110")
    }
    assert runnable(older, cuda_machine("13.0", "12.0").supported()) == frozenset()
    assert runnable(older, rocm_machine("gfx90a", "6.3", "6.2").supported()) == {
        "rocm6.3",
        "rocm6.2",
        "rocm6.2.4",
    }


def test_what_works_together() -> None:
    def both(one: str, other: str) -> bool:
        first, second = parse_backends(f"{one} {other}")
        return works_with(first, second)

    assert both("cu126", "cu128")
    assert not both("cu126", "cu130")
    assert not both("cu126", "rocm6.4")
    assert both("cpu", "cpu-cxx11-abi")


def test_labels() -> None:
    assert Backend("cpu", "cpu").label == "null"
    assert Backend("cpu-cxx11-abi", "cpu").label == "cpu_cxx11_abi"

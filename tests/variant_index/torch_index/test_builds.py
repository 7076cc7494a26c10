from __future__ import annotations

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import parse_page
from variant_index.torch_index.builds import collect_builds

HOST = "https://download.pytorch.org"


def page(*addresses: str, name: str = "torch") -> ProjectPage:
    files = [
        ProjectFile(address.rpartition("/")[2].replace("%2B", "+"), address, {"sha256": "0" * 64})
        for address in addresses
    ]
    return ProjectPage(name, tuple(files))


def folders(*pages: ProjectPage, name: str = "torch") -> dict[str, list[str]]:
    found, _ = collect_builds(name, pages)
    return {str(version): sorted(build.folder for build in builds) for version, builds in found.items()}


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        (f"{HOST}/whl/cu126/torch-2.9.0%2Bcu126-cp312-cp312-manylinux_2_28_x86_64.whl", "cu126"),
        (
            "https://download-r2.pytorch.org/whl/cu126/torch-2.9.0%2Bcu126-cp312-cp312-linux_x86_64.whl",
            "cu126",
        ),
        (f"{HOST}/whl/nightly/rocm6.4/torch-2.9.0%2Brocm6.4-cp312-cp312-linux_x86_64.whl", "rocm6.4"),
        (f"{HOST}/whl/cpu/torch-2.9.0-cp312-none-macosx_11_0_arm64.whl", "cpu"),
        (f"{HOST}/whl/cpu/torch-2.9.0%2B966da7e-cp312-cp312-win_arm64.whl", "cpu"),
        (f"{HOST}/whl/torch-2.9.0-cp312-cp312-manylinux1_x86_64.whl", ""),
        ("https://mirror.example/cu130/torch/torch-2.9.0%2Bcu130-cp312-cp312-linux_x86_64.whl", "cu130"),
        ("https://mirror.example/files/ab/torch-2.9.0%2Bcu130-cp312-cp312-linux_x86_64.whl", "cu130"),
        (
            "https://mirror.example/files/ab/torch-2.9.0%2Brocm6.4.43484.12e-cp312-cp312-linux_x86_64.whl",
            "rocm6.4",
        ),
        ("https://mirror.example/files/ab/torch-2.9.0%2Bcpu.cxx11.abi-cp312-cp312-linux_x86_64.whl", "cpu"),
        ("https://mirror.example/files/ab/torch-2.9.0-cp312-cp312-linux_x86_64.whl", ""),
        (f"{HOST}/whl/cu126/torch-2.9.0-py3-none-any.whl", ""),
    ],
)
def test_the_address_tells_the_backend(address: str, folder: str) -> None:
    assert folders(page(address)) == {"2.9.0": [folder]}


def test_a_root_wheel_on_every_page_counts_once() -> None:
    root = f"{HOST}/whl/torch-2.0.1-cp310-cp310-manylinux1_x86_64.whl"
    own = f"{HOST}/whl/cu118/torch-2.0.1%2Bcu118-cp310-cp310-linux_x86_64.whl"
    assert folders(page(root, own), page(root), page(root)) == {"2.0.1": ["", "cu118"]}


def test_one_name_in_two_backends_is_two_wheels() -> None:
    name = "torchvision-0.24.0-cp312-cp312-manylinux_2_28_aarch64.whl"
    pages = [page(f"{HOST}/whl/{folder}/{name}", name="torchvision") for folder in ("cpu", "cu126", "cu130")]
    assert folders(*pages, name="torchvision") == {"0.24.0": ["cpu", "cu126", "cu130"]}


def test_triton_in_a_backend_folder_is_for_all() -> None:
    triton = page(f"{HOST}/whl/rocm6.4/triton-3.5.0-cp312-cp312-linux_x86_64.whl", name="triton")
    assert folders(triton, name="triton") == {"3.5.0": [""]}


def test_versions_that_differ_in_the_local_part_are_one_release() -> None:
    addresses = [f"{HOST}/whl/{b}/torch-2.9.0%2B{b}-cp312-cp312-linux_x86_64.whl" for b in ("cpu", "cu130")]
    found, _ = collect_builds("torch", [page(*addresses)])
    assert list(found) == [Version("2.9.0")]


def test_other_files_are_left_out() -> None:
    bad = f"{HOST}/whl/cpu/torch-2.9.0-bad.whl"
    found, problems = collect_builds(
        "torch",
        [
            page(
                bad,
                f"{HOST}/whl/cpu/torch-2.9.0.tar.gz",
                f"{HOST}/whl/cpu/other-2.9.0-py3-none-any.whl",
                f"{HOST}/whl/cpu/torch-not!a!version-py3-none-any.whl",
                f"{HOST}/whl/cpu/torch-2.9.0-cp312-cp312-linux_x86_64-cu128.whl",
            )
        ],
    )
    assert not found
    assert len(problems) == 1
    assert "torch-2.9.0-bad.whl" in problems[0]


_PARTS = st.sampled_from(
    [
        *(
            "https://",
            "http://[",
            "//",
            "/whl/",
            "cpu/",
            "cu126/",
            "..",
            "%2B",
            "%",
            "%ff",
            "+",
            "[::1]",
            "\x00",
        ),
        *(
            "torch",
            "-2.9.0",
            "+cu126",
            "-cp312-cp312-linux_x86_64",
            "-py3-none-any",
            ".whl",
            "#sha256=",
            "0" * 64,
        ),
        *("torch-2.9.0%2Bcpu-cp312-cp312-linux_x86_64.whl", "torch-1!0-py3-none-any.whl", "\ud800", "é"),
    ]
)


@given(st.lists(st.lists(_PARTS, max_size=8).map("".join), max_size=6))
def test_hostile_addresses_are_left_out_or_read_but_never_fail(addresses: list[str]) -> None:
    anchors = "".join(f'<a href="{escape(address)}">torch</a>' for address in addresses)
    parsed = parse_page(anchors.encode("utf-8", "replace"), "text/html", f"{HOST}/whl/cpu/torch/", "torch")
    found, _ = collect_builds("torch", [parsed])
    for version, builds in found.items():
        for build in builds:
            assert build.version.public == version.public
            assert build.file.url.startswith(("https://", "http://"))

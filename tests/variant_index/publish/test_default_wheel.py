"""Which plain wheels serve the audience of which variants."""

from __future__ import annotations

from pathlib import Path

import pytest

from variant_index.model.filename import WheelFilename
from variant_index.publish.default_wheel import covers, sources_for_default, uncovered
from variant_index.publish.release import FoundWheel, Release


def found(filename: str) -> FoundWheel:
    return FoundWheel(Path(filename), WheelFilename.parse(filename), 1, "00" * 32, b"", None, None)


def release(*tags: str) -> Release:
    return Release(("x", "1"), tuple(found(f"x-1-{tag}.whl") for tag in tags))


@pytest.mark.parametrize(
    ("plain", "variant", "expected"),
    [
        ("py3-none-any", "cp312-cp312-linux_x86_64", True),
        ("py2.py3-none-any", "cp312-cp312-linux_x86_64", True),
        ("cp312-cp312-linux_x86_64", "cp312-cp312-linux_x86_64", True),
        ("cp312-cp312-linux_x86_64", "cp313-cp313-linux_x86_64", False),
        ("cp312-cp312-linux_x86_64", "cp312-cp312-linux_aarch64", False),
        ("cp312-cp312-linux_x86_64", "py3-none-any", False),
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", "cp312-cp312-manylinux_2_28_x86_64", True),
        ("cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-linux_x86_64", True),
        ("cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-musllinux_1_2_x86_64", False),
        ("cp312-cp312-musllinux_1_1_x86_64", "cp312-cp312-musllinux_1_2_x86_64", True),
        ("cp312-cp312-musllinux_1_2_x86_64", "cp312-cp312-musllinux_1_1_x86_64", False),
        ("cp310-abi3-linux_x86_64", "cp312-cp312-linux_x86_64", True),
        ("cp312-abi3-linux_x86_64", "cp310-cp310-linux_x86_64", False),
        ("cp310-abi3-linux_x86_64", "cp313-cp313t-linux_x86_64", False),
        ("py3-none-linux_x86_64", "cp312-cp312-linux_x86_64", True),
        ("py311-none-any", "cp310-cp310-linux_x86_64", False),
        ("cp312-none-any", "cp313-cp313-linux_x86_64", False),
        ("cp312-none-any", "cp312-cp312-linux_x86_64", True),
        ("cp312-cp312-win_amd64", "cp312-cp312-win_arm64", False),
        ("cp312-cp312-macosx_11_0_arm64", "cp312-cp312-macosx_14_0_arm64", True),
        ("cp312-cp312-macosx_14_0_arm64", "cp312-cp312-macosx_11_0_arm64", False),
        ("cp312-cp312-macosx_10_9_universal2", "cp312-cp312-macosx_11_0_arm64", True),
        ("cp310.cp311-cp310.cp311-any", "cp310-cp310-any", True),
    ],
)
def test_covers(plain: str, variant: str, expected: bool) -> None:
    assert covers(
        WheelFilename.parse(f"x-1-{plain}.whl"), WheelFilename.parse(f"x-1-{variant}-cu128.whl")
    ) == (expected)


def test_each_uncovered_tag_set_is_named_once() -> None:
    tags = "cp312-cp312-linux_x86_64"
    assert uncovered(release(f"{tags}-cu128", f"{tags}-null", "cp313-cp313-linux_x86_64-null")) == (
        tags,
        "cp313-cp313-linux_x86_64",
    )
    assert uncovered(release(f"{tags}-cu128", "py3-none-any")) == ()
    assert uncovered(release("py3-none-any")) == ()


def test_the_default_is_made_of_the_best_build_of_uncovered_tags_only() -> None:
    tags = "cp312-cp312-linux_x86_64"
    other = "cp313-cp313-linux_x86_64"
    given = release(
        f"1-{tags}-null", f"10-{tags}-null", f"2-{tags}-null", f"{tags}-cu128", other, f"{other}-null"
    )
    assert [wheel.name for wheel in sources_for_default(given, "null")] == [f"x-1-10-{tags}-null.whl"]
    assert sources_for_default(given, "cu130") == ()

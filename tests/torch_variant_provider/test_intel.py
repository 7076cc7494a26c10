"""Intel GPUs: Level Zero through a stand-in library, and the kernel's cards on trees in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.torch_variant_provider.conftest import build_library, clean_environment
from torch_variant_provider.facts import Fact, Knowledge
from torch_variant_provider.intel import properties
from torch_variant_provider.intel.detect import detect
from torch_variant_provider.intel.device_ip import KNOWN, device_ip_of_number, normal_device_ip
from torch_variant_provider.intel.graphics_cards import read
from torch_variant_provider.overrides import intel_overrides

FORCE = "INTEL_VARIANT_PROVIDER_FORCE_DEVICE_IP"

QUERY = """
import sys
from torch_variant_provider.intel.detect import detect
known = detect({}, sys.argv[1])
fact = known.facts.get("device_ip")
print(fact and (fact.value, fact.source))
print(known.unanswered)
print(*known.warnings, sep="\\n")
"""


def tree(root: Path, *cards: tuple[int, int], driver: bool = True) -> str:
    for number, (vendor, device) in enumerate(cards):
        folder = root / f"sys/class/drm/card{number}/device"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor:#06x}\n")
        (folder / "device").write_text(f"{device:#06x}\n")
    (root / "sys/class/drm/card0-HDMI-A-1").mkdir(parents=True, exist_ok=True)
    (root / "sys/class/drm/version").write_text("drm 1.1.0")
    (root / "dev/dri").mkdir(parents=True)
    if driver:
        (root / "usr/lib").mkdir(parents=True)
        (root / "usr/lib/libze_intel_gpu.so.1").touch()
    return str(root)


@pytest.fixture(scope="module")
def ze_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library("fake_ze.c", tmp_path_factory.mktemp("ze"), "libze_loader.so.1")


def ask(root: str, folder: Path, **variables: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", QUERY, root],
        env={**clean_environment(), "LD_LIBRARY_PATH": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


BMG, ARC, NVIDIA = (0x8086, 0xE20B), (0x8086, 0x56A0), (0x10DE, 0x2684)


@pytest.mark.parametrize("options", [[], ["-DOLD"]])
def test_level_zero(tmp_path: Path, options: list[str]) -> None:
    folder = build_library("fake_ze.c", tmp_path / "ze", "libze_loader.so.1", *options)
    root = tree(tmp_path / "root", BMG)
    answer = ask(root, folder, FAKE_XPUS="12.56.5,nvidia,20.2.0,12.56.5")
    assert answer == ["(('20.2.0', '12.56.5'), 'Level Zero')", "None", ""]


def test_one_bad_gpu_hides_no_other(tmp_path: Path, ze_folder: Path) -> None:
    answer = ask(tree(tmp_path, BMG), ze_folder, FAKE_XPUS="code5,20.1.0")
    assert answer == ["(('20.1.0',), 'Level Zero')", "None", "Level Zero: GPU: error 0x5"]


def test_the_devices_of_one_run_do_not_count(tmp_path: Path, ze_folder: Path) -> None:
    answer = ask(tree(tmp_path, BMG), ze_folder, FAKE_XPUS="20.1.0", ZE_AFFINITY_MASK="")
    assert answer[0] == "(('20.1.0',), 'Level Zero')"


@pytest.mark.parametrize("variable", ["FAKE_ZE_CODE", "FAKE_ZE_DEVICES_CODE", "FAKE_ZE_ABORT"])
def test_the_kernels_list_stands_in(tmp_path: Path, ze_folder: Path, variable: str) -> None:
    answer = ask(tree(tmp_path, BMG), ze_folder, FAKE_XPUS="20.1.0", **{variable: "7"})
    assert answer[:2] == ["(('20.1.0',), 'PCI')", "None"]
    assert answer[2].startswith("Level Zero: ")


def test_a_driver_that_does_not_answer_is_said(tmp_path: Path, ze_folder: Path) -> None:
    answer = ask(tree(tmp_path, (0x8086, 0xFFFF)), ze_folder, FAKE_XPUS="20.1.0", FAKE_ZE_ABORT="1")
    assert answer[:2] == ["None", "Level Zero: the driver library crashed (signal 6)"]


def test_a_loader_without_driver_is_an_ordinary_machine(tmp_path: Path, ze_folder: Path) -> None:
    root = tree(tmp_path, BMG, driver=False)
    assert ask(root, ze_folder, FAKE_ZE_CODE=str(0x78000001)) == ["None", "None", ""]


@pytest.mark.parametrize("content", ["not a library", ""])
def test_no_library(tmp_path: Path, content: str) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libze_loader.so.1").write_text(content)
    *none, said = ask(tree(tmp_path / "root", BMG, driver=False), tmp_path / "lib")
    assert none == ["None", "None"]
    assert said.startswith("Level Zero: libze_loader.so.1 cannot be loaded: ")


def test_a_machine_without_intel_gpu_loads_nothing(tmp_path: Path, ze_folder: Path) -> None:
    answer = ask(tree(tmp_path, NVIDIA), ze_folder, FAKE_XPUS="20.1.0", FAKE_ZE_ABORT="1")
    assert answer == ["None", "None", ""]


def test_cards(tmp_path: Path) -> None:
    assert read(tree(tmp_path, NVIDIA, ARC, BMG, ARC)).values == {"device_ip": ("20.1.0", "12.55.8")}


@pytest.mark.parametrize("card", [NVIDIA, (0x8086, 0x1237)])
def test_cards_that_are_none(tmp_path: Path, card: tuple[int, int]) -> None:
    assert read(tree(tmp_path, card)).values == {}


def test_a_card_without_user_mode_driver_runs_nothing(tmp_path: Path) -> None:
    found = read(tree(tmp_path, BMG, driver=False))
    assert found.values == {}
    assert "no Level Zero driver" in found.notes[0]


def test_a_card_that_was_not_given_to_this_container(tmp_path: Path) -> None:
    root = tree(tmp_path, BMG)
    (tmp_path / "dev/dri").rmdir()
    assert "not given" in read(root).notes[0]


def test_odd_files(tmp_path: Path) -> None:
    root = tree(tmp_path, BMG, (0x8086, 0))
    for text in ("", "0x", "0xzzzz", "0x80868086", "\xff"):
        (tmp_path / "sys/class/drm/card1/device/device").write_text(text)
        assert read(root).values == {"device_ip": ("20.1.0",)}
    assert read(str(tmp_path / "nowhere")).values == {}


def test_what_is_emitted() -> None:
    known = Knowledge({"device_ip": Fact(("20.2.0", "12.60.7", "12.56.5"), "test")}, [])
    assert properties.supported_properties(known) == {
        "device_ip": ["20.2.0", "20.1.0", "12.60.7", "12.56.5", "12.55.8"]
    }
    assert properties.supported_properties(Knowledge({"device_ip": Fact(("99.0.0",), "test")}, [])) == {}


def test_every_base_is_itself_known() -> None:
    assert set(KNOWN.values()) - {None} <= set(KNOWN)


def test_numbers_of_level_zero() -> None:
    assert device_ip_of_number(12 << 22 | 60 << 14 | 7) == "12.60.7"
    assert device_ip_of_number(0x05004000) == "20.1.0"


@pytest.mark.parametrize(
    ("text", "value"), [("20.1.0", ("20.1.0",)), (" 12.60.7, 20.1.0 ", ("20.1.0", "12.60.7")), ("none", ())]
)
def test_overrides(text: str, value: tuple[str, ...]) -> None:
    known = detect({FORCE: text})
    assert (known.facts["device_ip"].value, known.facts["device_ip"].source) == (value, FORCE)


@pytest.mark.parametrize("text", ["bmg", "20.1", "20.1.0.0", "20.1.0,x", "\u0662.1.0"])
def test_a_bad_value_is_named_and_ignored(text: str) -> None:
    known = intel_overrides({FORCE: text})
    assert known.facts == {}
    assert known.warnings[0].startswith(f"{FORCE}: ")


@given(st.lists(st.text("0123456789.", max_size=9) | st.sampled_from(list(KNOWN))))
def test_supported_is_part_of_all(texts: list[str]) -> None:
    known = intel_overrides({FORCE: ",".join(texts)})
    supported = properties.supported_properties(known).get("device_ip", [])
    assert set(supported) <= set(properties.all_properties()["device_ip"])
    assert len(set(supported)) == len(supported)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    version = normal_device_ip(text)
    assert version is None or normal_device_ip(version) == version

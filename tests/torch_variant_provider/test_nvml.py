"""NVML through stand-in libraries, each case in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import Answer, build_library, clean_environment
from torch_variant_provider.nvidia import nvml

Ask = Callable[..., Answer]
LOWER, UPPER, SM = "cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"


def provider(*arguments: str, **variables: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "torch_variant_provider", "--json", *arguments],
        env={**clean_environment(), **{name: str(value) for name, value in variables.items()}},
        capture_output=True,
        text=True,
        timeout=60,
    )


def reals(answer: Answer) -> list[str]:
    return [value for value in answer.features.get(SM, []) if value.endswith("_real")]


def test_a_healthy_machine(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_CUDA="12080")
    assert list(answer.features) == [LOWER, UPPER, SM]
    assert answer.features[LOWER][:10] == [f"12.{minor}" for minor in range(8, -1, -1)] + ["12"]
    assert answer.features[LOWER][10] == "11.20"
    assert answer.features[LOWER][-1] == "11"
    assert answer.features[UPPER][-1] == "12.9"
    assert answer.features[SM][:2] == ["90_real", "90_virtual"]
    assert answer.features[SM][-1] == "50_virtual"
    assert "80_virtual" in answer.features[SM]
    assert answer.stderr == ""


def test_all_gpus_count_highest_first(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="7.5,9.0,7.5,12.1")
    assert reals(answer) == ["121_real", "120_real", "90_real"] + [f"7{n}_real" for n in range(5, -1, -1)]


@pytest.mark.parametrize("bad", ["handle4", "handle15", "cc3", "cc15", "cc999"])
def test_one_bad_gpu_hides_no_other(ask: Ask, nvml_folder: Path, bad: str) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS=f"{bad},8.6")
    assert reals(answer)[0] == "86_real"
    assert answer.features[LOWER][0] == "12.8"
    assert "GPU 0" in answer.stderr


def test_no_gpu_keeps_the_bounds(ask: Ask, nvml_folder: Path) -> None:
    assert list(ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="").features) == [LOWER, UPPER]


def test_a_failing_count_keeps_the_bounds(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_COUNT_CODE="999")
    assert list(answer.features) == [LOWER, UPPER]
    assert "how many GPUs" in answer.stderr


def test_a_failing_shutdown_does_no_harm(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_SHUTDOWN_CODE="999")
    assert (list(answer.features), answer.stderr) == ([LOWER, UPPER, SM], "")


def test_a_failing_driver_version_does_no_harm(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_DRIVER_CODE="999")
    assert list(answer.features) == [LOWER, UPPER, SM]


@pytest.mark.parametrize("code", [3, 4, 10, 15, 17, 18, 999])
def test_a_driver_that_does_not_start_is_said(ask: Ask, nvml_folder: Path, code: int) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_INIT_CODE=str(code))
    assert answer.features == {}
    assert f"(code {code})" in answer.stderr or code == 18
    assert answer.stderr.startswith("torch-variant-provider: NVML: ")


@pytest.mark.parametrize("code", [9, 12])
def test_libraries_without_a_driver_are_an_ordinary_cpu_machine(
    ask: Ask, nvml_folder: Path, code: int
) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_INIT_CODE=str(code))
    assert (answer.features, answer.stderr) == ({}, "")


def test_the_older_version_call_stands_in(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_CUDA_CODE="12")
    assert answer.features[LOWER][0] == "12.8"
    assert "libcuda" in answer.stderr


NO_VERSION = {"FAKE_CUDA_CODE": "13", "FAKE_CUDA_V1_CODE": "13", "FAKE_GPUS": "9.0"}


def test_without_a_cuda_version_the_driver_tells_it(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_DRIVER="570.133.20", **NO_VERSION)
    assert answer.features[LOWER][0] == "12.8"
    assert answer.features[SM][0] == "90_real"
    assert "driver 570.133.20 supports CUDA 12.8" in answer.stderr


def test_gpus_without_any_version_are_an_unanswering_driver(nvml_folder: Path) -> None:
    environment = {**clean_environment(), "LD_LIBRARY_PATH": str(nvml_folder), "FAKE_DRIVER_CODE": "999"}
    done = subprocess.run(
        [sys.executable, "-m", "torch_variant_provider", "--json"],
        env={**environment, **NO_VERSION},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["unanswered"].keys() == {"nvidia"}


def test_an_old_library_without_the_newer_calls(ask: Ask, old_nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=old_nvml_folder, FAKE_GPUS="6.1", FAKE_CUDA="11040")
    assert answer.features[LOWER][0] == "11.4"
    assert reals(answer)[0] == "61_real"
    assert answer.stderr == ""


@pytest.mark.parametrize(
    ("cuda", "best"), [("15210", "15.20"), ("16000", "16.0"), ("31050", "30.20"), ("2147483647", "30.20")]
)
def test_a_newer_driver_is_clamped_and_never_off(ask: Ask, nvml_folder: Path, cuda: str, best: str) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_CUDA=cuda)
    assert answer.features[LOWER][0] == best


@pytest.mark.parametrize("gpu", ["2147483647.0", "40.99"])
def test_a_newer_gpu_is_clamped_and_never_off(ask: Ask, nvml_folder: Path, gpu: str) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS=f"{gpu},9.0")
    assert reals(answer) == ["90_real"]
    assert "309_virtual" in answer.features[SM]


def test_stdout_stays_clean(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_PRINT="driver chatter")
    assert answer.features[LOWER][0] == "12.8"
    assert answer.stdout == ""


@pytest.mark.parametrize("where", ["init", "load"])
def test_a_crash_stays_inside(ask: Ask, nvml_folder: Path, where: str) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_ABORT=where)
    assert answer.features == {}
    assert "crashed (signal 6)" in answer.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FAKE_GPUS": "8.6,segv,9.0"}, "NVML: the driver library crashed (signal 11)"),
        ({"FAKE_GPUS": "8.6", "FAKE_ABORT": "shutdown"}, "NVML: the driver library crashed (signal 6)"),
        ({"FAKE_GPUS": "8.6,segv", "FAKE_FORK": "600"}, "NVML: the driver library crashed (signal 11)"),
    ],
)
def test_what_was_answered_before_a_crash_stays(
    ask: Ask, nvml_folder: Path, variables: dict[str, str], said: str
) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, **variables)
    assert answer.features[LOWER][0] == "12.8"
    assert reals(answer)[0] == "86_real"
    assert answer.stderr == f"torch-variant-provider: {said}\n"


def test_what_was_answered_before_a_hang_stays(nvml_folder: Path) -> None:
    done = provider("--timeout", "3", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="8.6,hang,9.0")
    profile = json.loads(done.stdout)
    assert done.returncode == 0
    assert profile["facts"]["nvidia"]["compute_capability"]["value"] == ["8.6"]
    assert "NVML did not answer in 3 s" in done.stderr


def test_a_process_that_the_library_leaves_behind_is_not_waited_for(ask: Ask, nvml_folder: Path) -> None:
    # The stand-in host reads our standard error to its end, which that process holds open.
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_FORK="600")
    assert (list(answer.features), answer.stderr) == ([LOWER, UPPER, SM], "")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hung_call_ends_with_the_process_that_asked(nvml_folder: Path) -> None:
    asking = subprocess.Popen(
        [sys.executable, "-m", "torch_variant_provider", "--json"],
        env={**clean_environment(), "LD_LIBRARY_PATH": str(nvml_folder), "FAKE_SLEEP_MS": "600000"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    children = Path(f"/proc/{asking.pid}/task/{asking.pid}/children")
    hung = ""
    while not hung and asking.poll() is None:
        hung = children.read_text().strip()
        time.sleep(0.02)
    # The library sleeps once it is there.
    while "libnvidia-ml" not in Path(f"/proc/{hung}/maps").read_text():
        time.sleep(0.02)
    asking.kill()
    asking.wait()
    deadline = time.monotonic() + 60
    with suppress(OSError):  # it is gone
        # Or ended, and collected by nobody where there is no init.
        while "State:\tZ" not in Path(f"/proc/{hung}/status").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("closed", ["0", "1", "2", "0,1,2"])
def test_a_host_without_standard_streams(nvml_folder: Path, tmp_path: Path, closed: str) -> None:
    code = (
        "import os, sys\n"
        f"for number in {closed},: os.close(number)\n"
        "from torch_variant_provider.nvidia.detect import detect\n"
        "known = detect({}, '/')\n"
        "open(sys.argv[1], 'w').write(repr((known.texts('compute_capability'), known.warnings)))\n"
        "os._exit(0)"
    )
    environment = {**clean_environment(), "LD_LIBRARY_PATH": str(nvml_folder)}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "answer")],
        env={**environment, "FAKE_GPUS": "9.0", "FAKE_PRINT": "chatter"},
        check=True,
        timeout=60,
    )
    assert (tmp_path / "answer").read_text() == "(('9.0',), [])"


def test_a_system_without_room_for_a_process(nvml_folder: Path) -> None:
    code = (
        "import os, errno\n"
        "def fork(): raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))\n"
        "os.fork = fork\n"
        "from torch_variant_provider.nvidia.nvml import read\n"
        "found = read('/'); print(found.unanswered, *found.warnings)"
    )
    environment = {**clean_environment(), "LD_LIBRARY_PATH": str(nvml_folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True NVML: it cannot be asked: Resource temporarily unavailable\n"


@pytest.mark.parametrize(
    "variables", [{"FAKE_GPUS": "handle15,cc999"}, {"FAKE_GPUS": "9.0", "FAKE_COUNT_CODE": "999"}]
)
def test_gpus_that_nobody_can_name_are_an_unanswering_driver(
    nvml_folder: Path, variables: dict[str, str]
) -> None:
    done = provider(LD_LIBRARY_PATH=nvml_folder, **variables)
    assert done.returncode == 3
    assert list(json.loads(done.stdout)["unanswered"]) == ["nvidia"]


def test_a_hang_ends(ask: Ask, nvml_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", FAKE_SLEEP_MS="600000")
    assert answer.features == {}
    assert "did not answer in 10 s" in answer.stderr


def test_a_text_file_in_the_place_of_the_library(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "libnvidia-ml.so.1").write_text("not a library")
    answer = ask("nvidia", LD_LIBRARY_PATH=tmp_path)
    assert (answer.features, answer.stdout) == ({}, "")
    assert "NVML: libnvidia-ml.so.1 cannot be loaded: " in answer.stderr
    assert provider(LD_LIBRARY_PATH=tmp_path).returncode == 0  # nothing else says that there is a driver


@pytest.mark.parametrize("sign", ["dev/nvidiactl", "dev/dxg", "proc/driver/nvidia/version"])
def test_a_broken_library_beside_a_kernel_driver(tmp_path: Path, sign: str) -> None:
    (tmp_path / "usr/lib/wsl/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/wsl/lib/libnvidia-ml.so.1").write_text("not a library")
    assert nvml.read(str(tmp_path)).unanswered is False
    (tmp_path / sign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / sign).touch()
    assert nvml.read(str(tmp_path)).unanswered is True


def test_a_library_that_lacks_another_is_not_missing(tmp_path: Path) -> None:
    """The loader says "No such file" of what it needs, too."""
    needed = build_library("fake_cuda.c", tmp_path / "needed", "libneeded.so.1")
    folder = build_library(
        "fake_nvml.c",
        tmp_path / "lib",
        "libnvidia-ml.so.1",
        "-Wl,--no-as-needed",
        f"-L{needed}",
        "-l:libneeded.so.1",
    )
    done = provider(LD_LIBRARY_PATH=folder)
    assert "cannot be loaded: libneeded.so.1" in done.stderr


def test_a_driver_that_the_kernel_has_and_nvml_has_not(nvml_folder: Path, tmp_path: Path) -> None:
    """As where only some of the device nodes were given to a container."""
    code = "import sys; from torch_variant_provider.nvidia.nvml import read; f = read(sys.argv[1]);"
    code += "print(f.unanswered, f.conclusive)"
    environment = {**clean_environment(), "LD_LIBRARY_PATH": str(nvml_folder), "FAKE_INIT_CODE": "9"}

    def ask_nvml() -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True
        )
        return done.stdout

    assert ask_nvml() == "False True\n"
    for sign in ("proc/driver/nvidia/version", "dev/nvidia0"):
        (tmp_path / sign).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / sign).touch()
    assert ask_nvml() == "True False\n"


def test_a_library_of_another_machine_type(ask: Ask, nvml_folder: Path, tmp_path: Path) -> None:
    library = bytearray((nvml_folder / "libnvidia-ml.so.1").read_bytes())
    library[18] = 243  # e_machine: RISC-V
    (tmp_path / "libnvidia-ml.so.1").write_bytes(library)
    assert ask("nvidia", LD_LIBRARY_PATH=tmp_path, FAKE_GPUS="9.0").features == {}


def test_a_library_the_loader_does_not_know(tmp_path: Path) -> None:
    """NixOS and WSL2 keep the driver in places of their own."""
    build_library("fake_nvml.c", tmp_path / "run/opengl-driver/lib", "libnvidia-ml.so.1")
    import subprocess
    import sys

    from tests.torch_variant_provider.conftest import clean_environment

    code = (
        "import sys; from torch_variant_provider.nvidia.detect import detect;"
        "print(detect({}, sys.argv[1]).facts['compute_capability'].value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**clean_environment(), "FAKE_GPUS": "8.9"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "('8.9',)", done.stderr


def test_a_forced_version_keeps_the_gpus(ask: Ask, nvml_folder: Path) -> None:
    answer = ask(
        "nvidia",
        LD_LIBRARY_PATH=nvml_folder,
        FAKE_GPUS="8.0",
        NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION="11.8",
    )
    assert answer.features[LOWER][0] == "11.8"
    assert reals(answer) == ["80_real"]


def test_forced_gpus_keep_the_version(ask: Ask, nvml_folder: Path) -> None:
    answer = ask(
        "nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="8.0", NV_VARIANT_PROVIDER_FORCE_SM_ARCH="sm_120"
    )
    assert answer.features[LOWER][0] == "12.8"
    assert reals(answer) == ["120_real"]


def test_everything_forced_touches_no_library(ask: Ask, nvml_folder: Path) -> None:
    answer = ask(
        "nvidia",
        LD_LIBRARY_PATH=nvml_folder,
        FAKE_ABORT="load",
        NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION="11.8",
        NV_VARIANT_PROVIDER_FORCE_SM_ARCH="8.0",
    )
    assert answer.features[LOWER][0] == "11.8"
    assert answer.stderr == ""


@pytest.mark.parametrize("none", ["none", "0"])
def test_a_machine_declared_without_driver(ask: Ask, nvml_folder: Path, none: str) -> None:
    answer = ask(
        "nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="8.0", NV_PROVIDER_FORCE_DRIVER_VERSION=none
    )
    assert answer.features == {}


def test_a_binding_that_wants_all_of_ctypes(ask: Ask, nvml_folder: Path, tmp_path: Path) -> None:
    import pynvml

    text = Path(pynvml.__file__).read_text()
    (tmp_path / "pynvml.py").write_text("from ctypes.util import _findLib_gcc\n" + text)
    answer = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", PYTHONPATH=tmp_path)
    (tmp_path / "pynvml.py").write_text("raise RuntimeError('broken')")
    broken = ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", PYTHONPATH=tmp_path)
    assert (list(answer.features), answer.stderr) == ([LOWER, UPPER, SM], "")
    assert broken.features == {}
    assert "NVML: RuntimeError: broken" in broken.stderr


def test_stdout_stays_clean_without_fork(nvml_folder: Path) -> None:
    """Where the system cannot fork, the call runs in a thread with standard output diverted."""
    import subprocess
    import sys

    from tests.torch_variant_provider.conftest import clean_environment

    code = (
        "import os; del os.fork\n"
        "from torch_variant_provider.plugin import NvidiaPlugin as plugin\n"
        "print('before')\n"
        "values = plugin.get_supported_configs()[0].values[0]\n"
        "print(values)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **clean_environment(),
            "LD_LIBRARY_PATH": str(nvml_folder),
            "FAKE_GPUS": "8.9",
            "FAKE_PRINT": "driver chatter",
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout == "before\n12.8\n"
    assert "driver chatter" in done.stderr

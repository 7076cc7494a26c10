from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.making import make_wheel, zip_bytes
from variant_index.errors import InputError
from variant_index.model.repack_report import RepackRecord
from variant_index.model.rules import RULES
from variant_index.publish.lock import lock_folder
from variant_index.repack import carry_out as carry_out_module
from variant_index.repack.carry_out import Outcome, carry_out
from variant_index.repack.load import find_wheels, load_rules, read_sources
from variant_index.repack.plan import plan_repack
from variant_index.repack.record import RECORDS, Records
from variant_index.repack.rules import parse_rules
from variant_index.wheel.archive import Archive
from variant_index.wheel.read import read_wheel
from variant_index.wheel.record import content_row, render_rows
from variant_index.wheel.relabel import rewrite_wheel

TAGS = "cp312-cp312-linux_x86_64"
CUDA = f"torch-2.9.0-{TAGS}-cu126.whl"
PLAIN = f"torch-2.9.0-{TAGS}.whl"


def make_torch(folder: Path, backend: str = "cu126", size: int = 1000) -> Path:
    """Write a build as PyTorch names it, with a `.data` folder in front."""
    files = {
        f"torch-2.9.0+{backend}.data/scripts/run": b"#!python\n",
        "torch/__init__.py": f"backend = {backend!r}\n".encode(),
        "torch/lib.so": os.urandom(size),
    }
    return make_wheel(folder, f"torch-2.9.0+{backend}-{TAGS}.whl", files=files)


def repack(
    source: Path, out: Path, *, force: bool = False, verify: bool = False, jobs: int = 2
) -> list[Outcome]:
    found, refused = read_sources(find_wheels([source], out))
    assert not refused
    planned = plan_repack(found, load_rules(["pytorch"])).planned
    done = carry_out(planned, out, force=force, verify=verify, jobs=jobs)
    return sorted(done, key=lambda outcome: outcome.planned.source.path)


def states(outcomes: list[Outcome]) -> list[tuple[str, ...]]:
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    return [outcome.states for outcome in outcomes]


def left_over(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.name not in (RECORDS, CUDA, PLAIN))


def test_a_build_becomes_a_variant(tmp_path: Path) -> None:
    source = make_torch(tmp_path)
    assert states(repack(source, tmp_path / "out")) == [("written",)]
    made = read_wheel(tmp_path / "out" / CUDA, verify=True)
    assert made.dist_info == "torch-2.9.0.dist-info"
    assert b"\nVersion: 2.9.0\n" in made.metadata
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(made.path) as after:
        assert after.testzip() is None
        old = {name.replace("2.9.0+cu126", "2.9.0"): before.read(name) for name in before.namelist()}
        new = {name: after.read(name) for name in after.namelist()}
        assert set(new) - set(old) == {"torch-2.9.0.dist-info/variant.json"}
        changed = {name for name, data in old.items() if new[name] != data}
        assert changed == {"torch-2.9.0.dist-info/METADATA", "torch-2.9.0.dist-info/RECORD"}
        for name in ("torch/lib.so", "torch-2.9.0.data/scripts/run"):
            assert (
                after.getinfo(name).compress_size
                == before.getinfo(name.replace("2.9.0.", "2.9.0+cu126.")).compress_size
            )


def test_all_before_the_metadata_is_copied_in_one_piece(tmp_path: Path) -> None:
    files = {f"torch/{number}.so": os.urandom(100) for number in range(5)}
    source = make_wheel(tmp_path, f"torch-2.9.0+cu126-{TAGS}.whl", files=files)
    repack(source, tmp_path / "out")
    with Archive(source) as archive:
        prefix = archive.entries["torch-2.9.0+cu126.dist-info/METADATA"].offset
    assert (tmp_path / "out" / CUDA).read_bytes()[:prefix] == source.read_bytes()[:prefix]


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    make_torch(tmp_path / "whl")
    make_torch(tmp_path / "whl", "cpu")
    out = tmp_path / "out"
    assert states(repack(tmp_path / "whl", out)) == [("written",), ("written",)]
    before = {path.name: path.stat() for path in out.iterdir()}
    assert states(repack(tmp_path / "whl", out)) == [("done",), ("done",)]
    after = {path.name: path.stat() for path in out.iterdir()}
    assert {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in before.items()} == {
        name: (stat.st_ino, stat.st_mtime_ns) for name, stat in after.items()
    }


def test_what_is_done_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_torch(tmp_path)
    repack(source, tmp_path / "out")
    monkeypatch.setattr("variant_index.repack.carry_out.Archive", None)
    assert states(repack(source, tmp_path / "out")) == [("done",)]


def test_a_copied_source_is_the_same_source(tmp_path: Path) -> None:
    source = make_torch(tmp_path)
    repack(source, tmp_path / "out")
    inode = (tmp_path / "out" / CUDA).stat().st_ino
    os.utime(source, (1, 1))
    assert states(repack(source, tmp_path / "out")) == [("done",)]
    assert (tmp_path / "out" / CUDA).stat().st_ino == inode


def test_another_source_does_not_replace_silently(tmp_path: Path) -> None:
    source, out = make_torch(tmp_path), tmp_path / "out"
    repack(source, out)
    before = (out / CUDA).read_bytes()
    make_torch(tmp_path)
    (failed,) = repack(source, out)
    assert failed.error is not None
    assert f"{CUDA} exists with other content; --force replaces it" in failed.error
    assert (out / CUDA).read_bytes() == before
    assert states(repack(source, out, force=True)) == [("written",)]
    assert (out / CUDA).read_bytes() != before
    assert states(repack(source, out)) == [("done",)]


def test_everything_is_written_again_when_asked_for(tmp_path: Path) -> None:
    source, out = make_torch(tmp_path), tmp_path / "out"
    repack(source, out)
    inode = (out / CUDA).stat().st_ino
    assert states(repack(source, out, force=True)) == [("written",)]
    assert (out / CUDA).stat().st_ino != inode


def test_other_rules_do_not_replace_silently(tmp_path: Path) -> None:
    source, out = make_torch(tmp_path), tmp_path / "out"
    repack(source, out)
    found, _ = read_sources(find_wheels([source], out))
    rules = parse_rules(
        b'[[rule]]\nlabel = "cu126"\nproperties = "nvidia :: cuda_version_lower_bound :: 12.6"', "r.toml"
    )
    (failed,) = carry_out(plan_repack(found, [rules]).planned, out)
    assert "exists with other content; --force replaces it" in str(failed.error)


def test_a_touched_wheel_is_looked_at_again(tmp_path: Path) -> None:
    source, out = make_torch(tmp_path), tmp_path / "out"
    repack(source, out)
    os.utime(out / CUDA, (1, 1))
    assert states(repack(source, out)) == [("done",)], "it has the right bytes"
    (out / CUDA).write_bytes(b"x")
    (failed,) = repack(source, out)
    assert "exists with other content" in str(failed.error)
    (out / CUDA).unlink()
    assert states(repack(source, out)) == [("written",)]


def test_a_bad_wheel_does_not_stop_the_others(tmp_path: Path) -> None:
    make_torch(tmp_path / "whl")
    bad = make_wheel(tmp_path / "whl", f"torch-2.9.0+cpu-{TAGS}.whl", files={"torch.py": b"x" * 100})
    with zipfile.ZipFile(bad) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    bad.write_bytes(zip_bytes({**files, "torch.py": b"y" * 100}))
    first, second = repack(tmp_path / "whl", tmp_path / "out", verify=True)
    assert first.error == (
        f"{bad}: RECORD states another sha256 for torch.py than its content has (WHL307): "
        f"{RULES['WHL307'].remedy}"
    )
    assert (second.error, second.states) == (None, ("written",))
    assert left_over(tmp_path / "out") == []
    assert not (tmp_path / "out" / PLAIN).exists()


def test_verifying_records_the_hash_of_the_source(tmp_path: Path) -> None:
    source, out = make_torch(tmp_path), tmp_path / "out"
    assert repack(source, out)[0].sha256 is None
    (outcome,) = repack(source, out, verify=True)
    record = Records(out).get(CUDA)
    assert record is not None
    assert outcome.sha256 == record.source_sha256 is not None
    assert repack(source, out)[0].sha256 == outcome.sha256, "and it is kept"


def test_a_source_that_goes_or_changes_in_between(tmp_path: Path) -> None:
    source = make_torch(tmp_path / "whl")
    gone = make_torch(tmp_path / "whl", "cpu")
    found, _ = read_sources(find_wheels([tmp_path / "whl"], tmp_path / "out"))
    planned = plan_repack(found, load_rules()).planned
    make_torch(tmp_path / "whl")
    gone.unlink()
    errors = sorted(str(outcome.error) for outcome in carry_out(planned, tmp_path / "out"))
    assert errors == [
        f"{gone}: No such file or directory (WHL001): {RULES['WHL001'].remedy}",
        f"{source}: changed while it was read; run again",
    ]
    assert left_over(tmp_path / "out") == []


def test_one_run_at_a_time(tmp_path: Path) -> None:
    source = make_torch(tmp_path)
    with lock_folder(tmp_path / "out", "x"), pytest.raises(InputError, match="another run is writing there"):
        repack(source, tmp_path / "out")


def test_an_interrupted_run_leaves_nothing_half(tmp_path: Path) -> None:
    for backend in ("cu126", "cpu", "xpu"):
        make_torch(tmp_path / "whl", backend)
    found, _ = read_sources(find_wheels([tmp_path / "whl"], tmp_path / "out"))
    planned = plan_repack(found, load_rules()).planned
    running = carry_out(planned, tmp_path / "out", jobs=1)
    assert isinstance(running, Iterator)
    next(iter(running))
    running.close()  # type: ignore[attr-defined]
    assert [path.name for path in (tmp_path / "out").glob(".*")] == []
    assert len(states(repack(tmp_path / "whl", tmp_path / "out"))) == 3


def test_stopping_stops_in_the_middle_of_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("variant_index.wheel.rewrite._CHUNK", 1000)
    for backend in ("cu126", "cu128"):
        make_torch(tmp_path / "whl", backend, size=5000)
    found, _ = read_sources(find_wheels([tmp_path / "whl"], tmp_path / "out"))
    planned = plan_repack(found, load_rules()).planned
    first, second = (tmp_path / "out" / one.targets[0].name for one in planned)
    in_second, go_on = threading.Event(), threading.Event()

    really_stop = carry_out_module._Work.stop

    def stop(work: carry_out_module._Work) -> None:
        really_stop(work)
        go_on.set()

    monkeypatch.setattr(carry_out_module._Work, "stop", stop)

    def progress(_: int) -> None:
        if first.exists():
            in_second.set()
            go_on.wait(60)

    running = carry_out(planned, tmp_path / "out", jobs=1, progress=progress)
    next(iter(running))
    assert in_second.wait(60)
    running.close()  # type: ignore[attr-defined]
    assert first.exists()
    assert not second.exists()
    assert left_over(tmp_path / "out") == []


def test_tags_are_set_where_a_rule_says_so(tmp_path: Path) -> None:
    """Builders rename wheels from one platform to another."""
    name = "torch-2.9.0+cu126-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
    source = make_torch(tmp_path).rename(tmp_path / name)
    assert states(repack(source, tmp_path / "out")) == [("written",)]
    made = tmp_path / "out" / f"{name[:11]}{name[17:-4]}-cu126.whl"
    assert read_wheel(made, verify=True).findings == ()
    with zipfile.ZipFile(made) as archive, zipfile.ZipFile(source) as before:
        wheel_file = archive.read("torch-2.9.0.dist-info/WHEEL")
        old = before.read("torch-2.9.0+cu126.dist-info/WHEEL")
    tags = b"Tag: cp312-cp312-manylinux2014_x86_64\nTag: cp312-cp312-manylinux_2_17_x86_64\n"
    assert wheel_file == old.replace(f"Tag: {TAGS}\n".encode(), tags)
    contradicted = source.rename(tmp_path / "torch-2.9.0+cu126-cp313-cp313-manylinux2014_x86_64.whl")
    found, _ = read_sources([contradicted])
    rules = parse_rules(b"[[rule]]\ndefault = true", "r.toml")
    (refused,) = plan_repack(found, [rules]).refused
    assert "are not those of the file name; retag = true in the rule sets them" in refused.reason


def test_a_wheel_that_only_says_linux_may_stay_so(tmp_path: Path) -> None:
    name = "demo-1.0+cu12-py3-none-linux_x86_64.whl"
    source = make_wheel(tmp_path, name).rename(tmp_path / name.replace("-linux", "-manylinux2014"))
    found, refused = read_sources([source])
    assert not refused
    for retag, line in (
        ("false", b"Tag: py3-none-linux_x86_64"),
        ("true", b"Tag: py3-none-manylinux2014_x86_64"),
    ):
        rules = parse_rules(f"[[rule]]\ndefault = true\nretag = {retag}".encode(), "r.toml")
        out = tmp_path / retag
        assert [outcome.error for outcome in carry_out(plan_repack(found, [rules]).planned, out)] == [None]
        with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
            assert line in archive.read("demo-1.0.dist-info/WHEEL")


_KILLED = """
import os, signal, sys
from pathlib import Path
from variant_index.repack.carry_out import carry_out
from variant_index.repack.load import find_wheels, load_rules, read_sources
from variant_index.repack.plan import plan_repack
from variant_index.wheel import rewrite
rewrite._CHUNK = 1000
source, out, left = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def count(_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
found, _ = read_sources(find_wheels([source], out))
list(carry_out(plan_repack(found, load_rules()).planned, out, jobs=1, progress=count))
"""


def test_a_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    """Killed at every chunk in turn, each run going on in the same folder."""
    source, out = tmp_path / "whl", tmp_path / "out"
    for backend in ("cu126", "cpu"):
        make_torch(source, backend, size=2500)
    clean = tmp_path / "clean"
    repack(source, clean)
    killed = 0
    for moment in range(0, 30, 2):
        command = [sys.executable, "-c", _KILLED, str(source), str(out), str(moment)]
        done = subprocess.run(command, capture_output=True, timeout=60)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        killed += 1
        for wheel in out.glob("[!.]*.whl"):
            assert wheel.read_bytes() == (clean / wheel.name).read_bytes(), "never half a wheel"
        assert all(name.startswith(".part-") for name in left_over(out))
    assert killed >= 3
    assert states(repack(source, out)) == [("done",), ("done",)]
    assert left_over(out) == []


@pytest.mark.parametrize(
    "left",
    [
        lambda data: data[:0],
        lambda data: data[:700],
        lambda data: bytes(len(data)),
        lambda data: data[:512] + bytes(512) + data[1024:],
        lambda data: bytes(512) + data[512:-10],
    ],
)
@pytest.mark.parametrize("recorded", [True, False])
def test_what_a_power_cut_leaves_is_written_again(
    tmp_path: Path, left: Callable[[bytes], bytes], recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records may reach the disk before what they are about, with a size and time that agree."""
    source, out = make_torch(tmp_path, size=2500), tmp_path / "out"
    monkeypatch.setattr("variant_index.repack.carry_out.current_boot", lambda: "before")
    repack(source, out)
    wheel = out / CUDA
    right, status = wheel.read_bytes(), wheel.stat()
    wheel.write_bytes(left(right))
    os.utime(wheel, ns=(status.st_atime_ns, status.st_mtime_ns))
    if not recorded:
        (out / RECORDS).unlink()
    monkeypatch.setattr("variant_index.repack.carry_out.current_boot", lambda: "after")
    assert states(repack(source, out)) == [("written",)]
    assert wheel.read_bytes() == right
    assert left_over(out) == []


@pytest.mark.parametrize("change", [lambda data: data[:-1] + b"?", lambda data: data + b"\0"])
def test_what_is_no_remainder_is_not_replaced(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    source, out = make_torch(tmp_path, size=2500), tmp_path / "out"
    repack(source, out)
    (out / CUDA).write_bytes(change((out / CUDA).read_bytes()))
    (refused,) = repack(source, out)
    assert str(refused.error).endswith("exists with other content; --force replaces it")


def test_a_wheel_is_compared_once_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = make_torch(tmp_path), tmp_path / "out"
    compared: list[str] = []

    def watched(*arguments: Any, **options: Any) -> Path:
        compared.append(boot)
        return rewrite_wheel(*arguments, **options)

    monkeypatch.setattr(carry_out_module, "rewrite_wheel", watched)
    for boot in ("first", "first", "second", "second", "third"):
        monkeypatch.setattr(carry_out_module, "current_boot", lambda boot=boot: boot)
        repack(source, out)
    assert states(repack(source, out)) == [("done",)]
    assert compared == ["first", "second"]


def test_where_restarts_are_not_told_the_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = make_torch(tmp_path), tmp_path / "out"
    order: list[str] = []
    fsync, add = os.fsync, Records.add

    def flush(file: int) -> None:
        order.append("disk")
        fsync(file)

    def note(records: Records, record: RepackRecord) -> None:
        order.append("record")
        add(records, record)

    monkeypatch.setattr(carry_out_module, "current_boot", lambda: "")
    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Records, "add", note)
    repack(source, out)
    assert order == ["disk", "disk", "record"]  # the file, its name, and only then that it is done
    assert Records(out).get(CUDA).boot == ""  # type: ignore[union-attr]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    source, out = make_torch(tmp_path, size=1 << 16), tmp_path / "out"
    found, _ = read_sources(find_wheels([source], out))
    planned = plan_repack(found, load_rules()).planned
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, before[1]))
    try:
        (outcome,) = carry_out(planned, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert outcome.error == f"{out / CUDA}: File too large"
    assert left_over(out) == []


def test_records_survive_torn_and_foreign_lines(tmp_path: Path) -> None:
    record = RepackRecord(
        wheel="a", size=1, mtime_ns=2, plan="p", source="s", source_size=3, source_digest="d"
    )
    records = Records(tmp_path)
    records.add(record)
    with (tmp_path / RECORDS).open("ab") as file:
        file.write(b'[1]\n\xff\n{"wheel": "a"')
    records = Records(tmp_path)
    assert records.get("a") == record
    records.add(record.model_copy(update={"wheel": "b"}))
    again = Records(tmp_path)
    assert (again.get("a"), again.get("c")) == (record, None)
    assert again.get("b") is not None


def test_records_do_not_grow_without_end(tmp_path: Path) -> None:
    records = Records(tmp_path)
    record = RepackRecord(
        wheel="a", size=1, mtime_ns=2, plan="p", source="s", source_size=3, source_digest="d"
    )
    for size in range(200):
        records.add(record.model_copy(update={"size": size}))
    records.tidy()
    assert len((tmp_path / RECORDS).read_bytes().splitlines()) == 1
    last = Records(tmp_path).get("a")
    assert last is not None
    assert last.size == 199


def test_records_come_whole_from_several_threads(tmp_path: Path) -> None:
    records = Records(tmp_path)

    def add(name: str) -> None:
        for number in range(50):
            records.add(
                RepackRecord(
                    wheel=f"{name}{number}",
                    size=1,
                    mtime_ns=2,
                    plan="p" * 500,
                    source="s",
                    source_size=3,
                    source_digest="d",
                )
            )

    threads = [threading.Thread(target=add, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(Records(tmp_path).get(f"{name}{number}") for name in "abc" for number in range(50))


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    files=st.dictionaries(
        st.text("ab.-+", min_size=1, max_size=6).filter(lambda name: name not in (".", "..")),
        st.binary(max_size=200),
        max_size=5,
    ),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    order=st.randoms(use_true_random=False),
)
def test_any_archive_keeps_its_payload(
    tmp_path: Path, files: dict[str, bytes], method: int, order: object
) -> None:
    info = "torch-2.9.0+cu126.dist-info"
    content = {
        **{f"torch/{name}": data for name, data in files.items()},
        "torch-2.9.0+cu126.data/data/x": b"x",
        f"{info}/METADATA": b"Name: torch\nVersion: 2.9.0+cu126\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nTag: {TAGS}\n".encode(),
    }
    rows = [content_row(name, data) for name, data in content.items()]
    content[f"{info}/RECORD"] = render_rows(rows, "\n") + f"{info}/RECORD,,\n".encode()
    entries = list(content.items())
    order.shuffle(entries)  # type: ignore[attr-defined]
    source = tmp_path / f"torch-2.9.0+cu126-{TAGS}.whl"
    with zipfile.ZipFile(source, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    out = tmp_path / "out"
    assert states(repack(source, out, force=True)) == [("written",)]
    read_wheel(out / CUDA, verify=True)
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(out / CUDA) as after:
        for entry in before.infolist():
            if not entry.filename.endswith(("METADATA", "RECORD")):
                moved = after.getinfo(
                    entry.filename.replace("+cu126", "", 1 if "+cu126." in entry.filename else 0)
                )
                assert (moved.CRC, moved.compress_size, moved.compress_type) == (
                    entry.CRC,
                    entry.compress_size,
                    entry.compress_type,
                )

"""One example for each rule about wheels and releases: a function that writes files into a folder."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.making import NVIDIA_PROVIDER, document, make_wheel, zip_bytes
from tests.variant_index.provenance.test_attestation import DATA
from tests.variant_index.publish.family import CU128, CU130, NULL, make_variant
from variant_index.model.document import write_document
from variant_index.publish.combine import combine
from variant_index.wheel.read import read_wheel
from variant_index.wheel.record import content_row, render_rows

__all__ = ["EXAMPLES", "change", "contents"]

NAME = "demo-1.0-py3-none-any.whl"
LABELLED = "demo-1.0-py3-none-any-cu128.whl"
INFO = "demo-1.0.dist-info"
RECORD = f"{INFO}/RECORD"

Example = Callable[[Path], object]


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def change(path: Path, changes: Mapping[str, bytes | None], *, record: bool = True) -> Path:
    """Replace, add or (None) remove files of a wheel; RECORD follows unless it is changed itself."""
    files: dict[str, bytes | None] = {**contents(path), **changes}
    kept = {name: data for name, data in files.items() if data is not None}
    if record and RECORD not in changes:
        del kept[RECORD]
        rows = [content_row(name, data) for name, data in kept.items()]
        kept[RECORD] = render_rows(rows, "\n") + f"{RECORD},,\n".encode()
    path.write_bytes(zip_bytes(kept))
    return path


def changed(changes: Mapping[str, bytes | None]) -> Example:
    return lambda folder: change(make_wheel(folder, NAME), changes)


def recorded(edit: Callable[[list[str]], list[str]]) -> Example:
    def make(folder: Path) -> object:
        path = make_wheel(folder, NAME)
        rows = contents(path)[RECORD].decode().splitlines()
        return change(path, {RECORD: "\n".join(edit(rows)).encode()})

    return make


def labelled(content: object, name: str = LABELLED) -> Example:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda folder: make_wheel(folder, name, variant_json=data)


def release(content: Mapping[str, object]) -> Example:
    """A release with one variant and a plain wheel."""

    def make(folder: Path) -> object:
        make_wheel(folder, NAME)
        return make_wheel(folder, LABELLED, variant_json=content)

    return make


def two(first: Mapping[str, object], second: Mapping[str, object]) -> Example:
    """Two wheels of one label on two platforms."""

    def make(folder: Path) -> object:
        make_wheel(folder, "demo-1.0-cp312-cp312-linux_x86_64-cu128.whl", variant_json=first)
        return make_wheel(folder, "demo-1.0-cp312-cp312-win_amd64-cu128.whl", variant_json=second)

    return make


def other_sidecar(folder: Path) -> None:
    path = make_wheel(folder, LABELLED, variant_json=document({"cu128": CU128}))
    found = read_wheel(path).document
    assert found is not None
    data = write_document(combine([(path.name, found)])).replace(b"12.8", b"12.9")
    (folder / "demo-1.0-variants.json").write_bytes(data)


def foreign_provenance(folder: Path) -> None:
    path = make_wheel(folder, NAME)
    path.with_name(f"{NAME}.provenance").write_bytes(DATA.read_bytes())


def too_many_labels(folder: Path) -> None:
    """Each document is small, all of them together are not."""
    for number in range(12):
        values = [f"{number}.{value:0>90}" for value in range(1000)]
        make_variant(folder, f"demo-1.0-py3-none-any-l{number}.whl", {"nvidia": {"x": values}})


def one_name_twice(folder: Path) -> None:
    make_wheel(folder / "a", NAME)
    make_wheel(folder / "b", NAME, requires_python=">=3.10")


def twins(folder: Path) -> None:
    make_wheel(folder, NAME)
    for label in ("one", "two"):
        make_variant(folder, f"demo-1.0-py3-none-any-{label}.whl", CU128)


def renamed(folder: Path) -> None:
    make_wheel(folder, NAME).rename(folder / "demo-1.0-py3-none-linux_x86_64.whl")


def only_renamed(folder: Path) -> None:
    path = make_wheel(folder, "demo-1.0-py3-none-linux_x86_64.whl")
    path.rename(folder / "demo-1.0-py3-none-manylinux2014_x86_64.whl")


def of_another(folder: Path) -> None:
    make_wheel(folder, NAME).rename(folder / "other-1.0-py3-none-any.whl")


def dangling(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).symlink_to("nowhere")


def without_providers(properties: Mapping[str, object] = CU128) -> dict[str, object]:
    return {
        "$schema": "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json",
        "default-priorities": {"namespace": ["nvidia"]},
        "variants": {"cu128": properties},
    }


def provided(provider: Mapping[str, object], namespace: str = "nvidia") -> Example:
    properties = {namespace: {"feature": ["value"]}}
    return release(document({"cu128": properties}, [namespace], {namespace: provider}))


GOOD = document({"cu128": CU128})

EXAMPLES: dict[str, list[Example]] = {
    "WHL001": [dangling],
    "WHL002": [
        lambda folder: make_wheel(folder, NAME).rename(folder / "demo-1.0.whl"),
        lambda folder: make_wheel(folder, NAME).rename(folder / "demo-1.0-3py-none-any.whl"),
        lambda folder: make_wheel(folder, NAME).rename(folder / "demo-1.0-py3-none-any-CU128.whl"),
        lambda folder: make_wheel(folder, NAME).rename(folder / "demo-1.0-py3-none-any-.whl"),
    ],
    "WHL003": [lambda folder: make_wheel(folder, "De.mo-1.0-py3-none-any.whl")],
    "WHL201": [
        changed({"other-1.0.dist-info/METADATA": b""}),
        lambda folder: (folder / NAME).write_bytes(zip_bytes({"demo.py": b""})),
    ],
    "WHL202": [
        changed({f"{INFO}/METADATA": None}),
        changed({f"{INFO}/WHEEL": None}),
        changed({RECORD: None}),
    ],
    "WHL203": [changed({f"{INFO}/METADATA": b"Name: demo\nName: other\nVersion: 1.0\n"})],
    "WHL204": [
        changed({f"{INFO}/METADATA": b"Name: other\nVersion: 1.0\n"}),
        changed({f"{INFO}/METADATA": b"Name: demo\nVersion: 2.0\n"}),
        of_another,
    ],
    "WHL205": [changed({f"{INFO}/WHEEL": b"Wheel-Version: 2.0\n"})],
    "WHL206": [renamed],
    "WHL208": [only_renamed],
    "WHL207": [changed({f"{INFO}/entry_points.txt": b"[console_scripts]\n../../pwn = demo:x\n"})],
    "WHL209": [
        lambda folder: make_wheel(folder, NAME, requires_dist=["fine", "foo >=dev!!"]),
        lambda folder: make_wheel(folder, NAME, requires_python="not a spec"),
    ],
    "WHL210": [changed({f"{INFO}/METADATA": b"Metadata-Version: 99.0\nName: demo\nVersion: 1.0\n"})],
    "WHL301": [recorded(lambda rows: ["demo.py", *rows[1:]])],
    "WHL302": [recorded(lambda rows: rows[1:])],
    "WHL303": [
        recorded(lambda rows: [*rows, "gone.py,sha256=x,1"]),
        recorded(lambda rows: [*rows, "../../../x,sha256=x,1"]),
    ],
    "WHL304": [recorded(lambda rows: [*rows, rows[0]])],
    "WHL305": [recorded(lambda rows: ["demo.py,md5=x,", *rows[1:]])],
    "WHL306": [recorded(lambda rows: ["demo.py,sha256=x,7", *rows[1:]])],
    "WHL307": [
        recorded(lambda rows: [f"demo.py,sha256={'A' * 43},", *rows[1:]]),
        recorded(lambda rows: ["demo.py,sha512=x,", *rows[1:]]),
    ],
    "WHL401": [changed({"Demo.py": b""})],
    "WHL402": [changed({"demo/aux.py": b""})],
    "VAR001": [lambda folder: make_wheel(folder, LABELLED)],
    "VAR002": [labelled(GOOD, NAME)],
    "VAR003": [
        labelled(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()),
        labelled(json.dumps(GOOD).encode("utf-16")),
        labelled(b'{"variants": '),
        labelled(b"[" * 100_000),
    ],
    "VAR004": [
        labelled({**GOOD, "extra": 1}),
        labelled({key: value for key, value in GOOD.items() if key != "$schema"}),
        labelled({**GOOD, "default-priorities": {"namespace": []}}),
        labelled(document({"cu128": {"nvidia": {"x": []}}})),
        labelled(document({"cu128": {"nvidia": {}}})),
        labelled(document({"cu128": {"nvidia": {"X": ["1"]}}})),
        labelled(document({"cu128": {"nvidia": {"x": ["1.A"]}}})),
        labelled(document({"cu128": CU128}, providers={"amd": {}})),
    ],
    "VAR005": [
        labelled(document({"cu126": CU128})),
        labelled(document({"cu128": CU128, "null": NULL})),
        labelled(document({})),
    ],
    "VAR006": [labelled(document({"null": CU128}), "demo-1.0-py3-none-any-null.whl")],
    "VAR007": [labelled(document({"cu128": NULL}))],
    "VAR008": [
        labelled(document({"cu128": {"x86_64": {"level": ["v3"]}}})),
        labelled({**GOOD, "providers": {"nvidia": NVIDIA_PROVIDER}}),
        labelled({**GOOD, "providers": None}),
    ],
    "VAR009": [
        labelled(document({"cu128": {"nvidia": {"x": ["1", "1"]}}})),
        labelled(b'{"$schema": "", ' + json.dumps(GOOD).encode()[1:]),
        labelled({**GOOD, "default-priorities": {"namespace": ["nvidia", "amd", "nvidia"]}}),
    ],
    "VAR010": [labelled({**GOOD, "$schema": "https://x/v1.0.0.json"})],
    "VAR011": [labelled(document({"cu128": {"nvidia": {"sm_arch": ["90_real", "80_real"]}}}))],
    "VAR012": [
        labelled(document({"cu128": {"nvidia": {"x": [str(number) for number in range(10_001)]}}})),
        labelled(json.dumps(GOOD).encode() + b" " * (1 << 20)),
    ],
    "REL001": [two(GOOD, document({"cu128": CU130}))],
    "REL002": [two(GOOD, document({"cu128": CU128}, ["amd", "nvidia"]))],
    "REL003": [
        two(GOOD, document({"cu128": CU128}, providers={"amd": {"requires": ["other"]}})),
        two(without_providers(), document({"cu128": CU128}, ["nvidia"])),
    ],
    "REL004": [
        one_name_twice,
        lambda folder: [make_wheel(folder, NAME), make_wheel(folder, "Demo-1.0-py3-none-any.whl")],
    ],
    "REL005": [too_many_labels],
    "REL006": [other_sidecar],
    "REL007": [
        lambda folder: (folder / "demo.tar.gz").write_bytes(b""),
        lambda folder: (folder / "demo-variants.json").write_bytes(b"{}"),
    ],
    "REL009": [foreign_provenance],
    "REL011": [
        lambda folder: [
            make_variant(folder, LABELLED, CU128),
            make_wheel(folder, "demo-1.0.0-py3-none-any.whl"),
        ],
        lambda folder: [
            make_variant(folder, LABELLED, CU128),
            make_variant(folder, "demo-1-py3-none-any-cu130.whl", CU130),
        ],
        lambda folder: [
            make_variant(folder, LABELLED, CU128),
            (folder / "demo-1.0.0.tar.gz").write_bytes(b""),
        ],
    ],
    "REL101": [lambda folder: make_variant(folder, LABELLED, CU128)],
    "REL102": [release(without_providers())],
    "REL103": [
        release(document({"cu128": CU128}, providers={"nvidia": {**NVIDIA_PROVIDER, "requires": ["x"]}}))
    ],
    "REL104": [provided({"requires": ["amd-varaint-provider"]}, "amd")],
    "REL105": [provided({"requires": ["amd-variant-provider"], "optional": True}, "amd")],
    "REL106": [provided({"builtin": "x"}, "amd")],
    "REL107": [twins],
    "REL108": [provided({"requires": ["nvidia-variant-provider"]}, "nvida")],
    "REL109": [provided({"static-properties": {"feature": ["value"]}}, "nvidia")],
    "REL110": [release(document({"cu128": {"nvidia": {"sm_arhc": ["90_real"]}}}))],
    "REL111": [release({**GOOD, "$schema": "https://variants-schema.wheelnext.dev/v0.0.3.json"})],
    "REL112": [release(GOOD)],
    "REL113": [lambda folder: [make_wheel(folder, NAME), make_wheel(folder, "demo-1.0.0-py3-none-any.whl")]],
}
"""Code -> what breaks that rule."""

from __future__ import annotations

from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from variant_index.errors import InputError
from variant_index.repack.metadata import Edits, edit_metadata
from variant_index.repack.patterns import parse_pattern
from variant_index.repack.rules import Dependencies

NONE = Dependencies()


def metadata(*requires: str, end: str = "\n") -> bytes:
    lines = ["Metadata-Version: 2.1", "Name: torch", "Version: 2.9.0+cu126"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    return (end.join([*lines, "Requires-Python: >=3.10"]) + f"{end}{end}Name: not a header\n").encode()


def edit(
    *requires: str,
    dependencies: Dependencies = NONE,
    label: str = "",
    properties: dict[str, dict[str, list[str]]] | None = None,
    local: str | None = None,
) -> list[str]:
    edits = Edits(None, None, local, dependencies, {"cuda": "12"}, label, properties or {})
    changed, _ = edit_metadata(metadata(*requires), edits)
    return message_from_bytes(changed).get_all("Requires-Dist", [])


def test_nothing_to_change_leaves_every_byte() -> None:
    for end in ("\n", "\r\n"):
        data = metadata("a", "b (==1) ; x", "not a requirement!", end=end)
        assert edit_metadata(data, Edits(None, None, None, NONE, {})) == (data, ())


def test_name_and_version_change_and_the_body_does_not() -> None:
    for end in ("\n", "\r\n"):
        data = metadata("a", end=end)
        changed, shown = edit_metadata(data, Edits("other", "2.9.0", None, NONE, {}))
        expected = data.replace(b"Name: torch", b"Name: other").replace(b"2.9.0+cu126", b"2.9.0")
        assert (changed, shown) == (expected, ())


def test_requirements_go_come_and_are_renamed() -> None:
    dependencies = Dependencies(
        drop=(parse_pattern("nvidia-*"),),
        rename=((parse_pattern("jax-cuda{cuda}-pjrt"), "jax-gpu-pjrt"),),
        add=("torch==2.9.*", "extra{cuda}; extra == 'x'"),
    )
    old = ["Nvidia.cublas-cu12==1 ; sys_platform == 'linux'", "jax_cuda12.pjrt[a]==0.8; extra == 'p'", "b"]
    assert edit(*old, dependencies=dependencies) == [
        "jax-gpu-pjrt[a]==0.8; extra == 'p'",
        "b",
        "torch==2.9.*",
        "extra12; extra == 'x'",
    ]
    assert edit(dependencies=dependencies) == ["torch==2.9.*", "extra12; extra == 'x'"]
    _, shown = edit_metadata(metadata(*old), Edits(None, None, None, dependencies, {"cuda": "12"}))
    assert shown == (
        "+ torch==2.9.*",
        "+ extra12; extra == 'x'",
        f"- {old[0]}",
        f"{old[1]} -> jax-gpu-pjrt[a]==0.8; extra == 'p'",
    )


def test_a_header_in_several_lines_is_one() -> None:
    data = b"Name: torch\nRequires-Dist: nvidia-cublas\n ==1;\n\tsys_platform == 'linux'\nVersion: 1\n"
    dropped = edit_metadata(
        data, Edits(None, None, None, Dependencies(drop=(parse_pattern("nvidia-*"),)), {})
    )
    assert dropped[0] == b"Name: torch\nVersion: 1\n"


def test_pins_on_the_old_local_version_lose_it() -> None:
    old = ["torch==2.9.0+cu126", "torch (==2.9.0+Git_1) ; python_version > '3'", "x==1+local", "y>=1"]
    assert edit(*old, local="git.1") == [
        "torch==2.9.0",
        "torch (==2.9.0) ; python_version > '3'",
        "x==1+local",
        "y>=1",
    ]
    assert edit(*old, local="")[0] == "torch==2.9.0"
    assert edit(*old) == old


CUDA = {"nvidia": {"cuda_version_lower_bound": ["12.0"], "sm_arch": ["80_real", "90_real"]}}


@pytest.mark.parametrize(
    ("marker", "cuda", "plain"),
    [
        ("'nvidia' in variant_namespaces", "a", None),
        ("'nvidia' not in variant_namespaces", None, "a"),
        ("variant_label == 'cu126' and os_name == 'nt'", "a ; os_name == 'nt'", None),
        ("'nvidia :: sm_arch' in variant_features or os_name == 'nt'", "a", "a ; os_name == 'nt'"),
        ("'nvidia::cuda_version_lower_bound::12.0' in variant_properties", "a", None),
        ("'nvidia :: sm_arch :: 70_real' in variant_properties", None, None),
    ],
)
def test_markers_are_written_out(marker: str, cuda: str | None, plain: str | None) -> None:
    """Both in the wheel and in what a rule adds."""
    text = f"a ; {marker}"
    add = Dependencies(add=(text,))
    for expected, label, properties in ((cuda, "cu126", CUDA), (plain, "", {})):
        wanted = [] if expected is None else [expected]
        assert edit(text, label=label, properties=properties) == wanted
        assert edit(dependencies=add, label=label, properties=properties) == wanted


def test_what_only_the_machine_knows_is_refused() -> None:
    text = 'a; "nvidia :: sm_arch :: 90_real" in variant_properties'
    with pytest.raises(InputError, match="asks for nvidia :: sm_arch :: 90_real, one of several values"):
        edit(text, label="cu126", properties=CUDA)
    assert edit(text) == []


def test_refuses_to_rename_to_what_is_no_name() -> None:
    with pytest.raises(InputError, match="'b c>=1' is not a requirement"):
        edit("a>=1", dependencies=Dependencies(rename=((parse_pattern("a"), "b c"),)))


def test_what_is_added_stands_with_its_like() -> None:
    changed, _ = edit_metadata(metadata("a"), Edits(None, None, None, Dependencies(add=("b",)), {}))
    assert changed == metadata("a", "b")


@pytest.mark.parametrize("text", ["a b c", "a==", "a; os_name ==", "-x"])
def test_refuses_to_add_what_is_no_requirement(text: str) -> None:
    with pytest.raises(InputError, match="is not a requirement"):
        edit(dependencies=Dependencies(add=(text,)))


@given(
    st.lists(
        st.sampled_from(
            ["a", "b>=1", "c[x]==2 ; extra == 'y'", "nvidia-x", "d @ https://h/x;y.whl ; os_name == 'nt'"]
        ),
        max_size=6,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_other_requirements_stay_in_order(requires: list[str], end: str) -> None:
    dependencies = Dependencies(drop=(parse_pattern("nvidia-*"),), add=("new",))
    data = metadata(*requires, end=end)
    changed, _ = edit_metadata(data, Edits("torch", "2.9.0", "cu126", dependencies, {}))
    message = message_from_bytes(changed)
    kept = [one for one in requires if not one.startswith("nvidia")]
    assert message.get_all("Requires-Dist") == [*kept, "new"]
    assert changed.count(b"\r\n") == (changed.count(b"\n") - 1 if end == "\r\n" else 0)
    assert message["Requires-Python"] == ">=3.10"
    assert all(Requirement(one) for one in message.get_all("Requires-Dist", []))

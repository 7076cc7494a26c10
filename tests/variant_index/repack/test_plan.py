from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.model.document import parse_document
from variant_index.model.filename import WheelFilename
from variant_index.publish.combine import combine
from variant_index.repack.load import load_rules
from variant_index.repack.plan import Plan, SourceWheel, plan_repack
from variant_index.repack.rules import RuleSet, parse_rules

BUILT_IN = load_rules()
LINUX = "cp312-cp312-manylinux_2_28_x86_64"
ARM = "cp312-cp312-manylinux_2_28_aarch64"


def wheel(path: str, *requires: str, content: str | None = None) -> SourceWheel:
    filename = WheelFilename.parse(path.rpartition("/")[2])
    lines = [f"Name: {filename.distribution}", f"Version: {filename.version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    digest = hashlib.sha256((content or path).encode()).hexdigest()
    folders = tuple(reversed(path.split("/")[:-1]))
    metadata = "\n".join([*lines, "", ""]).encode()
    return SourceWheel(path, folders, filename, metadata, 1, digest, "x.dist-info")


def plan(*sources: SourceWheel | str, rules: Sequence[RuleSet] = BUILT_IN) -> Plan:
    return plan_repack([wheel(one) if isinstance(one, str) else one for one in sources], rules)


def names(decided: Plan) -> dict[str, list[str]]:
    return {one.source.path: [target.name for target in one.targets] for one in decided.planned}


def written_by(decided: Plan) -> list[str]:
    return [name for targets in names(decided).values() for name in targets]


def own_rules(text: str) -> list[RuleSet]:
    return [parse_rules(text.encode(), "r.toml")]


@pytest.mark.parametrize(
    ("source", "target", "properties"),
    [
        (
            f"torch-2.9.0+cu126-{LINUX}.whl",
            f"torch-2.9.0-{LINUX}-cu126.whl",
            "nvidia :: cuda_version_lower_bound :: 12.0",
        ),
        (
            f"torch-2.9.0+rocm6.4-{LINUX}.whl",
            f"torch-2.9.0-{LINUX}-rocm6.4.whl",
            "amd :: rocm_version :: 6.4",
        ),
        (f"torch-2.9.0+xpu-{LINUX}.whl", f"torch-2.9.0-{LINUX}-xpu.whl", "intel :: device_ip :: 20.1.0"),
        (f"torch-2.9.0+cpu-{LINUX}.whl", f"torch-2.9.0-{LINUX}.whl", None),
        (f"torch-2.6.0+cpu.cxx11.abi-{LINUX}.whl", f"torch-2.6.0-{LINUX}.whl", None),
        (f"torch-2.10.0-3-{LINUX}.whl", None, None),
        (
            f"cu130/torch-2.10.0-3-{LINUX}.whl",
            f"torch-2.10.0-3-{LINUX}-cu130.whl",
            "priority :: order :: cu130",
        ),
        (
            f"fbgemm_gpu-1.4.0+rocm6.4.43484.123eb5128-{LINUX}.whl",
            f"fbgemm_gpu-1.4.0-{LINUX}-rocm6.4.whl",
            "priority :: order :: rocm6.4",
        ),
        (
            "cpu/torch-2.10.0-cp312-none-macosx_11_0_arm64.whl",
            "torch-2.10.0-cp312-none-macosx_11_0_arm64.whl",
            None,
        ),
        (
            "cpu/torchvision-0.24.0+864913f-cp312-cp312-win_arm64.whl",
            "torchvision-0.24.0-cp312-cp312-win_arm64.whl",
            None,
        ),
        (
            f"flash_attn-2.8.3+cu12torch2.9cxx11abiTRUE-{LINUX}.whl",
            f"flash_attn-2.8.3+torch2.9-{LINUX}-cu12.whl",
            "nvidia :: cuda_version_lower_bound :: 12.0",
        ),
        (
            f"flash_attn-2.8.3+cu12torch2.6cxx11abiFALSE-{LINUX}.whl",
            f"flash_attn-2.8.3+torch2.6-{LINUX}-cu12.whl",
            "nvidia :: cuda_version_lower_bound :: 12.0",
        ),
        (
            f"flash_attn-2.8.3+rocm71torch2.9cxx11abiTRUE-{LINUX}.whl",
            f"flash_attn-2.8.3+torch2.9-{LINUX}-rocm7.1.whl",
            "amd :: rocm_version :: 7.1",
        ),
        (
            f"detectron2-0.6+fd27788pt2.9.0cu130-{LINUX}.whl",
            f"detectron2-0.6+torch2.9-{LINUX}-cu130.whl",
            "nvidia :: cuda_version_lower_bound :: 13.0",
        ),
        (
            f"torch_scatter-2.1.2+pt212cu130-{LINUX}.whl",
            f"torch_scatter-2.1.2+torch2.12-{LINUX}-cu130.whl",
            "nvidia :: cuda_version_lower_bound :: 13.0",
        ),
        (f"detectron2-0.6+fd27788pt2.9.0cpu-{LINUX}.whl", f"detectron2-0.6+torch2.9-{LINUX}.whl", None),
        (
            f"cupy_cuda12x-13.6.0-{LINUX}.whl",
            f"cupy-13.6.0-{LINUX}-cuda12.whl",
            "nvidia :: cuda_version_lower_bound :: 12.0",
        ),
        (
            f"cupy_cuda118-11.0-{LINUX}.whl",
            f"cupy-11.0-{LINUX}-cuda118.whl",
            "nvidia :: cuda_version_lower_bound :: 11.8",
        ),
        (f"cupy_rocm_5_0-13.0-{LINUX}.whl", f"cupy-13.0-{LINUX}-rocm5.0.whl", "amd :: rocm_version :: 5.0"),
        (
            f"jax_cuda13_plugin-0.8.0-{LINUX}.whl",
            f"jax_gpu_plugin-0.8.0-{LINUX}-cuda13.whl",
            "nvidia :: cuda_version_lower_bound :: 13.0",
        ),
        (
            f"jax_rocm7_pjrt-0.8.0-{LINUX}.whl",
            f"jax_gpu_pjrt-0.8.0-{LINUX}-rocm7.whl",
            "amd :: rocm_version :: 7.1",
        ),
        (
            f"jaxlib-0.4.30+cuda12.cudnn91-{LINUX}.whl",
            f"jaxlib-0.4.30-{LINUX}-cuda12.whl",
            "nvidia :: cuda_version_lower_bound :: 12.0",
        ),
        (f"jaxlib-0.4.30-{LINUX}.whl", f"jaxlib-0.4.30-{LINUX}.whl", None),
    ],
)
def test_the_known_schemes(source: str, target: str | None, properties: str | None) -> None:
    decided = plan(source)
    if target is None:
        (refused,) = decided.refused
        assert "no rule fits" in refused.reason
        return
    ((only,),) = (one.targets for one in decided.planned)
    assert only.name == target
    found = [str(item) for item in only.properties]
    assert properties in found if properties else not found
    assert (only.document is None) == (properties is None)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("cu126/triton-3.5.0-cp312-cp312-manylinux_2_28_x86_64.whl", "is built once for all backends"),
        ("cu126/torchtune-0.6.1-py3-none-any.whl", "holds nothing that was compiled"),
        (f"flash_attn-2.8.3+cu12torch2.9cxx11abiFALSE-{LINUX}.whl", "another C++ ABI"),
        (f"flash_attn-2.8.3+cu12torch2.6cxx11abiTRUE-{LINUX}.whl", "another C++ ABI"),
    ],
)
def test_what_is_passed_over(source: str, reason: str) -> None:
    (left,) = plan(source).left_out
    assert reason in left.reason


def test_each_build_requires_its_torch() -> None:
    source = wheel(f"flash_attn-2.8.3+cu12torch2.9cxx11abiTRUE-{LINUX}.whl", "torch", "einops")
    ((target,),) = (one.targets for one in plan(source).planned)
    assert b"Requires-Dist: torch==2.9.*\n" in target.written["METADATA"]
    assert b"Version: 2.8.3+torch2.9\n" in target.written["METADATA"]
    assert target.changes == ("+ torch==2.9.*",)


def test_renamed_projects_stay_together() -> None:
    source = wheel(f"jax_cuda13_plugin-0.8.0-{LINUX}.whl", "jax-cuda13-pjrt==0.8.0")
    ((target,),) = (one.targets for one in plan(source).planned)
    assert (
        target.written["METADATA"]
        == b"Name: jax-gpu-plugin\nVersion: 0.8.0\nRequires-Dist: jax-gpu-pjrt==0.8.0\n\n"
    )


def test_wheels_of_one_name_in_two_folders_do_not_collide() -> None:
    paths = [f"whl/{folder}/torchvision-0.24.0-{ARM}.whl" for folder in ("cu126", "cu130", "cpu")]
    decided = plan(*paths)
    assert not decided.refused
    assert written_by(decided) == [
        f"torchvision-0.24.0-{ARM}-cu126_aarch64.whl",
        f"torchvision-0.24.0-{ARM}-cu130_aarch64.whl",
        f"torchvision-0.24.0-{ARM}.whl",
    ]


def test_all_wheels_of_a_release_agree() -> None:
    """As `build` demands it; whatever else is repacked in the same run."""
    tags = {"x": LINUX, "arm": ARM, "win": "cp312-cp312-win_amd64"}
    sources = [
        wheel(f"{folder}/torch-2.9.0+{folder}-{tag}.whl")
        for folder, tag in itertools.product(("cu126", "cu130", "rocm6.4", "xpu", "cpu"), tags.values())
    ]
    decided = plan(*sources)
    assert not decided.refused
    documents = [
        (target.name, parse_document(target.document, target.name, strict=True))
        for one in decided.planned
        for target in one.targets
        if target.document is not None
    ]
    combined = combine(documents)
    assert {"cu126", "cu126_aarch64", "rocm6.4"} <= combined.variants.keys()
    assert "110_real" in combined.variants["cu130_aarch64"]["nvidia"]["sm_arch"]
    assert "110_real" not in combined.variants["cu130"]["nvidia"]["sm_arch"]
    alone = plan(sources[0]).planned[0].targets[0].document
    assert alone == decided.planned[0].targets[0].document


def test_the_same_wheel_twice_counts_once() -> None:
    name = f"torch-2.0.1+cpu-{LINUX}.whl"
    decided = plan(wheel(f"cu126/{name}", content="a"), wheel(f"cu130/{name}", content="a"))
    assert list(names(decided)) == [f"cu126/{name}"]
    assert [one.reason for one in decided.left_out] == [f"is the same wheel as cu126/{name}"]


def test_two_builds_for_one_place_are_both_refused() -> None:
    decided = plan(
        f"a/torch-2.9.0+cpu-{LINUX}.whl",
        f"b/torch-2.9.0+cpu.cxx11.abi-{LINUX}.whl",
        f"c/torch-2.9.0+xpu-{LINUX}.whl",
    )
    assert list(names(decided)) == [f"c/torch-2.9.0+xpu-{LINUX}.whl"]
    first, second = decided.refused
    assert first.reason == (
        f"a/torch-2.9.0+cpu-{LINUX}.whl: b/torch-2.9.0+cpu.cxx11.abi-{LINUX}.whl would become "
        f"torch-2.9.0-{LINUX}.whl too; give them other labels"
    )
    assert second.path.startswith("b/")


def test_a_label_with_two_meanings_is_refused() -> None:
    rules = own_rules(
        '[[rule]]\nlocal = "a{cuda}"\nlabel = "x"\n'
        'properties = "nvidia :: cuda_version_lower_bound :: {cuda.version}"'
    )
    decided = plan(
        f"demo-1.0+a126-{LINUX}.whl", f"demo-1.0+a128-{ARM}.whl", f"demo-2.0+a130-{LINUX}.whl", rules=rules
    )
    assert list(names(decided)) == [f"demo-2.0+a130-{LINUX}.whl"]
    assert [one.path for one in decided.refused] == [f"demo-1.0+a126-{LINUX}.whl", f"demo-1.0+a128-{ARM}.whl"]
    assert "label x of demo 1.0 would have other properties in demo-1.0+a128" in decided.refused[0].reason


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ('label = "CU"\nproperties = "nvidia :: sm_arch :: 90_real"', "is not made of 0-9 a-z"),
        ('label = "x"', "the label x has no properties"),
        ('label = "null"\nproperties = "nvidia :: sm_arch :: 90_real"', "the label null is for the variant"),
        ('label = "x"\nproperties = "nvidia"', "is not of the form"),
        ('label = "x"\nproperties = "other :: a :: b"', "namespace other has no provider"),
        ('default = true\nproject = "a b"', "'a_b'|'a b'|not a project name"),
        ('default = true\nkeep-local = "a b"', "is not a version"),
        ('default = true\ndependencies.add = "a b"', "is not a requirement"),
    ],
)
def test_what_a_rule_makes_is_checked(rule: str, problem: str) -> None:
    decided = plan(f"demo-1.0+cu126-{LINUX}.whl", rules=own_rules(f"[[rule]]\n{rule}"))
    (refused,) = decided.refused
    assert refused.reason.startswith(f"demo-1.0+cu126-{LINUX}.whl: ")
    assert refused.reason.endswith("(rule 1 of r.toml)")
    assert any(part in refused.reason for part in problem.split("|")), refused.reason


def test_a_value_that_no_machine_would_choose_is_refused() -> None:
    (refused,) = plan(f"torch-3.0+cu151-{LINUX}.whl").refused
    assert "cu151 is not among the values that [variant.providers.priority] lists for order" in refused.reason


def test_labelled_wheels_are_refused() -> None:
    (refused,) = plan(f"torch-2.9.0-{LINUX}-cu126.whl").refused
    assert "has the label cu126 already" in refused.reason


def test_one_source_may_become_a_variant_and_the_default() -> None:
    rules = own_rules('[[rule]]\nlocal = "cpu"\nlabel = "null"\ndefault = true\nkeep-local = true')
    decided = plan(f"demo-1.0+cpu-{LINUX}.whl", rules=rules)
    assert names(decided) == {
        f"demo-1.0+cpu-{LINUX}.whl": [f"demo-1.0+cpu-{LINUX}-null.whl", f"demo-1.0+cpu-{LINUX}.whl"]
    }


def test_the_first_rule_that_fits_decides_over_all_sets() -> None:
    first = own_rules('[[rule]]\nname = "torch"\nskip = "mine"')
    assert plan(f"torch-2.9.0+cpu-{LINUX}.whl", rules=[*first, *BUILT_IN]).left_out[0].reason == "mine"
    assert plan(f"torch-2.9.0+cpu-{LINUX}.whl", rules=[*BUILT_IN, *first]).planned


@given(
    st.lists(
        st.builds(
            "{}/{}-{}{}-{}.whl".format,
            st.sampled_from(["cu126", "cu130", "x"]),
            st.sampled_from(["torch", "torchvision", "cupy_cuda12x", "jax_cuda13_plugin", "other"]),
            st.sampled_from(["1.0", "2.9.0"]),
            st.sampled_from(["", "+cpu", "+cu126", "+rocm6.4", "+pt2.9cu130", "+cu12torch2.9cxx11abiTRUE"]),
            st.sampled_from([LINUX, ARM, "py3-none-any"]),
        ),
        unique=True,
        max_size=12,
    )
)
def test_every_wheel_is_accounted_for_and_no_two_become_one(paths: list[str]) -> None:
    decided = plan(*paths)
    told = [one.source.path for one in decided.planned]
    told += [left.path for left in decided.left_out] + [refused.path for refused in decided.refused]
    assert sorted(told) == sorted(paths)
    written = written_by(decided)
    assert len(set(written)) == len(written)
    backwards = plan(*reversed(paths))
    assert names(backwards) == names(decided)

"""Variant markers of one requirement: decided, simplified, or refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from variantlib.api import get_variant_environment_dict
from variantlib.models.variant import VariantDescription, VariantProperty
from variantlib.resolver.lib import filter_variants

from tests.variant_index.markers.trees import ENVIRONMENTS, Tree, evaluated, trees, variants, written
from variant_index.markers.expression import MarkerError
from variant_index.markers.requirement import WheelVariant, settle_requirement

CU128 = WheelVariant(
    "cu128",
    frozenset({"nvidia :: cuda :: 12.8", "nvidia :: sm :: 90_real"}),
    frozenset({"nvidia :: cuda", "nvidia :: sm"}),
    frozenset({"nvidia"}),
)
NULL = WheelVariant("null")
PLAIN = WheelVariant()


@pytest.mark.parametrize(
    ("variant", "requirement", "settled"),
    [
        (CU128, "a; 'nvidia' in variant_namespaces", "a"),
        (CU128, "a; 'amd' in variant_namespaces", None),
        (CU128, "a>=1,<2 ; 'nvidia::cuda' in variant_features", "a>=1,<2"),
        (CU128, "a; ' nvidia ::sm::  90_real ' in variant_properties", "a"),
        (CU128, "a; 'nvidia :: sm :: 80_real' not in variant_properties", "a"),
        (CU128, "a[x]; variant_label == 'cu128' and os_name == 'nt'", "a[x] ; os_name == 'nt'"),
        (CU128, "a; os_name=='nt' or variant_label != 'cu128'", "a ; os_name=='nt'"),
        (CU128, "a; os_name=='nt' or variant_label == 'cu128'", "a"),
        (
            CU128,
            "a; (os_name == 'nt' or extra == 'x') and 'nvidia' in variant_namespaces"
            " and python_version > '3'",
            "a ; (os_name == 'nt' or extra == 'x') and python_version > '3'",
        ),
        (
            CU128,
            "a; ((variant_label == 'x' or (os_name == 'nt')) and (extra == 'y' or 'amd' not in"
            " variant_namespaces)) or ((extra == 'z'))",
            "a ; os_name == 'nt' or extra == 'z'",
        ),
        (CU128, "a @ https://e.org/a;b?c=d ; variant_label == 'cu128'", "a @ https://e.org/a;b?c=d"),
        (CU128, "a[x] @https://e.org/a ;variant_label == 'no'", None),
        (NULL, "a; variant_label == 'null'", "a"),
        (NULL, "a; 'nvidia' in variant_namespaces", None),
        # PEP 825: the wheel without a label has an empty one and no properties.
        (PLAIN, "a; variant_label == ''", "a"),
        (PLAIN, "a; variant_label != 'null'", "a"),
        (PLAIN, "a; 'nvidia :: cuda' in variant_features", None),
        # As strings, not as versions.
        (WheelVariant("12.0"), "a; variant_label == '12'", None),
        (CU128, "a; variant_label in 'cu126 cu128'", "a"),
        (CU128, "a; '12' in variant_label", "a"),
    ],
)
def test_examples(variant: WheelVariant, requirement: str, settled: str | None) -> None:
    assert settle_requirement(requirement, variant) == settled


@pytest.mark.parametrize(
    "requirement",
    [
        "variant_label>=1",
        "a; os_name == 'variant_label'",
        "a @ https://e.org/variant_label;b ; os_name  ==  'nt'",
        "a; os_name == 'x' and",
        "a; what & ever == 'variant_label'",
        "a (==1) ; python_version<'3'",
    ],
)
def test_others_stay_as_they_are(requirement: str) -> None:
    assert settle_requirement(requirement, CU128) == requirement


@pytest.mark.parametrize(
    ("requirement", "rule"),
    [
        ("a; variant_label >= 'cu'", "==, !=, in or not in"),
        ("a; variant_label === 'cu128'", "==, !=, in or not in"),
        ("a; variant_label == os_name", "==, !=, in or not in"),
        ("a; variant_label == variant_label", "==, !=, in or not in"),
        ("a; variant_properties == 'a :: b :: c'", "not defined"),
        ("a; variant_properties in 'a :: b :: c'", "not defined"),
        ("a; os_name in variant_namespaces", "not defined"),
        ("a; 'x' in variant_namespace", "not a known variable"),
        ("a; variant_label == 'x", "string without an end"),
        ("a; variant_label == 'x' & os_name == 'nt'", "does not belong there"),
        ("a; variant_label == 'x' os_name", "cannot be read"),
        ("a; (variant_label == 'x'", "ends too early"),
        ("a; variant_label == 'x')", "cannot be read"),
        ("a; variant_label not == 'x'", "cannot be read"),
        ("a; and in variant_label", "cannot be read"),
        ("a; variant_label == 'x' and os_name == '\x1b[2J'", "control characters"),
        ("a; " + "(" * 33 + "variant_label == 'x'" + ")" * 33, "nested more than 32 deep"),
        ("a; variant_label == 'x'" + " or os_name == 'nt'" * 1000, "longer than"),
    ],
)
def test_what_cannot_be_decided_is_refused(requirement: str, rule: str) -> None:
    with pytest.raises(MarkerError) as raised:
        settle_requirement(requirement, CU128)
    assert rule in str(raised.value)
    assert str(raised.value).isprintable()


@given(trees(), variants())
@settings(max_examples=400)
def test_the_rest_means_what_the_whole_meant(tree: Tree, variant: WheelVariant) -> None:
    settled = settle_requirement(f"a ; {written(tree)}", variant)
    marker = None if settled is None else Requirement(settled).marker
    for environment in ENVIRONMENTS:
        rest = settled is not None if marker is None else marker.evaluate(dict(environment))
        assert rest == evaluated(tree, variant, environment)
    if settled is not None and marker is not None:
        assert "variant_label ==" not in settled
        assert settle_requirement(settled, variant) == settled


_NAMES = st.sampled_from(["nvidia", "amd", "x86_64"])
_VALUES = st.sampled_from(["12.8", "13.0", "v3"])
_PROPERTIES = st.builds(VariantProperty, _NAMES, st.sampled_from(["cuda", "level"]), _VALUES)


@given(
    st.lists(_PROPERTIES, min_size=1, max_size=6, unique=True),
    st.lists(_PROPERTIES, max_size=8, unique=True),
)
def test_variantlib_gives_the_same_sets(
    listed: list[VariantProperty], supported: list[VariantProperty]
) -> None:
    nested: dict[str, dict[str, list[str]]] = {}
    for one in listed:
        nested.setdefault(one.namespace, {}).setdefault(one.feature, []).append(one.value)
    placed: dict[str, dict[str, dict[str, int]]] = {}
    for one in supported:
        placed.setdefault(one.namespace, {}).setdefault(one.feature, {})[one.value] = 0
    description = VariantDescription(listed, "some")
    fitting = list(filter_variants([description], supported, filter_values=True))
    if not fitting:
        return  # markers are for wheels that were chosen
    theirs = get_variant_environment_dict(fitting[0])
    ours = WheelVariant.of("some", nested, placed)
    assert ours.properties == theirs["variant_properties"]
    assert ours.features == theirs["variant_features"]
    assert ours.namespaces == theirs["variant_namespaces"]


@given(st.text(alphabet="()'\" ;@abinortvels_=<>!~&\n\\", max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    for requirement in (text, f"a ; variant_label == 'x' {text}"):
        try:
            settled = settle_requirement(requirement, CU128)
        except MarkerError:
            continue
        assert settled is None or isinstance(settled, str)


def test_time_grows_with_the_length_only() -> None:
    start = time.thread_time()
    for piece in ("(", "'", "a ", "not ", "((variant_label", "a@", "[", "= ", "<=="):
        with pytest.raises(MarkerError):
            settle_requirement(f"a ; variant_label == '' or {piece * (16000 // len(piece))}", CU128)
    assert time.thread_time() - start < 20

"""Warnings about releases that are valid but will not do what their publisher expects."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import document
from variant_index.model.document import SCHEMA_URL, parse_document
from variant_index.model.filename import WheelFilename
from variant_index.publish.advice import advise
from variant_index.publish.release import FoundWheel, Release

CU128 = {"nvidia": {"cuda_version_lower_bound": ["12.8"]}}
API = "nvidia_variant_provider.plugin:NvidiaVariantPlugin"


def release(content: object, *filenames: str) -> Release:
    parsed = parse_document(json.dumps(content).encode(), "test")
    wheels = tuple(
        FoundWheel(Path(name), WheelFilename.parse(name), 1, "", b"", None, None) for name in filenames
    )
    return Release(("x", "1"), wheels, (), parsed)


def findings(content: object) -> dict[str, str]:
    """Return code -> message; no test expects a code twice."""
    found = advise(release(content, "x-1-py3-none-any.whl", "x-1-py3-none-any-cu128.whl"))
    assert all(finding.rule.severity == "warning" for finding in found)
    return {finding.code: finding.message for finding in found}


def warnings(content: object) -> tuple[str, ...]:
    return tuple(findings(content).values())


def test_a_complete_release_has_no_warning() -> None:
    assert warnings(document({"cu128": CU128, "null": {}})) == ()
    assert advise(Release(("x", "1"), ())) == ()


def test_no_plain_wheel() -> None:
    content = document({"cu128": CU128})
    (warning,) = advise(release(content, "x-1-py3-none-any-cu128.whl"))
    assert warning.code == "REL101"
    assert warning.message.startswith("x 1: no plain wheel for py3-none-any: ")
    assert "--default-from" in warning.message


@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        ({"requires": ["nvidia-variant-provider>=0.0.2"], "plugin-api": API}, "shuts out 0.0.1"),
        ({"requires": ["nvidia-variant-provider==0.0.2"], "plugin-api": API}, "shuts out 0.0.1"),
        ({"requires": ["nvidia-variant-provider~=1.0"], "plugin-api": API}, "shuts out 0.0.1"),
        ({"requires": ["nvidia-variant-provider"]}, "plugin-api is missing"),
        ({"requires": ["nvidia-variant-provider"], "plugin-api": "x:Y"}, "plugin-api is x:Y"),
        ({"requires": ["torch-variant-provider"], "plugin-api": API}, "names torch-variant-provider"),
        ({"requires": ["nvidia-variant-provider[x]"], "plugin-api": API}, "extras, a marker"),
        ({"requires": ["nvidia-variant-provider; os_name == 'nt'"], "plugin-api": API}, "extras, a marker"),
        ({"requires": ["nvidia-variant-provider", "x"], "plugin-api": API}, "exactly one entry"),
        ({"requires": ["nvidia variant provider"], "plugin-api": API}, "is not a requirement"),
    ],
)
def test_what_takes_uvs_own_provider_out_of_use(provider: object, problem: str) -> None:
    (warning,) = warnings(document({"cu128": CU128}, providers={"nvidia": provider}))
    assert problem in warning
    assert "nvidia-variant-provider>=0.0.1,<1.0.0" in warning
    assert warnings(document({"null": {}}, providers={"nvidia": provider})) == ()


@pytest.mark.parametrize(
    ("namespace", "provider", "code", "what"),
    [
        ("amd", {"requires": ["amd-variant-provider"], "optional": True}, "REL105", "is optional"),
        ("amd", {"builtin": "amd"}, "REL106", "no known installer has a builtin provider for amd"),
        ("amd", {"requires": ["amd-varaint-provider"]}, "REL104", "no published provider we know"),
        ("fpga", {"requires": ["fpga-variant-provider"]}, "REL104", "no published provider we know"),
        ("amd", {"static-properties": {"feature": ["value"]}}, "REL109", "without the hardware"),
    ],
)
def test_a_provider_that_nobody_publishes(namespace: str, provider: object, code: str, what: str) -> None:
    content = document({"cu128": {namespace: {"feature": ["value"]}}}, [namespace], {namespace: provider})
    found = findings(content)
    assert list(found) == [code]
    assert what in found[code]


@pytest.mark.parametrize(
    ("namespace", "meant"),
    [
        ("nvida", "nvidia"),
        ("nvdia", "nvidia"),
        ("x86_46", "x86_64"),
        ("arch64", "aarch64"),
        ("inetl", "intel"),
    ],
)
def test_a_namespace_nearly_known(namespace: str, meant: str) -> None:
    provider = {"requires": ["nvidia-variant-provider"]}
    content = document({"null": {}}, [namespace], {namespace: provider})
    assert findings(content) == {
        "REL108": f"x 1: namespace {namespace} looks like {meant}; no machine has properties of {namespace}"
    }


@pytest.mark.parametrize("namespace", ["rank", "fpga", "armv7", "nv"])
def test_a_namespace_of_its_own(namespace: str) -> None:
    provider = {"static-properties": {"order": ["first"]}}
    assert findings(document({"null": {}}, [namespace], {namespace: provider})) == {}


def test_a_feature_nearly_known() -> None:
    content = document({"cu128": {"nvidia": {"cuda_version_lowerbound": ["12.8"]}}}, ["nvidia"])
    assert "looks like cuda_version_lower_bound" in findings(content)["REL110"]
    assert findings(document({"cu128": {"nvidia": {"driver": ["570"]}}}, ["nvidia"])) == {}


def test_the_schemas_of_wheels() -> None:
    given = release(document({"cu128": CU128}), "x-1-py3-none-any.whl", "x-1-py3-none-any-cu128.whl")

    def codes(schema: str) -> list[str]:
        content = {**document({"cu128": CU128}), "$schema": schema}
        parsed = parse_document(json.dumps(content).encode(), "test")
        wheels = (given.wheels[0], replace(given.wheels[1], document=parsed))
        return [finding.code for finding in advise(replace(given, wheels=wheels))]

    assert codes(SCHEMA_URL) == ["REL112"]
    assert codes("https://variants-schema.wheelnext.dev/v0.0.3.json") == ["REL111", "REL112"]


@pytest.mark.parametrize(
    ("namespace", "provider"),
    [
        ("rank", {"static-properties": {"feature": ["value"]}}),
        ("intel", {"requires": ["Intel_Variant.Provider>=1"]}),
        ("x86_64", {"requires": ["x86-64-variant-provider>=0.0.1,<1"]}),
        ("aarch64", {"requires": ["aarch64-variant-provider>=0.0.1,<1"]}),
    ],
)
def test_providers_that_work(namespace: str, provider: object) -> None:
    content = document({"cu128": {namespace: {"feature": ["value"]}}}, [namespace], {namespace: provider})
    assert warnings(content) == ()


def test_documents_without_providers() -> None:
    content = {
        "$schema": "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json",
        "default-priorities": {"namespace": ["nvidia"]},
        "variants": {"cu128": CU128},
    }
    (warning,) = warnings(content)
    assert "name no providers" in warning
    assert warnings({**content, "variants": {"null": {}}}) == ()


def test_labels_with_equal_properties() -> None:
    (warning,) = warnings(document({"cu128": CU128, "other": CU128}))
    assert "labels cu128, other have the same properties" in warning

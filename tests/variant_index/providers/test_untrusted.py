from __future__ import annotations

import json
import re

import pytest

from tests.making import document
from variant_index.model.document import VariantsDocument, parse_document
from variant_index.model.machine import Fact, MachineProfile
from variant_index.providers.untrusted import answered_by, untrusted_hints


def _document(provider: object, namespace: str = "acme") -> VariantsDocument:
    content = document(
        {"a": {namespace: {"speed": ["fast"]}}, "null": {}}, ["nvidia", namespace], {namespace: provider}
    )
    return parse_document(json.dumps(content).encode(), "x")


PLUGIN = {"requires": ["Acme_Provider>=1.0"], "plugin-api": "acme:P"}


def test_the_provider_is_named_and_nothing_else() -> None:
    (line,) = untrusted_hints("torch", [_document(PLUGIN), _document(PLUGIN)], ())
    assert line == (
        "torch: its variants for acme need the provider acme-provider, which is not trusted; whether to run "
        "it is yours to decide: `variant-index providers trust --help`"
    )


@pytest.mark.parametrize("answered", [{"acme"}, {"acme", "nvidia"}])
def test_nothing_is_said_of_what_is_answered(answered: set[str]) -> None:
    assert untrusted_hints("torch", [_document(PLUGIN)], answered) == ()


def test_nothing_is_said_of_what_needs_no_plugin() -> None:
    static = {"static-properties": {"speed": ["fast"]}}
    assert untrusted_hints("torch", [_document(static)], ()) == ()
    assert untrusted_hints("torch", [_document(PLUGIN, "intel")], ()) == ()
    unused = document({"a": {}}, ["acme"], {"acme": PLUGIN})
    assert untrusted_hints("torch", [parse_document(json.dumps(unused).encode(), "x")], ()) == ()


@pytest.mark.parametrize(
    "requirement",
    [
        "acme @ https://evil.example/acme-1.whl",
        "acme==6.6.6 --hash=sha256:00; rm -rf ~",
        "$(reboot)",
        "`reboot`",
    ],
)
def test_nothing_of_an_index_is_ready_to_be_copied(requirement: str) -> None:
    (line,) = untrusted_hints("torch", [_document({"requires": [requirement]})], ())
    command = line.partition("yours to decide: ")[2]
    assert command == "`variant-index providers trust --help`"
    assert not {"https", "reboot", "rm -rf", "hash"} & set(re.findall(r"https|reboot|rm -rf|hash", line))
    assert line.isprintable()


def test_a_provider_without_hardware_has_answered() -> None:
    profile = MachineProfile(
        properties={"x86_64": {"level": ["v1"]}},
        feature_order={"x86_64": ["level"]},
        facts={"acme": {"provider": Fact(value="acme 1", source="x")}},
    )
    assert answered_by(profile) == {"x86_64", "acme"}

"""Variants for particular versions of other packages, in every published form of their documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from tests.making import document, make_wheel
from tests.variant_index.extensions.test_environment import write_torch
from tests.variant_index.shim.family import cuda_machine
from tests.variant_index.shim.serving import running_shim
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.extensions.environment import Environment
from variant_index.extensions.settings import ExtensionSettings
from variant_index.model.document import parse_document
from variant_index.selection.choice import choose
from variant_index.selection.ordering import priorities

NAME = "vext"
LABELS: dict[str, dict[str, dict[str, list[str]]]] = {
    "pt28": {"abi_dependency": {"torch": ["2.8"]}, "nvidia": {"cuda_version_lower_bound": ["12.6"]}},
    "pt29": {"abi_dependency": {"torch": ["2.9"]}, "nvidia": {"cuda_version_lower_bound": ["12.6"]}},
    "pt290": {"abi_dependency": {"torch": ["2.9.0"]}, "nvidia": {"cuda_version_lower_bound": ["12.6"]}},
    "null": {},
}
SPACES = ("nvidia", "abi_dependency")


def plain(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form of plain PEP 825."""
    return {
        "$schema": "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json",
        "default-priorities": {"namespace": list(SPACES)},
        "variants": labels,
    }


def with_providers(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form with providers."""
    return document(labels, SPACES, {"abi_dependency": {"builtin": "abi_dependency"}})


def pep_817(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return PEP 817's form, where the namespace has no provider."""
    return {
        **document(labels, ("nvidia",)),
        "$schema": "https://variants-schema.wheelnext.dev/v0.0.3.json",
    }


FORMS = [plain, with_providers, pep_817]


def serve(index: FakeIndex, folder: Path, form: Any, labels: Sequence[str] = tuple(LABELS)) -> None:
    paths = [make_wheel(folder, f"{NAME}-1.0-py3-none-any.whl")]
    for label in labels:
        own = form({label: LABELS[label]})
        paths.append(make_wheel(folder, f"{NAME}-1.0-py3-none-any-{label}.whl", variant_json=own))
    sidecar = folder / f"{NAME}-1.0-variants.json"
    sidecar.write_text(json.dumps(form({label: LABELS[label] for label in labels})))
    index.add_project(NAME, [index.add_file(path) for path in [*paths, sidecar]])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("torch", "label"),
    [("2.9.0+cu128", "pt290"), ("2.9.1", "pt29"), ("2.8.2", "pt28"), ("2.10.0", "null"), (None, "null")],
)
def test_the_torch_that_there_is_decides(tmp_path: Path, form: Any, torch: str | None, label: str) -> None:
    stated = {} if torch is None else {"torch": Version(torch)}
    with FakeIndex() as index:
        serve(index, tmp_path, form)
        with running_shim(index.url, extensions=ExtensionSettings(stated=stated)) as shim:
            assert list(shim.ask(f"{NAME}/").files()) == [f"{NAME}-1.0-0_{label}-py3-none-any.whl"]
            assert shim.journal.warnings == ()


def test_what_is_installed_counts_and_what_is_stated_counts_more(tmp_path: Path) -> None:
    folder = tmp_path / "lib" / "site-packages"
    write_torch(folder, "2.8.0+cu128")
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '[\"{folder}\"]'\n")
    python.chmod(0o755)
    environment = Environment(lambda: str(python))
    with FakeIndex() as index:
        serve(index, tmp_path, plain)
        for settings, label in (
            (ExtensionSettings(environment), "pt28"),
            (ExtensionSettings(environment, stated={"torch": Version("2.9.5")}), "pt29"),
        ):
            with running_shim(index.url, extensions=settings) as shim:
                assert list(shim.ask(f"{NAME}/").files()) == [f"{NAME}-1.0-0_{label}-py3-none-any.whl"]


def test_reasons_name_the_package_and_its_version() -> None:
    parsed = parse_document(json.dumps(with_providers(LABELS)).encode(), "x")
    supported = {**cuda_machine("12.8").supported(), "abi_dependency": {"torch": ("2.9.1", "2.9", "2")}}
    from tests.variant_index.shim.family import ANY
    from variant_index.model.filename import WheelFilename

    wheels = [WheelFilename(NAME, "1.0", "", "py3", "none", "any", label) for label in LABELS]
    choice = choose(wheels, parsed, supported, ANY)
    assert choice.selected is not None
    assert "torch 2.9" in choice.selected.reason
    reasons = {one.wheel.label: one.reason for one in choice.candidates}
    assert reasons["pt28"] == "is built for torch 2.8, and there is 2.9.1"
    nothing = choose(wheels, parsed, cuda_machine("12.8").supported(), ANY)
    assert {one.wheel.label: one.reason for one in nothing.candidates}["pt28"] == (
        "is built for torch 2.8, and there is none"
    )


def test_other_builtins_support_nothing() -> None:
    other = document({"a": {"x": {"y": ["1"]}}}, ("x",), {"x": {"builtin": "magic"}})
    parsed = parse_document(json.dumps(other).encode(), "x")
    assert priorities(parsed, {"x": {"y": ("1",)}}) == {}

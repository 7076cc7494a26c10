from __future__ import annotations

import importlib
import pkgutil

import pytest

import torch_variant_provider
import variant_index

_MODULES = sorted(
    module.name
    for package in (torch_variant_provider, variant_index)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", _MODULES)
def test_every_exported_name_exists_and_every_module_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "a module begins with a one-line docstring"
    exported = getattr(module, "__all__", None)
    if exported is None:
        assert hasattr(module, "__path__"), "a module lists its public names in __all__"
        return
    assert len(set(exported)) == len(exported)
    assert [name for name in exported if not hasattr(module, name)] == []

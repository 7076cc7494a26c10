"""The options of uv's installing commands (0.13): which take a value, their short names."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from variant_index.clients.command_line import Syntax, names

__all__ = ["RUN_SYNTAX", "SYNTAX"]

SYNTAX: Final = Syntax(
    valued=names("""
        allow-insecure-host annotation-style bounds branch build-constraints cache-dir cert color config-file
        config-setting config-settings-package constraints custom-compile-command default-index directory
        editable env-file exclude-newer exclude-newer-package excludes extra extra-index-url find-links
        fork-strategy format from group index index-strategy index-url keyring-provider link-mode marker
        no-binary no-binary-package no-build-isolation-package no-build-package no-editable-package
        no-emit-package no-extra no-group no-install-package no-sources-package only-binary only-group
        optional output-file output-format overrides package prefix prerelease prerelease-package project
        python python-platform python-version refresh-package reinstall-package requirements resolution rev
        script tag target torch-backend trusted-host upgrade-group upgrade-package with with-editable
        with-executables-from with-requirements
        """),
    short={
        **{"C": "config-setting", "P": "upgrade-package", "b": "build-constraints", "c": "constraints"},
        **{"e": "editable", "f": "find-links", "h": "help", "i": "index-url", "o": "output-file"},
        **{"p": "python", "q": "quiet", "r": "requirements", "t": "target", "w": "with"},
    },
    taken=frozenset(
        {"index", "default-index", "index-url", "extra-index-url", "find-links", "no-index"}
        | {"config-file", "no-config"}
    ),
)
"""Of `uv pip`, and near enough for the commands that are refused."""

RUN_SYNTAX: Final = replace(SYNTAX, valued=SYNTAX.valued - {"no-binary", "script"})
"""Of `uv run` and `uv tool run`, where the words behind the options belong to another program."""

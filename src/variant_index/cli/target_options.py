"""pip's options for another target than the interpreter: `--platform`, `--python-version` and the like."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.clients.pip.interpreter import Interpreter
    from variant_index.selection.choice import TargetTags

__all__ = ["TargetOptions", "target_options"]

_F = TypeVar("_F", bound=Callable[..., Any])

_PLATFORMS: Final = (
    *("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "manylinux2014_x86_64", "manylinux2014_aarch64"),
    *("musllinux_1_2_x86_64", "macosx_14_0_arm64", "win_amd64", "win_arm64"),
)
_VERSIONS: Final = ("3.10", "3.11", "3.12", "3.13", "3.14")
_IMPLEMENTATIONS: Final = ("cp", "pp", "py")
_EXAMPLES: Final = {"platform": _PLATFORMS[0], "implementation": "cp", "abi": "cp312"}
_PART: Final = re.compile(r"[a-z0-9_.]+", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class TargetOptions:
    """The target as the options say it; empty where they say nothing.

    Attributes:
        platforms: as in the names of wheels, the best first.
        python_version: such as `3.12` or `312`.
        implementation: `cp`, `pp`, ...
        abis: such as `cp312` or `none`.
    """

    platforms: tuple[str, ...] = ()
    python_version: str = ""
    implementation: str = ""
    abis: tuple[str, ...] = ()

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> TargetOptions:
        """Take the options out of a command's arguments.

        Raises:
            InputError: one of them can be in no wheel's name, or the version is none.
        """
        options = cls(
            given.pop("platform"),
            given.pop("python_version") or "",
            given.pop("implementation") or "",
            given.pop("abi"),
        )
        for name, values in (
            ("platform", options.platforms),
            ("implementation", (options.implementation,) if options.implementation else ()),
            ("abi", options.abis),
        ):
            for value in values:
                if not _PART.fullmatch(value):
                    raise InputError(
                        f"--{name} {printable(value)!r} cannot stand in a wheel's name: it is written with"
                        f" letters, digits and _, as {_EXAMPLES[name]}"
                    )
        version = options.python_version
        from variant_index.clients.pip.tags import parse_python_version

        if version and parse_python_version(version) is None:
            raise InputError(
                f"--python-version {printable(version)!r} is no version of Python: write 3.12, 312 or 3.12.1"
            )
        return options

    def __bool__(self) -> bool:
        """Whether the target is another one than the interpreter itself."""
        return self != TargetOptions()

    def tags(self, python: str, own: TargetTags) -> TargetTags:
        """Return the tags of the target: pip's own answer to the same options.

        Args:
            python: the interpreter, which decides what the options leave open.
            own: its own tags and version.

        Raises:
            InterpreterError: there is no pip to ask.
            TargetTagsError: pip does not answer.
        """
        from variant_index.clients.pip.run import pip_command
        from variant_index.clients.pip.tags import parse_python_version, target_tags

        words = [f"--platform={platform}" for platform in self.platforms]
        words += [f"--python-version={self.python_version}"] if self.python_version else []
        words += [f"--implementation={self.implementation}"] if self.implementation else []
        words += [f"--abi={abi}" for abi in self.abis]
        # Nothing else may choose a target, pip's configuration as little as its variables.
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        version = parse_python_version(self.python_version) or own.python_version
        pip = _interpreter_with_pip().executable
        command = pip_command(pip) + ([] if pip == python else ["--python", python])
        return target_tags(command, words, {**variables, "PIP_CONFIG_FILE": os.devnull}, version)


def _interpreter_with_pip() -> Interpreter:
    """Return the interpreter whose pip variant-pip would run, else any: a uv environment has no pip."""
    from variant_index.clients.pip.interpreter import InterpreterError, find_interpreter

    try:
        return find_interpreter(os.environ)
    except InterpreterError as error:
        try:
            return find_interpreter({"PATH": os.environ.get("PATH", os.defpath)})
        except InterpreterError:
            raise error from None


def target_options(command: _F) -> _F:
    """Add the options to a command."""
    for option in (
        _option("--abi", "ABI", "Choose for this ABI (cp312, abi3, none). May be repeated.", multiple=True),
        _option(
            "--implementation",
            "NAME",
            "Choose for this implementation of Python: cp, pp, or py for any.",
            _IMPLEMENTATIONS,
        ),
        _option(
            "--python-version", "VERSION", "Choose for this version of Python: 3.12, 312, 3.12.1.", _VERSIONS
        ),
        _option(
            "--platform",
            "PLATFORM",
            "Choose for this platform instead of the interpreter's own, as pip's option. May be repeated.",
            _PLATFORMS,
            multiple=True,
        ),
    ):
        command = option(command)
    return command


def _option(
    name: str, metavar: str, meaning: str, words: tuple[str, ...] = (), *, multiple: bool = False
) -> Callable[[_F], _F]:
    def complete(
        _context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    return click.option(name, metavar=metavar, multiple=multiple, help=meaning, shell_complete=complete)

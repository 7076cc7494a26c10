"""Asks the interpreter that will install for its compatibility tags and version."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import packaging

from variant_index.errors import InputError, printable
from variant_index.selection.choice import TargetTags

__all__ = ["TargetError", "TargetPython", "ask_target", "marker_environment", "tags_of", "tags_of_version"]

_TIMEOUT_SECONDS: Final = 30
_MAX_TAGS: Final = 20_000

# Runs on Python 3.8 and newer. The target's own pip decides which wheels it accepts, so its copy of
# packaging is asked first. Environments made by uv have no pip: then ours is tried, and for a Python
# too old for it that of the pip that comes with Python.
_SCRIPT: Final = """\
import importlib, json, os, platform, sys

def own():
    return importlib.import_module("pip._vendor.packaging.tags")

def installed():
    return importlib.import_module("packaging.tags")

def brought_along():
    sys.path.insert(0, sys.argv[1])
    return importlib.import_module("packaging.tags")

def bundled():
    import ensurepip, glob, os
    wheels = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl")
    sys.path.insert(0, glob.glob(wheels)[0])
    return own()

for source in own, installed, brought_along, bundled:
    try:
        tags = [str(tag) for tag in source().sys_tags()]
        break
    except Exception as error:
        last = error
        for name in list(sys.modules):
            if name.partition(".")[0] in ("pip", "packaging"):
                del sys.modules[name]
else:
    sys.exit("neither pip nor packaging can be imported: %s" % last)
own_version = sys.implementation.version
suffix = "" if own_version.releaselevel == "final" else own_version.releaselevel[0] + str(own_version.serial)
environment = {
    "implementation_name": sys.implementation.name,
    "implementation_version": "%d.%d.%d" % own_version[:3] + suffix,
    "os_name": os.name,
    "platform_machine": platform.machine(),
    "platform_python_implementation": platform.python_implementation(),
    "platform_release": platform.release(),
    "platform_system": platform.system(),
    "platform_version": platform.version(),
    "python_full_version": platform.python_version(),
    "python_version": "%d.%d" % sys.version_info[:2],
    "sys_platform": sys.platform,
}
json.dump({"environment": environment, "tags": tags}, sys.stdout)
"""


class TargetError(InputError):
    """The target interpreter could not be asked."""


@dataclass(frozen=True)
class TargetPython:
    """What selection needs to know of an interpreter.

    Attributes:
        tags: its compatibility tags and version.
        environment: the values of the variables that requirement markers name (PEP 508), without `extra`.
    """

    tags: TargetTags
    environment: Mapping[str, str]


def ask_target(python: str | Path) -> TargetPython:
    """Run an interpreter once and return what it says of itself.

    Raises:
        TargetError: it cannot be run, takes longer than 30 s, or answers something else.
    """
    shown = printable(str(python))
    own_packaging = str(Path(packaging.__file__).parent.parent)
    # -I keeps PYTHONPATH and the current folder out: a stray packaging.py there must not run.
    command = [str(python), "-I", "-c", _SCRIPT, own_packaging]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_SECONDS, check=True
        )
        answer = json.loads(done.stdout)
        environment = {str(name): str(value) for name, value in answer["environment"].items()}
        version = environment["python_full_version"]
        tags = TargetTags([str(tag) for tag in answer["tags"][:_MAX_TAGS]], version)
    except OSError as error:
        raise TargetError(f"{shown}: cannot be run as Python: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise TargetError(f"{shown}: did not tell its tags in {_TIMEOUT_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise TargetError(f"{shown}: did not tell its tags: {printable(last or 'no message')}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TargetError(f"{shown}: is not a Python interpreter that tells its tags") from None
    return TargetPython(tags, environment)


def tags_of(python: str | Path) -> TargetTags:
    """Return an interpreter's compatibility tags and version; raises as `ask_target` does."""
    if os.path.realpath(python) == os.path.realpath(sys.executable):
        from packaging.tags import sys_tags

        return TargetTags([str(tag) for tag in sys_tags()], platform.python_version())
    return ask_target(python).tags


def marker_environment(python: str | Path) -> Mapping[str, str]:
    """Return the values of marker variables in an interpreter, of this one where it cannot be run."""
    if os.path.realpath(python) != os.path.realpath(sys.executable):
        try:
            return ask_target(python).environment
        except TargetError:
            pass  # who installs is told so
    from packaging.markers import default_environment

    return {name: str(value) for name, value in default_environment().items()}


def tags_of_version(version: str) -> TargetTags:
    """Return the tags of a CPython of another version on this machine's platform; nothing is run.

    Args:
        version: such as `3.12`; its newest release is meant where a project wants one.
    """
    from packaging.tags import compatible_tags, cpython_tags

    number = tuple(int(part) for part in version.split("."))
    interpreter = "cp" + version.replace(".", "")
    tags = [*cpython_tags(number), *compatible_tags(number, interpreter)]
    return TargetTags([str(tag) for tag in tags], f"{version}.99")

"""Asks a trusted provider in a child process, which has a time limit, few variables and its own folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from variant_index.errors import printable
from variant_index.model.machine import MachineProfile
from variant_index.providers import loader_child
from variant_index.providers.answer import MAX_ANSWER_BYTES, parse_answer
from variant_index.providers.child import run_within
from variant_index.providers.environment import environment_python
from variant_index.providers.failure import ProviderFailure
from variant_index.providers.remembered import TrustedProvider

__all__ = ["ask_provider", "ask_providers", "child_variables"]

_GRACE: Final = 2.0
"""Seconds that the child has beyond the limit to end what it started."""

_AT_ONCE: Final = 4
_PASSED: Final = frozenset(
    (
        *("LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH", "TZ"),
        *("COMSPEC", "PATHEXT", "SYSTEMDRIVE", "SYSTEMROOT", "WINDIR"),
    )
)
_FORCES: Final = "_VARIANT_PROVIDER_FORCE_"


def child_variables(environ: Mapping[str, str], scratch: str) -> dict[str, str]:
    """Return the child's variables: what programs and libraries are found by, and what forces facts; pure.

    Logins, tokens and settings of ours and of other tools are none of a provider's business.

    Args:
        environ: those of this process.
        scratch: a folder that stands for the home directory and the one for temporary files.
    """
    passed = {
        name: value for name, value in environ.items() if name.upper() in _PASSED or _FORCES in name.upper()
    }
    return passed | dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TMP", "TEMP"), scratch)


def ask_provider(
    root: Path, provider: TrustedProvider, timeout: float, environ: Mapping[str, str]
) -> MachineProfile:
    """Return what a provider says this machine supports.

    Args:
        root: the folder of all providers.
        provider: whom to ask.
        timeout: seconds that it has.
        environ: the variables of this process.

    Raises:
        ProviderFailure: it crashed, did not answer in time, or its answer breaks a rule.
    """
    python, loader = (environment_python(root, key) for key in (provider.environment, provider.loader))
    if not python.exists() or not loader.exists():
        raise ProviderFailure("its environment or the Python it was made with is gone; trust it again")
    request = json.dumps({"python": str(python), "plugins": provider.namespaces, "seconds": timeout})
    with tempfile.TemporaryDirectory(prefix="variant-provider-", ignore_cleanup_errors=True) as scratch:
        status, output, errors = run_within(
            timeout + _GRACE,
            [str(loader), "-I", "-B", loader_child.__file__, request],
            folder=scratch,
            variables=child_variables(environ, scratch),
            limit=MAX_ANSWER_BYTES + 1,
        )
    if status in (None, loader_child.TIMED_OUT):
        raise ProviderFailure(f"it did not answer in {timeout:g} s")
    if status != 0:
        said = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ProviderFailure(printable(said or f"it ended with status {status}", 300))
    return parse_answer(output, provider)


def ask_providers(
    root: Path, providers: Sequence[TrustedProvider], timeout: float, environ: Mapping[str, str]
) -> list[MachineProfile | ProviderFailure]:
    """Ask several providers side by side; each one's answer or failure, in their order."""
    if not providers:
        return []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(partial(_answer, root, timeout=timeout, environ=environ), providers))


def _answer(
    root: Path, provider: TrustedProvider, timeout: float, environ: Mapping[str, str]
) -> MachineProfile | ProviderFailure:
    try:
        return ask_provider(root, provider, timeout, environ)
    except ProviderFailure as failure:
        return failure
    except OSError as error:
        return ProviderFailure(f"it cannot be run: {error.strerror or error}")

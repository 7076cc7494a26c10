"""The options of pip's installing commands (pip 22.0 to 26.3): which take a value, their short names.

Without them `--target -i` could not be told from `-i`. An option that a newer pip adds counts as a flag.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COMMANDS", "FLAGS", "GENERAL", "SHORT", "VALUED", "resolve"]

COMMANDS: Final = frozenset({"install", "download", "wheel", "index", "lock"})
"""The commands that read indexes; all others need no shim."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GENERAL_VALUED: Final = _names(
    """
    cache-dir cert client-cert default-timeout exists-action keyring-provider local-log log log-file proxy
    python resume-retries retries timeout trusted-host use-deprecated use-feature
    """
)
_GENERAL_FLAGS: Final = _names(
    """
    debug disable-pip-version-check help isolated no-cache-dir no-color no-input no-proxy-env
    no-python-version-warning quiet require-venv require-virtualenv verbose version
    """
)
GENERAL: Final = _GENERAL_VALUED | _GENERAL_FLAGS
"""Long names, without the dashes, of the options that may also stand before the command."""

VALUED: Final = _GENERAL_VALUED | _names(
    """
    abi all-releases build-constraint build-option config-settings constraint dest destination-dir
    destination-directory editable extra-index-url find-links global-option group implementation index-url
    install-option no-binary only-binary only-final output platform prefix progress-bar pypi-url
    python-version refresh-package report requirement requirements-from-script root root-user-action source
    source-dir source-directory src target upgrade-strategy uploaded-prior-to wheel-dir
    """
)
"""Long names of the options that take a value."""

FLAGS: Final = _GENERAL_FLAGS | _names(
    """
    break-system-packages check-build-dependencies compile dry-run force-reinstall ignore-installed
    ignore-requires-python json no-build-isolation no-clean no-compile no-dependencies no-deps no-index
    no-require-hashes no-use-pep517 no-user no-verify no-warn-conflicts no-warn-script-location
    only-dependencies only-deps pre prefer-binary require-hashes upgrade use-pep517 user
    """
)
"""Long names of the options that take none."""

SHORT: Final = {
    "C": "config-settings",
    "I": "ignore-installed",
    "U": "upgrade",
    "V": "version",
    "c": "constraint",
    "d": "dest",
    "e": "editable",
    "f": "find-links",
    "h": "help",
    "i": "index-url",
    "o": "output",
    "q": "quiet",
    "r": "requirement",
    "t": "target",
    "v": "verbose",
    "w": "wheel-dir",
}
"""Letter -> long name."""


def resolve(name: str, *, general: bool = False) -> tuple[str, ...]:
    """Return the long names that `name` can stand for: itself, or those it abbreviates (as optparse does).

    Args:
        name: what stands after `--`, without a value.
        general: only look among the options that may stand before the command.
    """
    known = GENERAL if general else VALUED | FLAGS
    if name in known:
        return (name,)
    return tuple(sorted(option for option in known if option.startswith(name))) if name else ()

"""What variant-pip says once pip has ended: choices, warnings, failures; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from variant_index.errors import printable

if TYPE_CHECKING:
    from variant_index.shim.present import Chosen

__all__ = ["UPSTREAM_FAILED", "exit_status", "report_lines"]

UPSTREAM_FAILED = 3
"""The exit status where pip saw no error although an index or this machine could not be read."""

_LIMIT = 500


def report_lines(
    chosen: Iterable[Chosen],
    warnings: Iterable[str],
    failures: Iterable[str],
    *,
    quiet: bool,
    found_nothing: bool = False,
) -> list[str]:
    """Return the lines for stderr, each once, in order: choices, warnings, errors.

    Args:
        chosen: the choices; left out when `quiet`.
        warnings: one line each.
        failures: likewise.
        quiet: whether only warnings and errors are wanted.
        found_nothing: whether pip has ended with an error, which a failure explains.
    """
    lines = [] if quiet else [printable(str(one), _LIMIT) for one in chosen]
    why = "; this is why pip found nothing" if found_nothing else ""
    lines += [f"warning: {printable(warning, _LIMIT)}" for warning in warnings]
    lines += [f"error: {printable(failure, _LIMIT)}{why}" for failure in failures]
    return list(dict.fromkeys(lines))


def exit_status(status: int, *, failed: bool) -> int:
    """Return pip's status, or `UPSTREAM_FAILED` where pip saw no error although something failed."""
    return UPSTREAM_FAILED if status == 0 and failed else status

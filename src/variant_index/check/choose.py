"""Which findings count: rules chosen by code or prefix, and the exit status of a linter (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from variant_index.errors import InputError, printable
from variant_index.model.rules import RULES, Finding

__all__ = ["RuleChoiceError", "choose", "exit_status", "parse_codes"]


class RuleChoiceError(InputError):
    """No rule has such a code."""


def parse_codes(texts: Iterable[str]) -> tuple[str, ...]:
    """Read codes and prefixes, separated by commas: `WHL3,REL101`.

    Raises:
        RuleChoiceError: no rule's code begins like that.
    """
    codes = [code.strip().upper() for text in texts for code in text.split(",")]
    for code in codes:
        if not code or not any(known.startswith(code) for known in RULES):
            raise RuleChoiceError(
                f"{printable(code)!r} begins no rule's code; variant-index check --list-rules lists them"
            )
    return tuple(codes)


def choose(findings: Iterable[Finding], select: Sequence[str], ignore: Sequence[str]) -> list[Finding]:
    """Return the findings of the rules selected (all when `select` is empty) and not ignored.

    The longest prefix that fits a code decides, so selecting REL101 and ignoring REL leaves REL101.
    """
    return [
        finding
        for finding in findings
        if (_fit(finding.code, select) if select else 0) > _fit(finding.code, ignore)
    ]


def _fit(code: str, prefixes: Sequence[str]) -> int:
    """Return the length of the longest prefix of `code`, -1 for none."""
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)


def exit_status(findings: Iterable[Finding], *, strict: bool) -> int:
    """Return 1 when there is an error, or with `strict` a warning; else 0."""
    counts = ("error", "warning") if strict else ("error",)
    return int(any(finding.rule.severity in counts for finding in findings))

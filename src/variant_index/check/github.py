"""Findings as annotations of GitHub Actions (workflow commands `::error file=...::message`)."""

from __future__ import annotations

from variant_index.errors import printable
from variant_index.model.check_report import CheckReport, FindingReport

__all__ = ["workflow_commands"]

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def workflow_commands(report: CheckReport) -> list[str]:
    """Return one line a finding."""
    return [_annotation(finding) for finding in report.findings]


def _annotation(finding: FindingReport) -> str:
    place = f"file={_property(printable(finding.path, 4096))}," if finding.path else ""
    message = _data(f"{finding.message} ({finding.remedy})")
    return f"::{_COMMANDS[finding.severity]} {place}title={finding.code}::{message}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

"""What `variant-index check --json` prints."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from variant_index.model.rules import Finding, Severity

__all__ = ["CheckReport", "FindingReport", "check_report"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FindingReport(_Strict):
    """One place where a rule is broken.

    Attributes:
        code: the rule's code, which never changes its meaning.
        severity: `error`, `warning` or `note`.
        message: what is wrong, one line that names the file, release or page.
        path: the file or address, null for a release.
        remedy: what to do about it.
    """

    code: str
    severity: Severity
    message: str
    path: str | None
    remedy: str


class CheckReport(_Strict):
    """The outcome of one check.

    Attributes:
        files: how many files were looked at.
        errors: how many findings are errors.
        warnings: how many are warnings.
        findings: what was found, in the order of files and releases.
    """

    files: int
    errors: int
    warnings: int
    findings: list[FindingReport]


def check_report(files: int, findings: Iterable[Finding]) -> CheckReport:
    """Return the report of a check that looked at so many files."""
    reports = [
        FindingReport(
            code=finding.code,
            severity=finding.rule.severity,
            message=finding.message,
            path=finding.path or None,
            remedy=finding.rule.remedy,
        )
        for finding in findings
    ]
    severities = [report.severity for report in reports]
    return CheckReport(
        files=files,
        errors=severities.count("error"),
        warnings=severities.count("warning"),
        findings=reports,
    )

"""What a build says about releases (pure)."""

from __future__ import annotations

from collections.abc import Set

from variant_index.errors import located
from variant_index.model.build_report import RefusalReport, ReleaseReport
from variant_index.model.filename import sidecar_filename
from variant_index.publish.default_wheel import uncovered
from variant_index.publish.listed import listed_keys
from variant_index.publish.plan import release_files
from variant_index.publish.release import Refusal, Release
from variant_index.publish.spelling import same_release
from variant_index.simple_api.page import ProjectPage

__all__ = ["refusal_report", "release_report"]


def release_report(
    release: Release, page: ProjectPage, written: Set[str], default_from: str | None
) -> ReleaseReport:
    """Return what is reported of a release that is published.

    Args:
        release: the release.
        page: its project's page, which lists it.
        written: the paths that this run wrote, of this release and of others.
        default_from: the label that missing plain wheels are made from.
    """
    files = release_files(page, release.key)
    findings = [finding for wheel in release.wheels for finding in wheel.findings]
    if release.document is not None:
        from variant_index.publish.advice import advise

        findings += advise(release)
    warnings = [f"{finding} ({finding.code})" for finding in findings if finding.rule.severity == "warning"]
    if others := [key for key in listed_keys(page) if key != release.key and same_release(key, release.key)]:
        versions = ", ".join(version for _, version in sorted(others))
        warnings.append(f"{release.title}: is {versions} for installers, which is listed too (REL113)")
    if default_from is not None and release.variants and uncovered(release):
        warnings.append(f"{release.title}: no variant {default_from!r} to make its plain wheel from")
    linked = {file.filename for file in page.files if file.provenance is not None}
    if any(file.provenance is not None and file.name not in linked for file in release.files):
        warnings.append(
            f"{release.title}: its provenance objects are not published, because pages name their full "
            "address; say where the index will be with --base-url https://..."
        )
    return ReleaseReport(
        name=release.key[0],
        version=release.key[1],
        files=files,
        changed=[path for path in files if path in written],
        sidecar=sidecar_filename(*release.key) if release.document is not None else None,
        default_wheel=next((wheel.name for wheel in release.plain), None),
        warnings=warnings,
    )


def refusal_report(refusal: Refusal) -> RefusalReport:
    """Return what is reported of something that is not published."""
    name, version = refusal.release if refusal.release is not None else (None, None)
    reason = located(refusal.reason, refusal.path)
    return RefusalReport(name=name, version=version, reason=reason, rule=refusal.rule)

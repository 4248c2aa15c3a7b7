"""Reports of auditors, as pages of the site: RELEASE/AUDITOR/report.json, written anew by us, so that nobody's page runs in a reader's browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.survey import without_place
from teekit_verify.core.errors import TeekitError
from teekit_verify.record.read import load_rebuild
from teekit_verify.record.stated import says_the_same
from teekit_verify.report.html import page
from teekit_verify.report.site import views

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.appraisal.statements.survey import Entry, SurveyedRelease


@dataclass(slots=True)
class Reports:
    """Of one release. `unfit` are (auditor, why its report is not shown)."""

    pages: list[tuple[str, bytes]] = field(default_factory=list)
    auditors: set[str] = field(default_factory=set)
    unfit: list[tuple[str, str]] = field(default_factory=list)


def reports_of(release: SurveyedRelease, folder: Path | None) -> Reports:
    """Those of auditors with a statement of this release, where they say what it says: a report itself is signed by nobody."""
    found = Reports()
    if folder is None:
        return found
    for entry in release.entries:
        if entry.statement is None or entry.owner in found.auditors:
            continue
        path = _path(folder, release.known.name, entry.owner)
        if path is not None:
            _take(found, release.known.name, entry, path)
    return found


def _path(folder: Path, release: str, auditor: str) -> Path | None:
    """None where there is none. Links are not followed: they may lead to any file of this host."""
    path = folder
    for part in (release, auditor, "report.json"):
        path /= part
        if path.is_symlink():
            return None
    return path if path.is_file() else None


def _take(found: Reports, release: str, entry: Entry, path: Path) -> None:
    try:
        report = load_rebuild(path)
    except TeekitError as error:
        found.unfit.append((entry.owner, without_place(error.message, path.parent)))
        return
    if entry.statement is None or not says_the_same(report, entry.statement):
        found.unfit.append((entry.owner, "it says something else than the signed statement"))
        return
    found.auditors.add(entry.owner)
    found.pages.append((views.report_page(release, entry.owner), page.render(report)))

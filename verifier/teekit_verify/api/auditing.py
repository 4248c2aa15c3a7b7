"""Audits: each published release rebuilt, and what came of it signed into a repository of statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.own import Auditor, AuditOutcome, status_of
from teekit_verify.record.audit_log import AuditLog
from teekit_verify.record.auditing import Audited, AuditRequest, Basis, Filing
from teekit_verify.record.auditing import audit as run_audit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from teekit_verify.core.outcome import ExitStatus
    from teekit_verify.record.document import RebuildReport

__all__ = ["AuditLog", "AuditOutcome", "AuditRequest", "Audited", "Auditor", "Basis", "Filing", "audit", "audit_status"]


def audit(request: AuditRequest, page: Callable[[RebuildReport], bytes] | None = None) -> Iterator[Audited]:
    """Rebuild each release that the auditor has not stated anything about, and sign what was found. Uses the network.

    The answers come as soon as they are there. `page` makes the reports' report.html; None leaves it out. What goes wrong with one release is its
    answer's `error`; raises TeekitError where nothing can be audited.
    """
    return run_audit(request, page)


def audit_status(answers: Iterable[Audited]) -> ExitStatus:
    """HOLDS if every release was reproduced; DOES_NOT_HOLD if one is not what was published; else NO_VERDICT. Withdrawn ones play no part."""
    return status_of(answer.outcome for answer in answers)

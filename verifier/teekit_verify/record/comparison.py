"""One run of `compare`, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen
from teekit_verify.documents import fields  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from teekit_verify.appraisal.checklist import Checklist, Conclusion
    from teekit_verify.documents.model import Measurements


@frozen
class ReferenceUsed:
    """The reference file that was compared with: its path as given, what it says it is, and the digest of its bytes."""

    path: str
    release: str
    commit: str | None
    sha256: fields.Sha256


@frozen
class ComparisonReport:
    """One run of `compare` with a file. `claimed`: the measurements are somebody's words, no artifact was examined."""

    reference: ReferenceUsed
    measurements: Measurements
    checklist: Checklist
    conclusion: Conclusion
    tool_version: str
    claimed: bool = False

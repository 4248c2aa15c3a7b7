"""What was found about a statement in a transparency log, in words: nothing reads them back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.reference.signing.log import LogStanding

if TYPE_CHECKING:
    from teekit_verify.reference.signing.log import LogFinding, Witnessed

CELLS = {
    LogStanding.LOGGED: "yes",
    LogStanding.NO_PROOF: "no proof",
    LogStanding.NO_QUORUM: "no quorum",
}
"""What stands in the column; `bad proof` for the others."""
BAD_PROOF = "bad proof"

WHY = {
    LogStanding.LOGGED: "is in the log",
    LogStanding.NO_PROOF: "has no proof beside it",
    LogStanding.UNREADABLE: "is not a Sigsum proof",
    LogStanding.UNKNOWN_LOG: "is of a log that the policy does not name",
    LogStanding.OTHER_SUBMITTER: "was submitted by another key than its auditor's",
    LogStanding.LEAF_SIGNATURE: "is about other bytes than the statement's: the submitter did not sign these",
    LogStanding.TREE_HEAD_SIGNATURE: "has a tree head that the log did not sign",
    LogStanding.NO_QUORUM: "was not seen by enough of the policy's witnesses",
    LogStanding.NOT_INCLUDED: "does not lead to the log's tree head",
}
"""Of a proof, but for the first two."""
_LAST_SECOND = 253_402_300_799
"""Of the year 9999."""


def found_in_log(finding: LogFinding) -> str:
    """One line: where and when a statement was logged, or why it was not."""
    if finding.standing is LogStanding.NO_PROOF:
        return WHY[finding.standing]
    seen = ", ".join(map(_witnessed, finding.witnesses)) or "no witness"
    if finding.standing is LogStanding.LOGGED:
        return f"leaf {finding.index} of {finding.size} in the log {finding.log}, seen by {seen}"
    detail = finding.detail or (f"seen by {seen}" if finding.standing is LogStanding.NO_QUORUM else "")
    return f"its proof {WHY[finding.standing]}" + (f" ({detail})" if detail else "")


def _witnessed(item: Witnessed) -> str:
    if item.timestamp > _LAST_SECOND:
        return item.name
    return f"{item.name} {datetime.fromtimestamp(item.timestamp, UTC):%Y-%m-%dT%H:%M:%SZ}"

"""What must be said beside a verdict where the author of the source also chose the tools, or what they are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.rebuild.vouching import EnvironmentFrom, ReferenceFrom

if TYPE_CHECKING:
    from teekit_verify.record.document import RebuildReport

_FOREIGN_TOOLS = (
    "the environment's lock is not this program's, and its packages are not shown to be Debian's: "
    "whoever wrote the source chose the tools"
)
_OWN_WORD = "the reference is from the same folder as the source: whoever wrote the one wrote the other"


def provenance(report: RebuildReport) -> tuple[str, ...]:
    """In sentences; empty where tools and reference are not the word of the source's author."""
    return (
        *((_FOREIGN_TOOLS,) if report.environment_from is EnvironmentFrom.UNKNOWN else ()),
        *((_OWN_WORD,) if report.reference_from is ReferenceFrom.SOURCE else ()),
    )

"""Whether a report says what its auditor's statement says: nobody signs a report, so it is worth what the statement is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from teekit_verify.appraisal.statements.statement import Statement
    from teekit_verify.record.document import RebuildReport


def says_the_same(report: RebuildReport, statement: Statement) -> bool:
    """Verdict, image, inputs of both builds, the bytes of every artifact, and what they were compared with. What else a report says is its writer's."""
    said = statement.predicate
    used, named = (
        None if one is None else (one.release, one.commit, one.sha256) for one in (report.reference, said.reference)
    )
    stated = {subject.name: subject.digest.sha256 for subject in statement.subject}
    built = {pair.name: pair.a.sha256 for pair in report.artifacts if pair.a is not None}
    return (
        report.verdict is said.verdict
        and (report.image, report.profiles) == (said.image, said.profiles)
        and report.inputs is not None
        and {report.inputs.sha256_a, report.inputs.sha256_b} == {said.inputs_sha256}
        and all(pair.same for pair in report.artifacts)
        and built == stated
        and used == named
    )

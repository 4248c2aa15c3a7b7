"""What a monitor tells: alarms, each a value, and whether a release was reproduced by as many as it should be.

Rules. An alarm outweighs a question that could not be answered. A release counts as reproduced by those who state, in order, that the published
artifacts came out of the published commit and inputs, each once; where keys are trusted by name, only by their owners. Who states something else
about it as well does not count.
Non-rules: whether an alarm was known before, and the order of the alarms.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.contradiction import Claim
from teekit_verify.appraisal.statements.repository import Conflict
from teekit_verify.appraisal.statements.shown import read_shown
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec
from teekit_verify.documents.model import Build
from teekit_verify.reference.signing.dsse import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from teekit_verify.appraisal.statements.repository import CheckedRepository
    from teekit_verify.documents.model import Reference
    from teekit_verify.reference.signing.keys import TrustedKey


class AlarmKind(Enum):
    """AGE_UNKNOWN is no alarm by itself: it says that a question could not be answered."""

    INPUT_LOST = "input_lost"
    INPUTS_UNREADABLE = "inputs_unreadable"
    CONTRADICTION = "contradiction"
    NOT_IN_ORDER = "not_in_order"
    UNREPRODUCED = "unreproduced"
    NOT_LOGGED = "not_logged"
    RELEASE_DAMAGED = "release_damaged"
    AGE_UNKNOWN = "age_unknown"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is not said is empty. `place`: an archive, or the repository of the other statement; `file`: of inputs or of a repository, with its `digest`.

    `what` is the word of the kind's own table: what is wrong with an input, the conflict of a contradiction, the fault of a file. `auditors` are
    those who contradict, or those who did reproduce. `published_on` is a day: that of the release, of NOT_LOGGED that of the statement. `message` is for people.
    """

    kind: AlarmKind
    release: str = ""
    what: str = ""
    place: str = ""
    file: str = ""
    digest: str = ""
    auditors: tuple[str, ...] = ()
    published_on: str = ""
    message: str = ""


def status_of(alarms: Iterable[Alarm]) -> ExitStatus:
    """An alarm outweighs what could not be found out."""
    kinds = {alarm.kind for alarm in alarms}
    if kinds - {AlarmKind.AGE_UNKNOWN}:
        return ExitStatus.DOES_NOT_HOLD
    return ExitStatus.NO_VERDICT if kinds else ExitStatus.HOLDS


def of_repository(checked: CheckedRepository) -> list[Alarm]:
    """What is not in order in a repository of statements, and what contradicts."""
    faults = [
        Alarm(AlarmKind.NOT_IN_ORDER, what=item.fault.value, place=item.elsewhere, file=item.file, message=item.detail)
        for item in checked.faults
    ]
    conflicts = [
        Alarm(AlarmKind.CONTRADICTION, item.release, item.conflict.value, item.elsewhere, auditors=item.auditors)
        for item in checked.contradictions
    ]
    return faults + conflicts


def reproduced_by(
    repository: Path,
    checked: CheckedRepository,
    release: str,
    reference: Reference,
    *,
    trusted: Sequence[TrustedKey] | None,
    on: date,
) -> tuple[str, ...]:
    """Who states, in order, that the published artifacts came out of the published commit and inputs; each once.

    Whoever states something else as well, here or in a repository that this one was held against, is not among them.
    With `trusted` keys, who of their owners does, and under their names; else the keys of the repository will do.
    """
    wanted = Claim.of_build(Build(reference.inputs, reference.artifacts), reference.commit)
    own = (item for item in checked.contradictions if item.conflict is Conflict.OWN_STATEMENTS)
    double = {name for item in own if item.release == release for name in item.auditors}
    found = set()
    for filed in checked.statements:
        if filed.release != release or filed.verdict is not Verdict.REPRODUCED or filed.auditor in double:
            continue
        path = repository / filed.file
        shown = read_shown(filed.file, filed.file, codec.read_bounded(path), trusted, None if trusted is None else on)
        good = trusted is None or shown.standing is Standing.GOOD
        if good and Claim.of(shown.statement) == wanted:
            found.add(filed.auditor if trusted is None else shown.owner)
    return tuple(sorted(found))

"""One artifact, or its measurements, against a published file: the decision of `compare`.

Rules. Of several published values, the ones that match decide, else those that come closest, and all that speaks against those is said.
Values about the measured platforms are asked before any others. Claims speak against a publication by what they say, and for it by
registers alone: that they are of the published file is never a match.
Non-rules: names of files and machine types choose what is compared with what, never the outcome.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from teekit_verify.appraisal.artifacts import as_claims, check_boot_file
from teekit_verify.appraisal.checklist import Checklist, Conclusion, NoneMatches, conclude
from teekit_verify.appraisal.facts import Because, Check, RegisterCheck, StatedCheck, Why
from teekit_verify.appraisal.registers import appraise
from teekit_verify.core.outcome import ExitStatus, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.documents.model import Measurements, ReferenceRegister
    from teekit_verify.reference.published import ReferenceValues

    Compared = tuple[ReferenceValues, Checklist, Conclusion]

_BEST_FIRST = (ExitStatus.HOLDS, ExitStatus.NO_VERDICT, ExitStatus.DOES_NOT_HOLD)


def compare_with_published(
    published: Sequence[ReferenceValues], measurements: Measurements, *, claimed: bool = False
) -> Compared:
    """The values that match, else those that come closest, and what speaks against them.

    `claimed`: the measurements were not made of an artifact's bytes here, somebody says that they are of one. Then the
    registers are compared, and the artifact's digest speaks only against it.

    Values about other platforms than the measured ones are asked only if there are no others.
    """
    candidates = [item for values in published for item in _on_machines(values, measurements)]
    about = [values for values in candidates if values.platforms.keys() & measurements.platforms.keys()]
    compared = [_compare(values, measurements, claimed=claimed) for values in about or candidates]
    values, checklist, conclusion = min(compared, key=_distance)
    if len(published) > 1 and conclusion.status is not ExitStatus.HOLDS:
        nearest = NoneMatches(len(published), values.name)
        conclusion = replace(conclusion, reasons=(nearest, *conclusion.reasons))
    return values, checklist, conclusion


def _on_machines(values: ReferenceValues, measurements: Measurements) -> Sequence[ReferenceValues]:
    """Other formats do not name machine types: what they say of `gcp` is said of `gcp/c3-standard-4` too. Of each kind of
    machine that they are about, one has to match.
    """
    if not values.unmentioned:
        return (values,)
    measured = [
        [name for name in measurements.platforms if name.partition("/")[0] == family] or [family]
        for family in values.platforms
    ]
    return [
        replace(values, platforms=dict(zip(names, values.platforms.values(), strict=True)))
        for names in product(*measured)
    ]


def _compare(values: ReferenceValues, measurements: Measurements, *, claimed: bool) -> Compared:
    checks, unseen = check_boot_file(values.artifacts, measurements.artifact, measurements.disk)
    if claimed:
        checks, said = as_claims(checks)
        unseen = said + unseen
    checks = checks if values.artifacts or not values.unmentioned else ()
    checklist = Checklist(checks, unseen + not_compared(values))
    if values.unmentioned:
        values, never_extended = _without_reset_values(values, measurements)
        checklist += Checklist((), never_extended)
    checklist += appraise(values, measurements, unmentioned=values.unmentioned)
    return values, checklist, conclude(checklist)


def _without_reset_values(
    values: ReferenceValues, measurements: Measurements
) -> tuple[ReferenceValues, tuple[Check, ...]]:
    """An artifact says nothing of registers that nobody extends: such values, of files of other formats, are for evidence."""
    platforms, checks = {}, []
    for platform, registers in values.platforms.items():
        idle = {
            register
            for register, published in registers.items()
            if register not in measurements.platforms.get(platform, registers) and _is_reset_value(published)
        }
        platforms[platform] = {register: item for register, item in registers.items() if register not in idle}
        checks += [
            Check(RegisterCheck(platform, register), Outcome.IGNORED, reason=Because(Why.NEVER_EXTENDED))
            for register in sorted(idle, key=lambda item: item.index)
        ]
    return replace(values, platforms=platforms), tuple(checks)


def _is_reset_value(published: ReferenceRegister) -> bool:
    digests = [digest for value in published.acceptable for digest in value.register.values or ()]
    return bool(digests) and not any(any(digest.value) for digest in digests)


def not_compared(values: ReferenceValues) -> tuple[Check, ...]:
    """What a file of another format says beside registers, for the `ignored` of a checklist."""
    return tuple(
        Check(StatedCheck(name), Outcome.IGNORED, expected=text, reason=Because(Why.NO_REGISTER))
        for name, text in values.not_compared
    )


def _distance(compared: Compared) -> tuple[int, int, int]:
    _, checklist, conclusion = compared
    unclear = checklist.of(Outcome.OPEN, Outcome.NOT_CHECKED, Outcome.ERROR)
    return _BEST_FIRST.index(conclusion.status), len(checklist.of(Outcome.MISMATCH)), len(unclear)

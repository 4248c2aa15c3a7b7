"""Repositories of statements held against each other: an auditor may tell one thing here and another one there.

Rules. The keys say who is the same auditor: anybody can take a name. Only statements that are in order count as said.
Non-rules: which repository is the right one, and which of two statements is true.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.contradiction import Claim
from teekit_verify.appraisal.statements.repository import (
    CheckedRepository,
    Conflict,
    Contradiction,
    LogRule,
    Reading,
    checked,
    read_repository,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Said = set[tuple[Claim, bool]]
"""Claims, and whether each is said to be other than what was published: UNREFERENCED and REPRODUCED agree, as in `contradiction`."""


def check_across(
    folder: Path, earlier: Path | None, others: Sequence[Path], log: LogRule | None = None
) -> CheckedRepository:
    """`check_repository`, and what contradicts between it and each of `others`; what is not in order there is told too.

    Raises TeekitError for a repository that cannot be read.
    """
    here = read_repository(folder)
    found = checked(folder, here, earlier, log)
    faults, contradictions = list(found.faults), list(found.contradictions)
    for other in others:
        there = read_repository(other)
        faults += [replace(fault, elsewhere=str(other)) for fault in there.faults]
        contradictions += between(here, there, str(other))
    return replace(
        found, faults=tuple(faults), contradictions=tuple(contradictions), others=tuple(str(other) for other in others)
    )


def between(here: Reading, there: Reading, elsewhere: str) -> Iterator[Contradiction]:
    """What the one says and the other does not, by release. What contradicts within one of them is that one's to tell.

    Of a release that nobody here says anything of, a mismatch there is told all the same: silence must not look like agreement.
    """
    ours, theirs, same = _by_release(here), _by_release(there), _shared_names(here, there)
    for release, said in sorted(theirs.items()):
        yield from _of_release(release, ours.get(release, {}), said, same, elsewhere)


def _of_release(
    release: str, ours: Mapping[str, Said], theirs: Mapping[str, Said], same: Mapping[str, set[str]], elsewhere: str
) -> Iterator[Contradiction]:
    for auditor, said in sorted(ours.items()):
        for name in sorted(same.get(auditor, set()) & theirs.keys()):
            if said != theirs[name]:
                yield Contradiction(release, Conflict.OWN_STATEMENTS, (auditor,), elsewhere)
        if auditor in theirs and auditor not in same.get(auditor, set()):
            yield Contradiction(release, Conflict.OTHER_KEY, (auditor,), elsewhere)
    hidden = sorted(name for name, said in theirs.items() if _differs(said) and not _differs(ours.get(name, set())))
    if hidden:
        yield Contradiction(release, Conflict.MISMATCH, tuple(hidden), elsewhere)
    claims = [{claim for said in side.values() for claim, _ in said} for side in (ours, theirs)]
    if ours and claims[0] != claims[1]:
        yield Contradiction(release, Conflict.DIFFERENT_RESULTS, tuple(sorted({*ours, *theirs})), elsewhere)


def _differs(said: Said) -> bool:
    return any(mismatch for _, mismatch in said)


def _by_release(reading: Reading) -> dict[str, dict[str, Said]]:
    found: dict[str, dict[str, Said]] = defaultdict(lambda: defaultdict(set))
    for filed, shown in reading.statements:
        found[filed.release][filed.auditor].add((Claim.of(shown.statement), filed.verdict is Verdict.MISMATCH))
    return found


def _shared_names(here: Reading, there: Reading) -> dict[str, set[str]]:
    """The name here -> the names there of whoever has the same key."""
    owners = {key.id: key.owner for key in here.keys}
    shared: dict[str, set[str]] = defaultdict(set)
    for key in there.keys:
        if key.id in owners:
            shared[owners[key.id]].add(key.owner)
    return shared

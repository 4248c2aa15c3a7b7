"""The verdict of a rebuild, decided from facts alone: nothing here builds, reads or prints."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.artifacts import ArtifactPair, difference_in_words
from teekit_verify.appraisal.checklist import Checklist, conclude
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Sequence


class Verdict(Enum):
    """Most damning first."""

    FAILED = "FAILED"
    INPUT_DRIFT = "INPUT_DRIFT"
    NONDETERMINISTIC = "NONDETERMINISTIC"
    MISMATCH = "MISMATCH"
    UNREFERENCED = "UNREFERENCED"
    REPRODUCED = "REPRODUCED"

    @property
    def exit_status(self) -> ExitStatus:
        """The claim is "this is the published image": only REPRODUCED says that it holds."""
        match self:
            case Verdict.REPRODUCED:
                return ExitStatus.HOLDS
            case Verdict.FAILED:
                return ExitStatus.NO_VERDICT
            case Verdict.INPUT_DRIFT | Verdict.NONDETERMINISTIC | Verdict.MISMATCH | Verdict.UNREFERENCED:
                return ExitStatus.DOES_NOT_HOLD

    @property
    def meaning(self) -> str:
        """The verdict in one sentence."""
        return _MEANING[self]


_MEANING = {
    Verdict.FAILED: "there is no result to judge",
    Verdict.INPUT_DRIFT: "the builds did not consume what they should have",
    Verdict.NONDETERMINISTIC: "builds A and B differ",
    Verdict.MISMATCH: "A and B are equal, but not what was published",
    Verdict.UNREFERENCED: "A and B are equal, and there is nothing published to compare them with",
    Verdict.REPRODUCED: "A and B are equal, and what was published",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and everything that speaks against a better one, the decisive reasons first."""

    verdict: Verdict
    reasons: tuple[str, ...]


def decide(
    *,
    drift_from_lock: Sequence[str] = (),
    drift_from_reference: Sequence[str],
    drift_between_builds: Sequence[str],
    artifacts: Sequence[ArtifactPair],
    checklist: Checklist | None,
) -> Decision:
    """The most damning verdict that applies. `checklist` is None when there is no reference, `drift_from_lock` says what was
    built from other packages than the locked ones.

    Fails closed: no artifacts, or a comparison that left something open or compared nothing, is FAILED, unless
    something worse than that is certain.
    """
    if not artifacts:
        return Decision(Verdict.FAILED, ("the builds made no artifacts",))
    findings: list[tuple[Verdict, list[str]]] = [
        (Verdict.INPUT_DRIFT, list(drift_from_lock)),
        (Verdict.INPUT_DRIFT, [f"A and B did not consume the same: {line}" for line in drift_between_builds]),
        (Verdict.INPUT_DRIFT, [f"not the reference's input: {line}" for line in drift_from_reference]),
        (Verdict.NONDETERMINISTIC, [difference_in_words(pair) for pair in artifacts if not pair.same]),
    ]
    if checklist is not None:
        conclusion = conclude(checklist)
        verdict = Verdict.MISMATCH if conclusion.status is ExitStatus.DOES_NOT_HOLD else Verdict.FAILED
        findings.append((verdict, list(conclusion.reasons)))
    certain = [(verdict, lines) for verdict, lines in findings if lines]
    if certain:
        return Decision(certain[0][0], tuple(line for _, lines in certain for line in lines))
    if checklist is None:
        return Decision(Verdict.UNREFERENCED, ("no reference was given",))
    return Decision(Verdict.REPRODUCED, ())

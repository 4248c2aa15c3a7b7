"""The verdict of a rebuild, decided from facts alone: nothing here builds, reads or prints.

Rules: the most damning verdict that is certain wins, in the order of `Verdict`. REPRODUCED needs artifacts that are the same in A and
B, inputs that are those of the reference, and a comparison that compared something and left nothing open.

Non-rules: what the builds printed, how long they took and what explains a difference decide nothing. Build A is not more right
than build B.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.artifacts import ArtifactPair
from teekit_verify.appraisal.checklist import Checklist, ConclusionReason, conclude
from teekit_verify.core.frozen import frozen
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


class DriftFrom(Enum):
    """What build A's inputs were compared with."""

    OTHER_BUILD = "other build"
    REFERENCE = "reference"


@frozen
class Drift:
    """An input that is not the same; `line` names it and both values (`reference.inputs.compare_inputs`)."""

    drifted_from: DriftFrom
    line: str


@frozen
class FromTodaysPackages:
    """Other packages than the locked ones were built from, so A and B are compared with each other only."""

    is_deterministic: bool


class Lack(Enum):
    """What there was not."""

    ARTIFACTS = "artifacts"
    REFERENCE = "reference"


DecisionReason = Drift | FromTodaysPackages | Lack | ArtifactPair | ConclusionReason


@frozen
class Decision:
    """A verdict and everything that speaks against a better one, the decisive reasons first."""

    verdict: Verdict
    reasons: tuple[DecisionReason, ...]


def decide(
    *,
    from_todays_packages: bool = False,
    drift_from_reference: Sequence[str],
    drift_between_builds: Sequence[str],
    artifacts: Sequence[ArtifactPair],
    checklist: Checklist | None,
) -> Decision:
    """The most damning verdict that applies. `checklist` is None when there is no reference; `from_todays_packages`: other
    packages than the locked ones were built from, and whatever else is found says nothing about what was published.

    Fails closed: no artifacts, or a comparison that left something open or compared nothing, is FAILED, unless
    something worse than that is certain.
    """
    if not artifacts:
        return Decision(Verdict.FAILED, (Lack.ARTIFACTS,))
    same = all(pair.same for pair in artifacts)
    findings: list[tuple[Verdict, list[DecisionReason]]] = [
        (Verdict.INPUT_DRIFT, [FromTodaysPackages(is_deterministic=same)] if from_todays_packages else []),
        (Verdict.INPUT_DRIFT, [Drift(DriftFrom.OTHER_BUILD, line) for line in drift_between_builds]),
        (Verdict.INPUT_DRIFT, [Drift(DriftFrom.REFERENCE, line) for line in drift_from_reference]),
        (Verdict.NONDETERMINISTIC, [pair for pair in artifacts if not pair.same]),
    ]
    if checklist is not None:
        conclusion = conclude(checklist)
        verdict = Verdict.MISMATCH if conclusion.status is ExitStatus.DOES_NOT_HOLD else Verdict.FAILED
        findings.append((verdict, list(conclusion.reasons)))
    certain = [(verdict, reasons) for verdict, reasons in findings if reasons]
    if certain:
        return Decision(certain[0][0], tuple(reason for _, reasons in certain for reason in reasons))
    if checklist is None:
        return Decision(Verdict.UNREFERENCED, (Lack.REFERENCE,))
    return Decision(Verdict.REPRODUCED, ())

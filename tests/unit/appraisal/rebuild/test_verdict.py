"""The verdict over every combination of facts. The tables are PRODUCT's list, not the code's conditions."""

from __future__ import annotations

import itertools

import pytest

from builders import documents as sample
from teekit_verify.appraisal.artifacts import ArtifactPair
from teekit_verify.appraisal.checklist import Checklist, Note, conclude
from teekit_verify.appraisal.facts import (
    ArtifactCheck,
    ArtifactPart,
    Because,
    Check,
    RegisterCheck,
    Said,
    Side,
    ValueNotKnown,
    Why,
)
from teekit_verify.appraisal.rebuild.verdict import Verdict, decide
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.registers.registers import pcr
from teekit_verify.wording.checks import reason_lines


def _register(index: int) -> RegisterCheck:
    return RegisterCheck("uefi-vtpm", pcr(index), Algorithm.SHA256)


def _not_known(side: Side) -> Check:
    return Check(_register(5), Outcome.OPEN, reason=ValueNotKnown(side, "no disk"))


MATCH = Check(_register(4), Outcome.MATCH)
MISMATCH = Check(_register(9), Outcome.MISMATCH, "aa", "bb", Said("first difference: ..."))
NOT_CHECKED = Check(_register(5), Outcome.NOT_CHECKED, reason=Because(Why.NOT_MEASURED))
OPEN = _not_known(Side.BOTH)
ERROR = Check(_register(11), Outcome.ERROR, reason=Said("unreadable"))
FILE = Check(ArtifactCheck("a.efi"), Outcome.MATCH)
CLAIM = Check(ArtifactCheck("a.efi", ArtifactPart.CLAIM), Outcome.MATCH)

CHECKLISTS = {
    "no reference": None,
    "empty": Checklist(()),
    "ignored only": Checklist((), (NOT_CHECKED,)),
    "match": Checklist((MATCH,)),
    "match and ignored": Checklist((MATCH,), (NOT_CHECKED,)),
    "match and not checked": Checklist((MATCH, NOT_CHECKED)),
    "match and error": Checklist((MATCH, ERROR)),
    "not checked only": Checklist((NOT_CHECKED,)),
    "match and mismatch": Checklist((MATCH, MISMATCH)),
    "mismatch and not checked": Checklist((NOT_CHECKED, MISMATCH)),
    "mismatch and error": Checklist((ERROR, MISMATCH)),
    "match and open": Checklist((MATCH, OPEN)),
    "file and open": Checklist((FILE, OPEN)),
    "file and half known": Checklist((FILE, MATCH, _not_known(Side.REFERENCE))),
    "claim and open": Checklist((CLAIM, MATCH, OPEN)),
    "mismatch and open": Checklist((FILE, MISMATCH, OPEN)),
}
# What the checklist alone leads to, when inputs and artifacts are beyond doubt.
BY_CHECKLIST = {
    "no reference": Verdict.UNREFERENCED,
    "empty": Verdict.FAILED,
    "ignored only": Verdict.FAILED,
    "match": Verdict.REPRODUCED,
    "match and ignored": Verdict.REPRODUCED,
    "match and not checked": Verdict.FAILED,
    "match and error": Verdict.FAILED,
    "not checked only": Verdict.FAILED,
    "match and mismatch": Verdict.MISMATCH,
    "mismatch and not checked": Verdict.MISMATCH,
    "mismatch and error": Verdict.MISMATCH,
    "match and open": Verdict.FAILED,
    "file and open": Verdict.REPRODUCED,
    "file and half known": Verdict.FAILED,
    "claim and open": Verdict.FAILED,
    "mismatch and open": Verdict.MISMATCH,
}
SAME = ArtifactPair("a", sample.UKI, sample.UKI)
OTHER = ArtifactPair("b", sample.UKI, sample.MANIFEST)
ONLY_A = ArtifactPair("c", sample.UKI, None)
NEITHER = ArtifactPair("d", None, None)
ARTIFACTS = {
    "none": (),
    "same": (SAME,),
    "one differs": (SAME, OTHER),
    "one is missing": (SAME, ONLY_A),
    "neither was made": (SAME, NEITHER),
}
DRIFT = ("package systemd amd64 1 -> 2",)


@pytest.mark.parametrize("checklist", CHECKLISTS)
@pytest.mark.parametrize("artifacts", ARTIFACTS)
@pytest.mark.parametrize(("from_reference", "between"), [((), ()), ((), DRIFT), (DRIFT, ()), (DRIFT, DRIFT)])
def test_verdict_of_every_combination(
    from_reference: tuple[str, ...], between: tuple[str, ...], artifacts: str, checklist: str
) -> None:
    decision = decide(
        drift_from_reference=from_reference,
        drift_between_builds=between,
        artifacts=ARTIFACTS[artifacts],
        checklist=CHECKLISTS[checklist],
    )
    if artifacts == "none":
        expected = Verdict.FAILED
    elif from_reference or between:
        expected = Verdict.INPUT_DRIFT
    elif artifacts != "same":
        expected = Verdict.NONDETERMINISTIC
    else:
        expected = BY_CHECKLIST[checklist]
    assert decision.verdict is expected
    assert bool(decision.reasons) == (expected is not Verdict.REPRODUCED), "whatever is not a pass says why"


def test_only_a_complete_match_passes() -> None:
    passing = [
        names
        for names in itertools.product([(), DRIFT], [(), DRIFT], ARTIFACTS, CHECKLISTS)
        if decide(
            drift_from_reference=names[0],
            drift_between_builds=names[1],
            artifacts=ARTIFACTS[names[2]],
            checklist=CHECKLISTS[names[3]],
        ).verdict.exit_status
        is ExitStatus.HOLDS
    ]
    assert [case[:3] for case in passing] == [((), (), "same")] * 3
    assert [case[3] for case in passing] == ["match", "match and ignored", "file and open"]


def test_every_finding_is_a_reason_the_decisive_first() -> None:
    decision = decide(
        drift_from_reference=("lock file changed",),
        drift_between_builds=DRIFT,
        artifacts=(SAME, OTHER, ONLY_A),
        checklist=CHECKLISTS["mismatch and not checked"],
    )
    assert reason_lines(decision.reasons) == (
        "A and B did not consume the same: package systemd amd64 1 -> 2",
        "not the reference's input: lock file changed",
        "b: 1000 bytes in build A, 20 bytes in build B",
        "c: made by build A only",
        "uefi-vtpm PCR9 sha256: mismatch: first difference: ...",
        "uefi-vtpm PCR5 sha256: not checked: published, but not among the measurements",
    )


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.FAILED, 2),
        (Verdict.INPUT_DRIFT, 1),
        (Verdict.NONDETERMINISTIC, 1),
        (Verdict.MISMATCH, 1),
        (Verdict.UNREFERENCED, 1),
        (Verdict.REPRODUCED, 0),
    ],
)
def test_exit_status_of_each_verdict(verdict: Verdict, status: int) -> None:
    assert verdict.exit_status == status


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("empty", 2),
        ("ignored only", 2),
        ("match", 0),
        ("match and ignored", 0),
        ("match and not checked", 2),
        ("match and error", 2),
        ("not checked only", 2),
        ("match and mismatch", 1),
        ("mismatch and not checked", 1),
        ("mismatch and error", 1),
        ("match and open", 2),
        ("file and open", 0),
        ("file and half known", 2),
        ("claim and open", 2),
        ("mismatch and open", 1),
    ],
)
def test_conclusion_of_a_checklist(name: str, status: int) -> None:
    checklist = CHECKLISTS[name]
    assert checklist is not None
    conclusion = conclude(checklist)
    assert conclusion.status == status
    assert bool(conclusion.reasons) == (status != 0)


def test_nothing_compared_says_so() -> None:
    assert conclude(Checklist(())).reasons == (Note.NOTHING_COMPARED,)


def test_a_checklist_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match="ask for its conclusion"):
        bool(Checklist(()))

"""What a live machine's table says of a question, from the checks that are about it."""

from __future__ import annotations

import pytest

from teekit_verify.appraisal.facts import Check, Fact, FactCheck, GivenCheck, GivenPart
from teekit_verify.core.outcome import Outcome
from teekit_verify.report.guest_steps import Answered, Step

LISTS = tuple(
    Check(FactCheck(fact), Outcome.MATCH, "same", "same") for fact in (Fact.MANIFEST_LIST, Fact.HOSTNAME_LIST)
)


@pytest.mark.parametrize(
    ("outcome", "expected"), [(Outcome.MATCH, Outcome.MATCH), (Outcome.MISMATCH, Outcome.MISMATCH)], ids=str
)
def test_apps_are_as_asked_only_where_they_were_compared(outcome: Outcome, expected: Outcome) -> None:
    app = Check(GivenCheck(GivenPart.APP, 0), outcome, "a" * 64, "a" * 64)
    assert Answered(Step.APPS, (*LISTS, app)).outcome is expected
    assert Answered(Step.APPS, LISTS).outcome is Outcome.NOT_CHECKED

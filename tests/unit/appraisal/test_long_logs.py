"""A guest chooses how long its logs are: what they cost is counted, against platforms, registers and events."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from builders.work import bounded_calls
from teekit_verify.appraisal import replayed
from teekit_verify.appraisal.event_differences import MOST_DIFFERENCES, event_differences, left_out
from teekit_verify.appraisal.facts import Check, Fact, FactCheck
from teekit_verify.appraisal.guest.eventlog import compare_logs
from teekit_verify.appraisal.guest.presented import Presented
from teekit_verify.appraisal.guest.quote import QuoteAppraisal
from teekit_verify.appraisal.guest.registers import appraise_presented
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.eventlog import EventLog, LogKind
from teekit_verify.reference.formats.base import match
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import MRTD, Register, RegisterKind, rtmr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHA384 = Algorithm.SHA384
EVENTS = 3000
AUTHENTIC = QuoteAppraisal((Check(FactCheck(Fact.CHANNEL), Outcome.MATCH),), ())


def _event(register: Register, text: str) -> Event:
    return Event(register, EventType.EV_IPL, (Digest.of(SHA384, text.encode()),), text, data=text.encode())


def _log(events: Sequence[Event]) -> EventLog:
    return EventLog(LogKind.CCEL, (SHA384,), tuple(events), 0)


def _held(events: Sequence[Event]) -> dict[Register, Digest]:
    """As TDG.MR.RTMR.EXTEND does it."""
    values = {rtmr(index): bytes(48) for index in range(4)}
    for event in events:
        values[event.register] = hashlib.sha384(values[event.register] + event.digests[0].value).digest()
    held = {register: Digest(SHA384, value) for register, value in values.items()}
    return {MRTD: Digest(SHA384, b"\5" * 48), **held}


def _counting(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    calls: list[int] = []
    original: Callable[..., object] = getattr(replayed, name)

    def counted(*arguments: object) -> object:
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(replayed, name, counted)
    return calls


def test_a_log_is_replayed_once_whatever_the_reference_has(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [_event(rtmr(number % 4), f"event {number}") for number in range(EVENTS)]
    held = _held(events)
    other = {register: match("x", Digest(SHA384, b"\1" * 48)) for register in held}
    right = {register: match("x", digest) for register, digest in held.items()}
    platforms = {f"other {number}/c3": other for number in range(50)} | {"gcp/c3": right}
    replays, texts = _counting(monkeypatch, "replay"), _counting(monkeypatch, "text_statuses")
    presented = Presented(held, RegisterKind.RTMR, _log(events))
    with bounded_calls(200 * EVENTS):
        found = appraise_presented([ReferenceValues("r", platforms)], presented, AUTHENTIC)
    assert (len(replays), len(texts)) == (1, 1)
    assert (found.conclusion.status, found.platform) == (ExitStatus.HOLDS, "gcp/c3")


def test_two_logs_are_replayed_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [_event(rtmr(number % 4), f"event {number}") for number in range(EVENTS)]
    replays = _counting(monkeypatch, "replay")
    with bounded_calls(200 * EVENTS):
        compared = compare_logs(_log(events[:-1]), _log(events))
    assert len(replays) == 2
    assert [check.outcome for check in compared.checks].count(Outcome.MISMATCH) == 1


@pytest.mark.parametrize(
    ("expected", "found", "differences"),
    [
        ("abc", [f"{number}" for number in range(EVENTS)], EVENTS),
        ("abc", [*(f"{number}" for number in range(EVENTS)), *"abc"], EVENTS),
        ([f"{number}" for number in range(EVENTS)], "abc", EVENTS),
        ("", [f"{number}" for number in range(MOST_DIFFERENCES)], MOST_DIFFERENCES),
        ("", [f"{number}" for number in range(MOST_DIFFERENCES + 1)], MOST_DIFFERENCES + 1),
        ("abc", "aXbc", 1),
        ("abc", "ac", 1),
        ("abXc", "abYc", 1),
        ("abc", "cba", 2),
        ("aab", "ab", 1),
        ("", "", 0),
    ],
)
def test_what_differs_is_listed_in_work_that_grows_with_the_events(
    expected: Sequence[str], found: Sequence[str], differences: int
) -> None:
    sides = [[_event(rtmr(1), text) for text in side] for side in (expected, found)]
    with bounded_calls(40 * EVENTS):
        listed = event_differences("gcp", SHA384, *sides)
    assert len(listed) == min(differences, MOST_DIFFERENCES)
    assert len(listed) + left_out(listed) == differences

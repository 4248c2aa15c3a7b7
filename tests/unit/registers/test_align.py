"""The first divergence of two event sequences, in words."""

from __future__ import annotations

import pytest

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.registers.align import Divergence, DivergenceKind, first_divergence
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import Register, rtmr

SHA384 = Algorithm.SHA384
RTMR1 = rtmr(1)


def event(text: str, register: Register = RTMR1, event_type: int = EventType.EV_IPL, cause: str = "") -> Event:
    digest = Digest.of(SHA384, text.encode())
    return Event(register, event_type, (digest,), text, cause or f"UKI section .{text}")


def compare(predicted: str, observed: str) -> Divergence | None:
    return first_divergence([event(name) for name in predicted], [event(name) for name in observed], RTMR1, SHA384)


def test_equal_sequences() -> None:
    assert compare("abc", "abc") is None


@pytest.mark.parametrize(
    ("predicted", "observed", "kind", "position"),
    [
        ("abc", "abX", DivergenceKind.DIFFERENT, 3),
        ("abc", "Xbc", DivergenceKind.DIFFERENT, 1),
        ("abc", "ab", DivergenceKind.MISSING, 3),
        ("abc", "ac", DivergenceKind.MISSING, 2),
        ("abc", "", DivergenceKind.MISSING, 1),
        ("abc", "abcX", DivergenceKind.EXTRA, 4),
        ("abc", "aXbc", DivergenceKind.EXTRA, 2),
        ("", "a", DivergenceKind.EXTRA, 1),
        ("abc", "acb", DivergenceKind.DIFFERENT, 2),
        ("aab", "ab", DivergenceKind.MISSING, 2),
        ("ab", "aab", DivergenceKind.EXTRA, 2),
    ],
)
def test_kinds(predicted: str, observed: str, kind: DivergenceKind, position: int) -> None:
    divergence = compare(predicted, observed)
    assert divergence is not None
    assert (divergence.kind, divergence.position) == (kind, position)
    assert (divergence.predicted is None) == (kind is DivergenceKind.EXTRA)
    assert (divergence.observed is None) == (kind is DivergenceKind.MISSING)


def test_words_for_a_different_digest_name_the_cause() -> None:
    divergence = compare("abc", "aXc")
    assert divergence is not None
    assert divergence.cause == "UKI section .b"
    assert divergence.in_words() == (
        f"RTMR1 event 2: digest differs for EV_IPL 'b': predicted {Digest.of(SHA384, b'b')}, "
        f"found {Digest.of(SHA384, b'X')} (EV_IPL 'X'); look at: UKI section .b"
    )


def test_words_for_missing_and_extra() -> None:
    missing, extra = compare("abc", "ac"), compare("ac", "aXc")
    assert missing is not None
    assert extra is not None
    assert missing.in_words() == "RTMR1 event 2: missing event EV_IPL 'b', caused by UKI section .b"
    assert extra.in_words() == "RTMR1 event 2: extra event EV_IPL 'X', which was not predicted"
    assert extra.cause == ""


def test_control_characters_are_escaped() -> None:
    divergence = compare("a", "\x1b")
    assert divergence is not None
    assert "\x1b" not in divergence.in_words()


def test_other_registers_and_no_action_are_passed_over() -> None:
    observed = [event("x", event_type=EventType.EV_NO_ACTION), event("y", rtmr(2)), event("a")]
    assert first_divergence([event("a")], observed, RTMR1, SHA384) is None


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(TeekitError, match="neither event log has an event of RTMR1: there is nothing to compare"):
        first_divergence([event("a", rtmr(2))], [], RTMR1, SHA384)


def test_a_bank_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TeekitError, match="RTMR1 event 'a' has no sha256 digest"):
        first_divergence([event("a")], [event("a")], RTMR1, Algorithm.SHA256)

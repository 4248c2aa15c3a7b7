"""Register names and numbers: the tables of UEFI 2.10, 38.4.1."""

from __future__ import annotations

import pytest

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.registers.events import Event, EventType, event_type_name
from teekit_verify.registers.registers import (
    MRTD,
    Register,
    RegisterKind,
    from_cc_mr_index,
    pcr,
    rtmr,
)
from teekit_verify.registers.replay import replay


@pytest.mark.parametrize("name", ["PCR24", "PCR", "PCR01", "RTMR4", "MRTD0", "pcr1", "", "RTMR1\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(TeekitError, match="no such measurement register") as caught:
        Register(name)
    assert caught.value.hint == "Use PCR0..PCR23, MRTD or RTMR0..RTMR3."


def test_kind_index_and_banks() -> None:
    assert (pcr(11).kind, pcr(11).index, str(pcr(11))) == (RegisterKind.PCR, 11, "PCR11")
    assert (MRTD.kind, MRTD.index) == (RegisterKind.MRTD, 0)
    assert rtmr(2).algorithms == (Algorithm.SHA384,)
    assert pcr(4).algorithms == (Algorithm.SHA256, Algorithm.SHA384)


def test_cc_measurement_register_indexes() -> None:
    assert [from_cc_mr_index(index) for index in range(5)] == [MRTD, rtmr(0), rtmr(1), rtmr(2), rtmr(3)]
    with pytest.raises(TeekitError, match="no such measurement register: 'RTMR4'"):
        from_cc_mr_index(5)


def test_names_of_event_types() -> None:
    assert event_type_name(0x80000006) == "EV_EFI_GPT_EVENT"
    assert event_type_name(0x1234) == "0x00001234"


def test_no_action_extends_nothing() -> None:
    """SHA-256 of 64 zero bytes is what one extend of a zero digest leaves."""
    zero = (Digest.zero(Algorithm.SHA256),)
    events = [
        Event(pcr(0), EventType.EV_NO_ACTION, zero, "start"),
        Event(pcr(1), EventType.EV_SEPARATOR, zero, "end"),
    ]
    assert replay(events, Algorithm.SHA256) == {pcr(1): Digest.of(Algorithm.SHA256, bytes(64))}


@pytest.mark.parametrize("name", ["PCR\u0661", "PCR1\u0661", "PCR\u0967", "RTMR\u0661", "PCR\uff11", "PCR1\n"])
def test_digits_are_those_of_ascii(name: str) -> None:
    with pytest.raises(TeekitError, match="no such measurement register"):
        Register(name)

from __future__ import annotations

import dataclasses

import pytest

from builders import eventlog as build
from teekit_verify.appraisal.facts import Because, Why
from teekit_verify.appraisal.guest.eventlog import compare_logs, compare_with_quote, compare_with_values
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.eventlog import EventLog, LogKind, parse_event_log
from teekit_verify.evidence.files import read_log
from teekit_verify.evidence.quote import Quote, read_quote
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import pcr, rtmr
from teekit_verify.wording.checks import detail_of, name_of
from teekit_verify.wording.meanings import differences_words

COS = read_log(build.ASSETS / "gcp-cos113-ccel-data.bin")
COS_QUOTE = read_quote(build.ASSETS / "gcp-cos113-quote.bin")
DSTACK = read_log(build.ASSETS / "dstack-quote-report.json")
DSTACK_QUOTE = read_quote(build.ASSETS / "dstack-quote-report.json")
TPM = read_log(build.ASSETS / "ovmf-swtpm-uki.bin")
OTHER = Event(rtmr(3), 0x77, (Digest(Algorithm.SHA384, b"\1" * 48),), "other")


@pytest.mark.parametrize(("log", "quote"), [(COS, COS_QUOTE), (DSTACK, DSTACK_QUOTE)], ids=["COS", "dstack"])
def test_pairs_of_one_machine(log: EventLog, quote: Quote) -> None:
    comparison = compare_with_quote(log, quote)
    assert comparison.status is ExitStatus.HOLDS
    assert [name_of(check) for check in comparison.checks] == [f"event log RTMR{index}" for index in range(4)]
    assert [check.found for check in comparison.checks] == [value.hex for value in quote.report.rtmrs]
    assert {detail_of(check) for check in comparison.checks} == {""}


def test_pcr_15_is_no_boots_to_log() -> None:
    """The guest extends it with what it is given to run, of which the log of the boot knows nothing; a PCR of the boot it has to know."""
    held = {pcr(15): Digest(Algorithm.SHA256, b"\1" * 32), pcr(12): Digest(Algorithm.SHA256, b"\1" * 32)}
    checks = compare_with_values(TPM, held).checks
    assert [(check.outcome, check.reason) for check in checks] == [
        (Outcome.NOT_CHECKED, Because(Why.LOG_LACKS_REGISTER)),
        (Outcome.MISMATCH, Because(Why.NOT_IN_LOG)),
    ]
    whole = dataclasses.replace(TPM, has_runtime_events=True)
    assert {check.outcome for check in compare_with_values(whole, held).checks} == {Outcome.MISMATCH}


def test_another_machine() -> None:
    comparison = compare_with_quote(COS, DSTACK_QUOTE)
    assert comparison.status is ExitStatus.DOES_NOT_HOLD
    assert [check.outcome for check in comparison.checks] == [*[Outcome.MISMATCH] * 3, Outcome.NOT_CHECKED]
    assert detail_of(comparison.checks[0]) == "the log replays to another value than the quote has"
    assert detail_of(comparison.checks[3]).startswith("not in this log, which does not have everything")


def test_one_event_more_or_less() -> None:
    more = dataclasses.replace(COS, events=(*COS.events, OTHER))
    (check,) = [check for check in compare_with_quote(more, COS_QUOTE).checks if check.outcome is Outcome.MISMATCH]
    assert (name_of(check), check.expected) == ("event log RTMR3", "00" * 48)
    for number, event in enumerate(COS.events):
        less = dataclasses.replace(COS, events=(*COS.events[:number], *COS.events[number + 1 :]))
        wanted = ExitStatus.HOLDS if event.event_type == EventType.EV_NO_ACTION else ExitStatus.DOES_NOT_HOLD
        assert compare_with_quote(less, COS_QUOTE).status is wanted


def test_nothing_to_compare() -> None:
    with pytest.raises(UnsupportedInputError, match="a TPM event log has PCRs, and a TDX quote has RTMRs"):
        compare_with_quote(TPM, COS_QUOTE)
    empty = parse_event_log(build.header(build.SHA384), LogKind.CCEL)
    with pytest.raises(TeekitError, match="extends no RTMR"):
        compare_with_quote(empty, COS_QUOTE)
    with pytest.raises(TeekitError, match="neither event log extends a register"):
        compare_logs(empty, empty)
    with pytest.raises(UnsupportedInputError, match="one is of a TPM, one of a TD"):
        compare_logs(TPM, COS)


def test_equal_logs() -> None:
    comparison = compare_logs(TPM, TPM)
    assert comparison.status is ExitStatus.HOLDS
    assert [name_of(check) for check in comparison.checks][:3] == [
        f"event log {name}" for name in ("PCR0 sha256", "PCR0 sha384", "PCR1 sha256")
    ]
    assert comparison.differences == ()


def test_where_two_boots_part() -> None:
    comparison = compare_logs(COS, DSTACK)
    assert comparison.status is ExitStatus.DOES_NOT_HOLD
    assert differences_words(comparison.differences)[0].startswith(
        "RTMR0 event 1: digest differs for EV_EFI_HANDOFF_TABLES2"
    )
    assert differences_words(comparison.differences)[0].endswith(
        " - the TD HOB differs: another memory size, or firmware with other sections"
    )
    assert differences_words(comparison.differences)[3].startswith(
        "RTMR3 event 1: extra event 0x08000001 'runtime event system-preparing"
    )
    unknown = compare_logs(COS, dataclasses.replace(COS, events=(*COS.events, OTHER)))
    assert differences_words(unknown.differences) == (
        "RTMR3 event 1: extra event 0x00000077 'other', which was not predicted",
    )


def test_pcr_0_started_from_another_locality() -> None:
    """Every event agrees, and yet the register does not: the TPM was started from locality 3 in one boot only."""
    locality = build.record(0, 3, {build.SHA384: bytes(48)}, b"StartupLocality\0\3")
    rest = build.measured(0, 8, b"x", build.SHA384)
    one, two = (parse_event_log(build.header(build.SHA384) + head + rest, LogKind.TPM) for head in (locality, b""))
    (check,) = compare_logs(one, two).checks
    assert (check.outcome, detail_of(check)) == (Outcome.MISMATCH, "they start at other values")

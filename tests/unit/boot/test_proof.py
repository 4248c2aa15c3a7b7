from __future__ import annotations

import json
from dataclasses import replace

import pytest

from builders.fake_machine import RECORDED_LOG, RECORDED_PCRS
from teekit_verify.boot.capture import BootCapture
from teekit_verify.boot.proof import PROVEN, BootProof, compare
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.files import read_log
from teekit_verify.prediction.uki import Prediction
from teekit_verify.registers.events import Event
from teekit_verify.registers.registers import Register, pcr
from teekit_verify.registers.replay import extend
from teekit_verify.wording.boot import bank_check_words

LOG = read_log(RECORDED_LOG)
BANKS = (Algorithm.SHA256, Algorithm.SHA384)
WRONG = tuple(Digest.of(bank, b"wrong") for bank in BANKS)


def _capture(**values: Digest) -> BootCapture:
    """The recorded boot, its PCR values as swtpm gave them; `PCR11=...` says otherwise in one bank."""
    recorded = json.loads(RECORDED_PCRS.read_text())
    pcrs = {
        bank: {Register(name): Digest.from_hex(bank, text) for name, text in recorded[bank.value].items()}
        for bank in BANKS
    }
    for name, digest in values.items():
        pcrs[digest.algorithm][Register(name)] = digest
    return BootCapture(RECORDED_LOG.read_bytes(), LOG, pcrs, "tcg", 12.5)


def _predictions() -> dict[Register, Prediction]:
    """A right prediction: what the recorded log holds, with a cause."""
    return {
        register: Prediction(
            register, tuple(replace(event, cause="UKI") for event in LOG.events if event.register == register)
        )
        for register in PROVEN
    }


def _changed(register: Register, position: int, event: Event | None) -> list[Prediction]:
    """A prediction with one event of a register replaced, or left out."""
    predictions = _predictions()
    events = list(predictions[register].events)
    events[position : position + 1] = [] if event is None else [event]
    predictions[register] = Prediction(register, tuple(events))
    return list(predictions.values())


def test_a_right_prediction_holds() -> None:
    proof = compare(_predictions().values(), _capture())
    assert proof.status is ExitStatus.HOLDS
    assert proof.divergences == ()
    assert [(str(row.register), row.position) for row in proof.events][:5] == [
        ("PCR4", 1),
        ("PCR4", 2),
        ("PCR4", 3),
        ("PCR4", 4),
        ("PCR5", 1),
    ]
    assert len(proof.events) == 4 + 4 + 2 + 12
    assert {check.outcome for row in proof.events for check in row.checks} == {Outcome.MATCH}
    assert {check.outcome for row in proof.registers for check in row.checks} == {Outcome.MATCH}


@pytest.mark.parametrize("bank", [0, 1])
def test_one_wrong_digest_in_one_bank_does_not_hold(bank: int) -> None:
    right = _predictions()[pcr(9)].events[1]
    digests = list(right.digests)
    digests[bank] = WRONG[bank]
    proof = compare(_changed(pcr(9), 1, replace(right, digests=tuple(digests), cause="section .initrd")), _capture())
    assert proof.status is ExitStatus.DOES_NOT_HOLD
    (divergence,) = proof.divergences
    assert divergence.startswith("PCR9 event 2: digest differs for EV_EVENT_TAG")
    assert divergence.endswith("look at: section .initrd")
    wrong = [(str(row.register), row.position) for row in proof.events if row.checks[bank].outcome is Outcome.MISMATCH]
    assert wrong == [("PCR9", 2)]
    assert [row.checks[bank].outcome for row in proof.registers if row.register == pcr(9)] == [Outcome.MISMATCH]


def test_an_event_that_is_only_in_the_log() -> None:
    proof = compare(_changed(pcr(11), 11, None), _capture())
    assert proof.status is ExitStatus.DOES_NOT_HOLD
    assert proof.divergences[0].startswith("PCR11 event 12: extra event")
    assert bank_check_words(proof.events[-1].checks[0]) == "not predicted"


def test_an_event_that_is_only_predicted() -> None:
    predictions = _predictions()
    more = replace(predictions[pcr(4)].events[0], digests=WRONG, cause="UKI section .extra")
    predictions[pcr(4)] = Prediction(pcr(4), (*predictions[pcr(4)].events, more))
    proof = compare(predictions.values(), _capture())
    assert proof.divergences[0].startswith("PCR4 event 5: missing event")
    assert bank_check_words(proof.events[4].checks[1]) == "not in the log"


def test_a_tpm_that_holds_another_value_does_not_hold() -> None:
    proof = compare(_predictions().values(), _capture(PCR4=WRONG[0]))
    assert proof.divergences == ()
    assert proof.status is ExitStatus.DOES_NOT_HOLD


@pytest.mark.parametrize(
    ("words", "detail"),
    [
        (("enter-initrd",), "with systemd's phases enter-initrd on top"),
        (("sysinit", "ready"), "with systemd's phases sysinit, ready on top"),
    ],
)
def test_phases_that_systemd_measured_after_the_log(words: tuple[str, ...], detail: str) -> None:
    value = _capture().pcrs[Algorithm.SHA384][pcr(11)]
    for word in words:
        value = extend(value, Digest.of(Algorithm.SHA384, word.encode()))
    proof = compare(_predictions().values(), _capture(PCR11=value))
    assert proof.status is ExitStatus.HOLDS
    assert [bank_check_words(check) for check in proof.registers[-1].checks] == ["", detail]


def test_anything_else_in_pcr_11_does_not_hold() -> None:
    value = extend(_capture().pcrs[Algorithm.SHA384][pcr(11)], WRONG[1])
    assert compare(_predictions().values(), _capture(PCR11=value)).status is ExitStatus.DOES_NOT_HOLD


def test_a_kernel_that_measures_nothing() -> None:
    """Linux before 6.9: no event predicted, none logged, PCR 9 is zero in the TPM."""
    predictions = _predictions()
    predictions[pcr(9)] = Prediction(pcr(9), ())
    log = replace(LOG, events=tuple(event for event in LOG.events if event.register != pcr(9)))
    capture = replace(_capture(PCR9=Digest.zero(BANKS[0])), log=log)
    assert compare(predictions.values(), capture).status is ExitStatus.DOES_NOT_HOLD
    zero = {bank: {**capture.pcrs[bank], pcr(9): Digest.zero(bank)} for bank in BANKS}
    assert compare(predictions.values(), replace(capture, pcrs=zero)).status is ExitStatus.HOLDS


def test_an_incomplete_prediction_is_no_proof() -> None:
    predictions = _predictions()
    predictions[pcr(5)] = Prediction(pcr(5), (), ("the GPT was not given",))
    with pytest.raises(TeekitError, match="PCR5 cannot be predicted: the GPT was not given"):
        compare(predictions.values(), _capture())


def test_nothing_compared_is_no_proof() -> None:
    with pytest.raises(TeekitError, match="nothing was compared"):
        _ = BootProof((), (), (), "tcg", 1.0).status

"""Compares the predicted events of a UKI with those of a real boot, digest by digest, in both banks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot.artifact import bootable
from teekit_verify.boot.capture import BootCapture, BootOptions, boot_and_capture
from teekit_verify.boot.qemu import memory_for
from teekit_verify.boot.swtpm import BANKS
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import write_named
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.prediction.uki import Prediction, predict_uki
from teekit_verify.registers.align import first_divergence
from teekit_verify.registers.registers import Register, pcr
from teekit_verify.registers.replay import extend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from teekit_verify.core.progress import Progress
    from teekit_verify.registers.events import Event

PROVEN = (pcr(4), pcr(5), pcr(9), pcr(11))
"""The registers that a UKI and its disk decide; the others are the firmware's."""

_OF_FILES = (pcr(12), pcr(13))
"""What lies beside the UKI on its disk."""
_PHASES_PCR = pcr(11)
_PHASES = ("enter-initrd", "leave-initrd", "sysinit", "ready")
"""What systemd-pcrphase(8) measures, in this order; an initrd that is the whole system starts with the third."""


class Absent(Enum):
    """Where an event is not."""

    LOG = "log"
    PREDICTION = "prediction"


@dataclass(frozen=True, slots=True)
class BankCheck:
    """A digest in one bank, in hexadecimal. `phases` are those of systemd that were measured on top of the prediction."""

    bank: Algorithm
    outcome: Outcome
    expected: str
    found: str
    absent: Absent | None = None
    phases: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        raise TypeError("a BankCheck has no truth value: look at its outcome")


@dataclass(frozen=True, slots=True)
class ComparedEvent:
    """One event of a register, counted from 1; one check for each bank."""

    register: Register
    position: int
    description: str
    cause: str
    checks: tuple[BankCheck, ...]


@dataclass(frozen=True, slots=True)
class ComparedRegister:
    """The predicted value and the one the TPM gave; one check for each bank."""

    register: Register
    checks: tuple[BankCheck, ...]


@dataclass(frozen=True, slots=True)
class BootProof:
    """`divergences` says in words where each register and bank first leaves the prediction; empty if none does."""

    events: tuple[ComparedEvent, ...]
    registers: tuple[ComparedRegister, ...]
    divergences: tuple[str, ...]
    accelerator: str
    seconds: float

    @property
    def status(self) -> ExitStatus:
        """HOLDS only if something was compared and no check failed. Raises TeekitError if nothing was compared."""
        checks = [row.checks for row in self.events] + [row.checks for row in self.registers]
        outcomes = [check.outcome for row in checks for check in row]
        if not outcomes:
            raise TeekitError("nothing was compared")
        equal = not self.divergences and all(outcome is Outcome.MATCH for outcome in outcomes)
        return ExitStatus.HOLDS if equal else ExitStatus.DOES_NOT_HOLD


def prove(artifact: Path, options: BootOptions, progress: Progress, *, save_log: Path | None = None) -> BootProof:
    """Predict `artifact` (a UKI or a raw disk), boot it, and compare; `save_log` gets the real log.

    The guest gets at least the memory its UKI needs. Raises TeekitError when one of the three cannot be done.
    """
    with bootable(artifact) as booted:
        with progress.step("predict"), open_uki(booted.uki) as uki:
            predictions = predict_uki(uki, booted.gpt, vtpm=True, companions=booted.companions)
        enough = max(options.memory_bytes, memory_for(booted.uki.stat().st_size))
        capture = boot_and_capture(booted.disk, replace(options, memory_bytes=enough), progress)
    if save_log is not None:
        write_named(save_log, capture.raw)
    return compare(predictions, capture)


def compare(predictions: Iterable[Prediction], capture: BootCapture) -> BootProof:
    """Compare what is predicted of PCR 4, 5, 9 and 11, and of 12 and 13 where something is. Raises TeekitError if one of them is not
    fully predicted. Of alternatives, one has to be what was measured.
    """
    by_register = {prediction.register: _settled(prediction, capture) for prediction in predictions}
    of_files = [register for register in _OF_FILES if register in by_register and by_register[register].events]
    wanted = [by_register[register] for register in (*PROVEN, *of_files)]
    return BootProof(
        events=tuple(row for prediction in wanted for row in _compared_events(prediction, capture)),
        registers=tuple(_compared_register(prediction, capture) for prediction in wanted),
        divergences=tuple(_divergences(wanted, capture)),
        accelerator=capture.accelerator,
        seconds=capture.seconds,
    )


def _settled(prediction: Prediction, capture: BootCapture) -> Prediction:
    """With the alternative that was measured, else the first."""
    if not prediction.alternatives:
        return prediction
    observed = _observed(prediction.register, capture)
    known = [item for item in prediction.alternatives if not item.missing]
    equal = (item for item in known if _digests(item.events) == _digests(observed))
    chosen = next(equal, known[0] if known else None)
    return prediction if chosen is None else Prediction(prediction.register, chosen.events)


def _digests(events: Sequence[Event]) -> list[tuple[str, ...]]:
    return [tuple(event.digest(bank).hex for bank in BANKS) for event in events]


def _compared_events(prediction: Prediction, capture: BootCapture) -> Iterable[ComparedEvent]:
    observed = _observed(prediction.register, capture)
    for position, (want, have) in enumerate(zip_longest(prediction.events, observed), start=1):
        shown = want or have
        checks = tuple(_event_check(bank, want, have) for bank in BANKS)
        yield ComparedEvent(prediction.register, position, shown.description, shown.cause, checks)


def _event_check(bank: Algorithm, want: Event | None, have: Event | None) -> BankCheck:
    expected, found = ("" if event is None else event.digest(bank).hex for event in (want, have))
    outcome = Outcome.MATCH if expected == found else Outcome.MISMATCH
    absent = Absent.LOG if have is None else Absent.PREDICTION if want is None else None
    return BankCheck(bank, outcome, expected, found, absent)


def _compared_register(prediction: Prediction, capture: BootCapture) -> ComparedRegister:
    register = prediction.register
    checks = (_value_check(register, prediction.value(bank), capture.pcrs[bank][register]) for bank in BANKS)
    return ComparedRegister(register, tuple(checks))


def _value_check(register: Register, expected: Digest, found: Digest) -> BankCheck:
    """The TPM is asked a little after boot services ended: systemd may have extended PCR 11 with its first phases."""
    phases: tuple[str, ...] = ()
    if register == _PHASES_PCR and expected != found:
        phases = next((words for words in _runs(_PHASES) if _extended(expected, words) == found), ())
    outcome = Outcome.MATCH if expected == found or phases else Outcome.MISMATCH
    return BankCheck(expected.algorithm, outcome, expected.hex, found.hex, phases=phases)


def _runs(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    return (words[i:j] for i in range(len(words)) for j in range(i + 1, len(words) + 1))


def _extended(value: Digest, words: tuple[str, ...]) -> Digest:
    for word in words:
        value = extend(value, Digest.of(value.algorithm, word.encode()))
    return value


def _divergences(predictions: Sequence[Prediction], capture: BootCapture) -> Iterable[str]:
    for prediction in predictions:
        observed = _observed(prediction.register, capture)
        if not prediction.events and not observed:
            continue  # an old kernel measures nothing to PCR 9: then the TPM's value says so
        for bank in BANKS:
            divergence = first_divergence(prediction.events, observed, prediction.register, bank)
            if divergence is not None:
                yield divergence.in_words()


def _observed(register: Register, capture: BootCapture) -> list[Event]:
    return [event for event in capture.log.events if event.register == register]

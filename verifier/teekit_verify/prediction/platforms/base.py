"""A platform says which measurement registers it has, and for each of them who predicts it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.stub_machine import ANY_MACHINE, StubMachine
from teekit_verify.prediction.uki import Prediction, predict_uki
from teekit_verify.prediction.uki_events import is_of_linux
from teekit_verify.registers.registers import Register, pcr

if TYPE_CHECKING:
    from teekit_verify.artifacts.boot_artifact import BootArtifact
    from teekit_verify.artifacts.companions import Companion


_OF_COMPANIONS = (12, 13)
"""The PCRs of profiles and of files beside the UKI."""
_PCRS = frozenset(pcr(index) for index in (4, 5, 9, 11, *_OF_COMPANIONS))


@frozen
class Subject:
    """What is booted. `image`: the registers as UKI and disk decide them, on a machine that measures into all of them.

    Firmware and machine are to be added here by the rules that need them (MRTD, RTMR0).
    """

    image: Mapping[Register, Prediction]


Rule = Callable[[Register, Subject], Prediction]
"""Predicts one register. What is not known goes into the prediction's `missing`, with the reason."""


@frozen
class Platform:
    """A kind of machine. `rules` has every register it has; `note` is what a reader of the values must know."""

    name: str
    vtpm: bool
    rules: Mapping[Register, Rule]
    note: str = ""

    @property
    def of_image(self) -> frozenset[Register]:
        """The registers of a Subject that `predict` looks at. One with a vTPM has rules that look at several PCRs."""
        return frozenset(self.rules) | (_PCRS if self.vtpm else frozenset())

    def predict(self, subject: Subject) -> tuple[Prediction, ...]:
        """One prediction for each register that machines of this kind have; of PCR 12 and 13 only if something is measured."""
        predicted = tuple(rule(register, subject) for register, rule in self.rules.items())
        beside = (subject.image[pcr(index)] for index in _OF_COMPANIONS) if self.vtpm else ()
        return predicted + tuple(prediction for prediction in beside if prediction.events)

    def is_called(self, name: str) -> bool:
        """`gcp` means `gcp` and `gcp-no-vtpm`."""
        return self.name == name or self.name.startswith(f"{name}-")


def subject_of(
    artifact: BootArtifact,
    *,
    secure_boot: bool = False,
    profile: int = 0,
    companions: Sequence[Companion] = (),
    machine: StubMachine = ANY_MACHINE,
    only: Collection[Register] | None = None,
) -> Subject:
    """Predict what the artifact decides, once for all platforms; with `only`, for no other register is anything hashed. Raises UnsupportedInputError (`measurement.boot`)."""
    predictions = predict_uki(
        artifact.uki,
        artifact.gpt,
        vtpm=False,
        secure_boot=secure_boot,
        profile=profile,
        companions=companions,
        machine=machine,
        only=only,
    )
    return Subject({prediction.register: prediction for prediction in predictions})


def by_image(register: Register, subject: Subject) -> Prediction:
    """UKI and disk decide the register."""
    return subject.image[register]


def by_image_beside_vtpm(register: Register, subject: Subject) -> Prediction:
    """RTMR2 where there is a vTPM: Linux measures command line and initrd into the TPM if there is one, else into the CC
    register (drivers/firmware/efi/libstub/efi-stub-helper.c, efi_measure_tagged_event(): `if (tcg2) ... else if (cc)`).
    """
    events = tuple(event for event in subject.image[register].events if not is_of_linux(event))
    return Prediction(register, events)


def zero(register: Register, _subject: Subject) -> Prediction:
    """Nothing is measured into the register during boot."""
    return Prediction(register, ())


def unknown(reason: str) -> Rule:
    """Nobody predicts the register; `reason` says why, in words."""

    def rule(register: Register, _subject: Subject) -> Prediction:
        return Prediction(register, (), (reason,))

    return rule


def candidate(rule: Rule, reason: str) -> Rule:
    """A prediction that too little evidence supports: its events are known, its value is named but not claimed."""

    def uncertain(register: Register, subject: Subject) -> Prediction:
        prediction = rule(register, subject)
        if prediction.missing:
            return prediction
        values = ", ".join(str(prediction.value(bank)) for bank in register.algorithms)
        return replace(prediction, missing=(f"{reason}; the candidate is {values}",))

    return uncertain

"""Measurements against a reference: what matches, what differs and why, and that nothing passes unchecked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from builders import documents as sample
from teekit_verify.appraisal.checklist import Checklist, conclude
from teekit_verify.appraisal.event_differences import causes
from teekit_verify.appraisal.facts import RegisterCheck, Side, ValueNotKnown
from teekit_verify.appraisal.registers import appraise
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents import model
from teekit_verify.registers.registers import Register, pcr, rtmr
from teekit_verify.wording.checks import detail_of, name_of, reason_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

REFERENCE = sample.reference()
EVIL = sample.complete(
    sample.section_event(".linux"), sample.section_event(".cmdline", "init=/bin/sh"), sample.section_event(".initrd")
)


def _measured(platform: str = "uefi-vtpm", **registers: model.RegisterValue | None) -> model.Measurements:
    """The sample's measurements with some registers changed, or left out (None)."""
    platforms = {name: dict(values) for name, values in sample.measurements().platforms.items()}
    for name, value in registers.items():
        if value is None:
            del platforms[platform][Register(name)]
        else:
            platforms[platform][Register(name)] = value
    return sample.measurements(platforms=platforms)


def _reference(registers: Mapping[Register, model.ReferenceRegister], platform: str = "uefi-vtpm") -> model.Reference:
    platforms = dict(REFERENCE.platforms)
    platforms[platform] = {**platforms[platform], **registers}
    return replace(REFERENCE, platforms=platforms)


def _any_of(**values: model.RegisterValue) -> model.ReferenceRegister:
    return model.ReferenceRegister(
        model.Policy.ANY_OF, "", tuple(model.AcceptableValue(label, value) for label, value in values.items())
    )


def _match(value: model.RegisterValue) -> model.ReferenceRegister:
    return model.ReferenceRegister(model.Policy.MATCH, "", (model.AcceptableValue("rebuild", value),))


def _outcomes(checklist: Checklist) -> dict[str, Outcome]:
    return {name_of(check): check.outcome for check in checklist.checks}


def _of_vtpm(checklist: Checklist) -> Checklist:
    """Without the other platform, one register of which is open."""
    checks = (check for check in checklist.checks if isinstance(check.subject, RegisterCheck))
    kept = tuple(check for check in checks if check.subject.platform == "uefi-vtpm")  # type: ignore[union-attr]
    return replace(checklist, checks=kept)


def _detail(checklist: Checklist, name: str) -> str:
    return next(detail_of(check) for check in checklist.checks if name_of(check) == name)


def test_the_same_measurements_match_in_every_register_and_bank() -> None:
    checklist = appraise(REFERENCE, sample.measurements())
    assert _outcomes(checklist) == {
        "uefi-vtpm PCR4 sha256": Outcome.MATCH,
        "uefi-vtpm PCR4 sha384": Outcome.MATCH,
        "uefi-vtpm PCR11 sha256": Outcome.MATCH,
        "uefi-vtpm PCR11 sha384": Outcome.MATCH,
        "tdx RTMR1 sha384": Outcome.OPEN,
    }
    assert conclude(_of_vtpm(checklist)).status is ExitStatus.HOLDS
    assert checklist.differences == ()


def test_a_register_whose_value_nobody_knows_is_open() -> None:
    """Its known events agree, which is no match; it is counted once, whatever its banks."""
    checklist = appraise(REFERENCE, sample.measurements())
    (check,) = checklist.of(Outcome.OPEN)
    assert check.reason == ValueNotKnown(Side.BOTH, "the GPT of the disk is not known", partly=True)
    assert [(item.platform, item.register) for item in checklist.open_registers] == [("tdx", rtmr(1))]
    assert conclude(checklist).status is ExitStatus.NO_VERDICT


def test_values_are_shown_and_a_partly_known_register_says_that_only_events_were_compared() -> None:
    checks = {name_of(check): check for check in appraise(REFERENCE, sample.measurements()).checks}
    assert checks["uefi-vtpm PCR4 sha256"].expected == sample.PCR4_SHA256
    assert checks["uefi-vtpm PCR4 sha384"].found == sample.PCR4_SHA384
    assert checks["tdx RTMR1 sha384"].found == "2 known events"


def test_a_changed_section_is_named() -> None:
    checklist = appraise(REFERENCE, _measured(PCR11=EVIL))
    assert _outcomes(checklist)["uefi-vtpm PCR11 sha256"] is Outcome.MISMATCH
    assert _outcomes(checklist)["uefi-vtpm PCR11 sha384"] is Outcome.MISMATCH
    # printf 'bytes of .cmdline' | sha256sum; printf 'init=/bin/sh' | sha256sum
    assert _detail(checklist, "uefi-vtpm PCR11 sha256") == (
        "first difference at event 2: section .cmdline (EV_IPL): "
        "expected 62933ce148a49a1a, found 4b9c3ddaf07e747a; look at: UKI section .cmdline"
    )
    first = checklist.differences[0]
    assert (first.platform, first.register, first.bank, first.position) == (
        "uefi-vtpm",
        pcr(11),
        Algorithm.SHA256,
        2,
    )
    assert first.cause == "UKI section .cmdline"
    assert conclude(checklist).status is ExitStatus.DOES_NOT_HOLD


def test_every_changed_section_is_listed_and_parts_come_before_the_whole() -> None:
    uki = model.PredictedEvent(0x80000003, sample.section_event("x").digests, "UKI (Authenticode)", "UKI")
    other_uki = replace(uki, digests=sample.section_event("y").digests)
    reference = _reference({pcr(4): _match(sample.complete(*sample.PCR4.events, uki))})
    pcr11 = sample.complete(
        sample.section_event(".linux", "other kernel"),
        sample.section_event(".cmdline"),
        sample.section_event(".initrd", "x"),
    )
    measured = _measured(PCR4=sample.complete(*sample.PCR4.events, other_uki), PCR11=pcr11)
    differences = appraise(reference, measured).differences
    assert [(str(item.register), item.bank.value, item.position) for item in differences] == [
        ("PCR11", "sha256", 1),
        ("PCR11", "sha256", 3),
        ("PCR11", "sha384", 1),
        ("PCR11", "sha384", 3),
        ("PCR4", "sha256", 3),
        ("PCR4", "sha384", 3),
    ]
    expected = (
        ("UKI section .linux", (("uefi-vtpm", pcr(11)),)),
        ("UKI section .initrd", (("uefi-vtpm", pcr(11)),)),
        ("UKI", (("uefi-vtpm", pcr(4)),)),
    )
    assert causes(differences) == expected
    assert causes(differences[::-1])[-1] == expected[-1], "the whole comes last, wherever it was found"


def test_logs_meet_again_after_an_event_of_one_side_only() -> None:
    value = sample.complete(
        *map(sample.section_event, (".linux", ".ucode", ".cmdline")), sample.section_event(".initrd", "x")
    )
    differences = appraise(REFERENCE, _measured(PCR11=value)).differences
    assert [(item.position, item.cause) for item in differences if item.bank is Algorithm.SHA256] == [
        (2, "UKI section .ucode"),
        (4, "UKI section .initrd"),
    ]
    back = appraise(_reference({pcr(11): _match(value)}), sample.measurements()).differences
    assert [(item.position, item.cause) for item in back if item.bank is Algorithm.SHA256] == [
        (2, "UKI section .ucode"),
        (3, "UKI section .initrd"),
    ]


@pytest.mark.parametrize(
    ("sections", "detail"),
    [
        (
            (".linux", ".cmdline"),
            "first difference at event 3: section .initrd (EV_IPL) is missing; look at: UKI section .initrd",
        ),
        (
            (".linux", ".cmdline", ".initrd", ".sbat"),
            "first difference at event 4: section .sbat (EV_IPL) is not in the reference; look at: UKI section .sbat",
        ),
        (
            (".linux", ".cmdline", ".ucode", ".initrd"),
            (
                "first difference at event 3: section .ucode (EV_IPL) is not in the reference; "
                "look at: UKI section .ucode"
            ),
        ),
    ],
)
def test_missing_and_additional_events_are_named(sections: tuple[str, ...], detail: str) -> None:
    value = sample.complete(*map(sample.section_event, sections))
    assert _detail(appraise(REFERENCE, _measured(PCR11=value)), "uefi-vtpm PCR11 sha256") == detail


def test_a_register_that_was_not_measured_is_shown_and_is_not_a_pass() -> None:
    checklist = appraise(REFERENCE, _measured(PCR4=None))
    assert _outcomes(checklist)["uefi-vtpm PCR4 sha256"] is Outcome.NOT_CHECKED
    assert _outcomes(checklist)["uefi-vtpm PCR4 sha384"] is Outcome.NOT_CHECKED
    assert _detail(checklist, "uefi-vtpm PCR4 sha256") == "published, but not among the measurements"
    assert conclude(checklist).status is ExitStatus.NO_VERDICT


def test_a_platform_that_was_not_measured_is_not_a_pass() -> None:
    only_tdx = sample.measurements(platforms={"tdx": {rtmr(1): sample.RTMR1}})
    checklist = appraise(REFERENCE, only_tdx)
    assert _outcomes(checklist)["tdx RTMR1 sha384"] is Outcome.OPEN
    assert len(checklist.of(Outcome.NOT_CHECKED)) == 4
    assert conclude(checklist).status is ExitStatus.NO_VERDICT


def test_a_measured_register_the_reference_leaves_out_is_not_a_pass() -> None:
    checklist = appraise(REFERENCE, _measured(PCR9=sample.PCR4))
    assert _outcomes(checklist)["uefi-vtpm PCR9"] is Outcome.NOT_CHECKED
    assert _detail(checklist, "uefi-vtpm PCR9") == "measured, but the reference does not mention this register"
    assert conclude(checklist).status is ExitStatus.NO_VERDICT


def test_a_platform_the_reference_does_not_describe_is_shown() -> None:
    reference = replace(REFERENCE, platforms={"uefi-vtpm": REFERENCE.platforms["uefi-vtpm"]})
    checklist = appraise(reference, sample.measurements())
    assert [(name_of(check), detail_of(check)) for check in checklist.ignored] == [
        ("tdx", "the reference says nothing about this platform")
    ]
    assert conclude(checklist).status is ExitStatus.HOLDS


def test_nothing_in_common_is_no_verdict() -> None:
    checklist = appraise(replace(REFERENCE, platforms={}), sample.measurements())
    assert conclude(checklist).status is ExitStatus.NO_VERDICT
    assert reason_lines(conclude(checklist).reasons) == ("registers: not checked: the reference asks for none",)


@pytest.mark.parametrize("measured", [EVIL, None])
def test_an_ignored_register_does_not_decide_and_is_shown(measured: model.RegisterValue | None) -> None:
    ignored = model.ReferenceRegister(model.Policy.IGNORE, "changes with every boot", ())
    checklist = appraise(_reference({pcr(11): ignored}), _measured(PCR11=measured))
    (shown,) = checklist.ignored
    assert (name_of(shown), shown.outcome) == ("uefi-vtpm PCR11", Outcome.IGNORED)
    assert detail_of(shown) == "ignored, as the reference says: changes with every boot"
    assert conclude(_of_vtpm(checklist)).status is ExitStatus.HOLDS


def test_any_of_takes_each_of_its_values() -> None:
    reference = _reference({pcr(11): _any_of(one=sample.PCR11, two=EVIL)})
    for value in (sample.PCR11, EVIL):
        assert conclude(_of_vtpm(appraise(reference, _measured(PCR11=value)))).status is ExitStatus.HOLDS


def test_banks_must_agree_with_the_same_value() -> None:
    """SHA-256 of one acceptable value and SHA-384 of another is neither."""
    assert sample.PCR11.values is not None
    assert EVIL.values is not None
    mixed = model.RegisterValue((sample.PCR11.values[0], EVIL.values[1]), "", ())
    checklist = appraise(_reference({pcr(11): _any_of(one=sample.PCR11, two=EVIL)}), _measured(PCR11=mixed))
    assert conclude(checklist).status is ExitStatus.DOES_NOT_HOLD


def test_the_closest_acceptable_value_is_explained() -> None:
    far = sample.complete(sample.section_event(".linux", "another kernel"))
    checklist = appraise(_reference({pcr(11): _any_of(far=far, near=sample.PCR11)}), _measured(PCR11=EVIL))
    detail = _detail(checklist, "uefi-vtpm PCR11 sha256")
    assert detail.startswith("none of 2 acceptable values; against 'near': first difference at event 2: ")


def test_a_bank_that_was_not_measured_is_not_a_pass() -> None:
    assert sample.PCR4.values is not None
    only_sha384 = model.RegisterValue(sample.PCR4.values[1:], "", tuple(map(sample.only_sha384, sample.PCR4.events)))
    checklist = appraise(REFERENCE, _measured(PCR4=only_sha384))
    assert _outcomes(checklist)["uefi-vtpm PCR4 sha256"] is Outcome.NOT_CHECKED
    assert _outcomes(checklist)["uefi-vtpm PCR4 sha384"] is Outcome.MATCH
    assert _detail(checklist, "uefi-vtpm PCR4 sha256") == "the measurements have no such bank"


@pytest.mark.parametrize("without_log", ["reference", "measurements"])
def test_values_without_a_log_match_or_differ_without_an_explanation(without_log: str) -> None:
    assert sample.PCR11.values is not None
    bare = model.RegisterValue(sample.PCR11.values, "", ())
    same = appraise(_reference({pcr(11): _match(bare)}), sample.measurements())
    assert conclude(_of_vtpm(same)).status is ExitStatus.HOLDS
    expected, found = (bare, EVIL) if without_log == "reference" else (EVIL, bare)
    checklist = appraise(_reference({pcr(11): _match(expected)}), _measured(PCR11=found))
    assert _detail(checklist, "uefi-vtpm PCR11 sha256") == "one side has no event log to explain it"
    assert checklist.differences == ()


GPT = sample.only_sha384(sample.section_event("GPT"))
WITH_GPT = model.RegisterValue(
    sample.complete(sample.ACTION, sample.section_event("GPT"), sample.SEPARATOR).values[1:],  # type: ignore[index]
    "",
    (sample.only_sha384(sample.ACTION), GPT, sample.only_sha384(sample.SEPARATOR)),
)


def test_known_events_alone_do_not_confirm_a_whole_register() -> None:
    """The UKI's events fit what was published for the disk, but the disk's own event was not seen."""
    checklist = appraise(_reference({rtmr(1): _match(WITH_GPT)}, "tdx"), sample.measurements())
    assert _outcomes(checklist)["tdx RTMR1 sha384"] is Outcome.OPEN
    assert _detail(checklist, "tdx RTMR1 sha384") == (
        "the measurements do not know the whole register: the GPT of the disk is not known"
    )


def test_a_reference_that_does_not_know_the_whole_register_confirms_nothing() -> None:
    checklist = appraise(REFERENCE, _measured("tdx", RTMR1=WITH_GPT))
    assert _outcomes(checklist)["tdx RTMR1 sha384"] is Outcome.OPEN
    assert _detail(checklist, "tdx RTMR1 sha384") == (
        "the reference does not know the whole register: the GPT of the disk is not known"
    )


@pytest.mark.parametrize("whole", ["reference", "measurements"])
def test_known_events_can_refute_a_whole_register(whole: str) -> None:
    part = sample.incomplete(sample.ACTION, sample.section_event("UKI", "evil"))
    expected, found = (WITH_GPT, part) if whole == "reference" else (part, WITH_GPT)
    checklist = appraise(_reference({rtmr(1): _match(expected)}, "tdx"), _measured("tdx", RTMR1=found))
    assert _outcomes(checklist)["tdx RTMR1 sha384"] is Outcome.MISMATCH
    who = "the measurements" if whole == "reference" else "the reference"
    assert _detail(checklist, "tdx RTMR1 sha384") == (
        f"section UKI (UKI section UKI) of {who} is not among the events of the other side"
    )


def test_partly_known_registers_differ_by_their_events() -> None:
    changed = sample.incomplete(sample.ACTION, sample.section_event("UKI", "evil"))
    checklist = appraise(REFERENCE, _measured("tdx", RTMR1=changed))
    check = next(check for check in checklist.checks if name_of(check) == "tdx RTMR1 sha384")
    assert check.outcome is Outcome.MISMATCH
    assert detail_of(check).startswith(
        "first difference at event 2: expected separator (EV_SEPARATOR), found section UKI"
    )


def test_a_partly_known_register_without_a_log_confirms_nothing() -> None:
    bare = model.RegisterValue(WITH_GPT.values, "", ())
    checklist = appraise(_reference({rtmr(1): _match(bare)}, "tdx"), sample.measurements())
    assert _outcomes(checklist)["tdx RTMR1 sha384"] is Outcome.OPEN

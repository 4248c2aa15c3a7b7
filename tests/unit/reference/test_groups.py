"""Values that belong together: alternatives become any-of, one group has to match in every register, more can be added."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from builders import documents as sample
from teekit_verify.appraisal.checklist import conclude
from teekit_verify.appraisal.registers import appraise
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents import create, load, model
from teekit_verify.reference.extend import add_values
from teekit_verify.registers.registers import MRTD, Register, rtmr
from teekit_verify.wording.checks import detail_of, name_of

if TYPE_CHECKING:
    from teekit_verify.appraisal.checklist import Checklist

NAME = "gcp/c3-standard-4"


def value(text: str) -> model.RegisterValue:
    return model.RegisterValue((sample.sha384(text),), "", ())


def of(label: str, text: str, *groups: str) -> model.AcceptableValue:
    return model.AcceptableValue(label, value(text), groups)


def alternatives(*values: model.AcceptableValue) -> model.RegisterValue:
    return model.RegisterValue(None, f"depends on the firmware: one of {len(values)} alternatives", (), values)


def measured(mrtd: model.RegisterValue, rtmr0: model.RegisterValue, **more: model.RegisterValue) -> model.Measurements:
    """One machine; RTMR2 is the image's alone."""
    registers: dict[Register, model.RegisterValue] = {MRTD: mrtd, rtmr(0): rtmr0, rtmr(2): value("image")}
    registers |= {Register(name): item for name, item in more.items()}
    return sample.measurements(platforms={NAME: registers})


# Two firmware releases; the machine has one of two sets of ACPI tables with the newer one.
BOTH = measured(
    alternatives(of("old", "mrtd old", "old"), of("new", "mrtd new", "new")),
    alternatives(
        of("old, tables 1", "rtmr0 old 1", "old"),
        of("new, tables 1", "rtmr0 new 1", "new"),
        of("new, tables 2", "rtmr0 new 2", "new"),
    ),
)


def reference(measurements: model.Measurements = BOTH) -> model.Reference:
    return create.create_reference(release="r", commit=None, build=sample.build(), measurements=[measurements])


def appraised(mrtd: str, rtmr0: str, published: model.Reference | None = None) -> Checklist:
    return appraise(published or reference(), measured(value(mrtd), value(rtmr0)))


def test_alternatives_become_any_of_with_their_groups() -> None:
    registers = reference().platforms[NAME]
    assert {str(name): item.policy for name, item in registers.items()} == {
        "MRTD": model.Policy.ANY_OF,
        "RTMR0": model.Policy.ANY_OF,
        "RTMR2": model.Policy.MATCH,
    }
    assert [item.groups for item in registers[rtmr(0)].acceptable] == [("old",), ("new",), ("new",)]
    data = create.dump_reference(reference())
    assert load.parse_reference(data, "ref.json") == reference()


@pytest.mark.parametrize(
    ("mrtd", "rtmr0", "status"),
    [
        ("mrtd old", "rtmr0 old 1", ExitStatus.HOLDS),
        ("mrtd new", "rtmr0 new 1", ExitStatus.HOLDS),
        ("mrtd new", "rtmr0 new 2", ExitStatus.HOLDS),
        ("mrtd old", "rtmr0 new 1", ExitStatus.DOES_NOT_HOLD),
        ("mrtd new", "rtmr0 old 1", ExitStatus.DOES_NOT_HOLD),
        ("mrtd other", "rtmr0 new 1", ExitStatus.DOES_NOT_HOLD),
    ],
)
def test_registers_match_only_together(mrtd: str, rtmr0: str, status: ExitStatus) -> None:
    assert conclude(appraised(mrtd, rtmr0)).status is status


def test_the_closest_group_is_what_is_explained() -> None:
    mixed = appraised("mrtd old", "rtmr0 new 1")
    (check,) = mixed.of(Outcome.MISMATCH)
    assert name_of(check) in {f"{NAME} MRTD sha384", f"{NAME} RTMR0 sha384"}
    assert detail_of(check).startswith("no group of values matches; against 'old': ")
    image = measured(value("mrtd old"), value("rtmr0 old 1"), RTMR2=value("another image"))
    (check,) = appraise(reference(), image).of(Outcome.MISMATCH)
    assert (name_of(check), "group" in detail_of(check)) == (f"{NAME} RTMR2 sha384", False)


def test_a_group_without_a_value_for_a_register_cannot_match() -> None:
    partly = measured(BOTH.platforms[NAME][MRTD], alternatives(of("old, tables 1", "rtmr0 old 1", "old")))
    found = appraised("mrtd new", "rtmr0 old 1", reference(partly))
    assert conclude(found).status is ExitStatus.DOES_NOT_HOLD
    only = measured(value("mrtd new"), value("rtmr0 old 1"))
    registers = {register: item for register, item in reference(partly).platforms[NAME].items() if register != rtmr(0)}
    rest = replace(reference(partly), platforms={NAME: {**registers, rtmr(0): _in_group("new elsewhere")}})
    (check,) = appraise(rest, only).of(Outcome.MISMATCH)[:1]
    assert (name_of(check), detail_of(check)) == (f"{NAME} RTMR0", "the group 'new' has no value for it")


def _in_group(group: str) -> model.ReferenceRegister:
    return model.ReferenceRegister(model.Policy.ANY_OF, "", (of("x", "rtmr0 old 1", group),))


def test_predictions_are_compared_group_by_group_as_well() -> None:
    """What may be old or new matches a reference of either, and none in which they are mixed."""
    assert conclude(appraise(reference(), BOTH)).status is ExitStatus.HOLDS
    plain = reference(measured(value("mrtd new"), value("rtmr0 new 2")))
    assert conclude(appraise(plain, BOTH)).status is ExitStatus.HOLDS
    crossed = reference(measured(value("mrtd old"), value("rtmr0 new 2")))
    assert conclude(appraise(crossed, BOTH)).status is ExitStatus.DOES_NOT_HOLD


def test_alternatives_of_which_nothing_is_known_are_ignored_in_writing() -> None:
    nothing = model.AcceptableValue("gone", model.RegisterValue(None, "depends on the memory", ()), ("new",))
    open_one = measured(alternatives(of("old", "mrtd old", "old"), nothing), value("rtmr0"))
    register = reference(open_one).platforms[NAME][MRTD]
    assert (register.policy, register.acceptable) == (model.Policy.IGNORE, ())
    assert register.reason == "depends on the firmware: one of 2 alternatives, not all of them known"


# Adding values.


def test_added_values_belong_together() -> None:
    """A reference of one machine, to which the next firmware is added, and then one that only changes MRTD."""
    first = reference(measured(value("mrtd 1"), value("rtmr0 1")))
    second = add_values(first, measured(value("mrtd 2"), value("rtmr0 2")), "firmware 2")
    third = add_values(second, measured(value("mrtd 3"), value("rtmr0 2")), "firmware 3")
    pairs = [(f"mrtd {mrtd}", f"rtmr0 {rtmr0}") for mrtd in "123" for rtmr0 in "12"]
    held = [pair for pair in pairs if conclude(appraised(pair[0], pair[1], third)).status is ExitStatus.HOLDS]
    assert held == [("mrtd 1", "rtmr0 1"), ("mrtd 2", "rtmr0 2"), ("mrtd 3", "rtmr0 2")]
    registers = third.platforms[NAME]
    assert [(item.label, item.groups) for item in registers[rtmr(0)].acceptable] == [
        ("rebuild", ("rebuild",)),
        ("firmware 2", ("firmware 2", "firmware 3")),
    ]
    assert registers[rtmr(2)] == first.platforms[NAME][rtmr(2)], "what all share belongs to every group"
    assert load.parse_reference(create.dump_reference(third), "ref.json") == third


def test_adding_what_is_there_already_changes_nothing() -> None:
    published = reference(measured(value("mrtd 1"), value("rtmr0 1")))
    assert add_values(published, measured(value("mrtd 1"), value("rtmr0 1")), "again") == published
    assert add_values(reference(), BOTH, "again") == reference()


def test_alternatives_are_added_in_their_own_groups() -> None:
    only_old = measured(
        alternatives(of("old", "mrtd old", "old"), of("older", "mrtd older", "older")),
        alternatives(of("old, tables 1", "rtmr0 old 1", "old"), of("older, tables 1", "rtmr0 older", "older")),
    )
    found = add_values(reference(only_old), BOTH, "unused")
    assert [item.label for item in found.platforms[NAME][MRTD].acceptable] == ["old", "older", "new"]
    assert [item.groups for item in found.platforms[NAME][rtmr(2)].acceptable] == [()]
    assert conclude(appraised("mrtd older", "rtmr0 older", found)).status is ExitStatus.HOLDS
    assert conclude(appraised("mrtd new", "rtmr0 older", found)).status is ExitStatus.DOES_NOT_HOLD


def test_another_machine_is_added_whole() -> None:
    more = sample.measurements(platforms={"gcp/c3-standard-8": {MRTD: value("mrtd 8")}})
    found = add_values(reference(), more, "unused")
    assert found.platforms["gcp/c3-standard-8"][MRTD].policy is model.Policy.MATCH
    assert found.platforms[NAME] == reference().platforms[NAME]


def test_what_is_ignored_stays_so() -> None:
    ignored = model.ReferenceRegister(model.Policy.IGNORE, "as we like it", ())
    published = replace(reference(), platforms={NAME: {**reference().platforms[NAME], MRTD: ignored}})
    found = add_values(published, measured(value("mrtd 9"), value("rtmr0 9")), "nine")
    assert found.platforms[NAME][MRTD] == ignored
    assert found.platforms[NAME][rtmr(0)].acceptable[-1] == model.AcceptableValue("nine", value("rtmr0 9"), ("nine",))


def _other_artifact() -> model.Measurements:
    return replace(BOTH, artifact=model.Artifact("other.efi", 1, sample.sha256("other")))


@pytest.mark.parametrize(
    ("measurements", "label", "message"),
    [
        (_other_artifact(), "x", r"the measurements are about another artifact: other\.efi, sha256 [0-9a-f]{64}"),
        (
            measured(model.RegisterValue(None, "no firmware was given", ()), value("rtmr0")),
            "x",
            "gcp/c3-standard-4 MRTD: the measurements do not know it: no firmware was given",
        ),
        (
            sample.measurements(platforms={NAME: {MRTD: value("mrtd")}}),
            "x",
            "gcp/c3-standard-4 RTMR0: the measurements do not know it: they do not mention it",
        ),
        (measured(value("mrtd"), value("rtmr0")), "old", "the reference has a group of values 'old' already"),
        (
            measured(value("mrtd"), value("rtmr0")),
            "old, tables 1",
            "gcp/c3-standard-4 RTMR0: has another value with the label 'old, tables 1'",
        ),
    ],
)
def test_what_cannot_be_added(measurements: model.Measurements, label: str, message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        add_values(reference(), measurements, label)


def test_the_disk_may_be_what_the_reference_lists() -> None:
    disk = model.Disk("disk.raw", model.DiskFormat.RAW, sample.UKI.size_bytes, sample.UKI.sha256)
    found = replace(_other_artifact(), disk=disk)
    assert add_values(reference(), found, "unused") == reference()


@pytest.mark.parametrize("each", [1, 51])
def test_the_number_of_groups_is_bounded(each: int) -> None:
    """101 in all, on 101 or on 2 values: each group is compared by itself."""
    names = [f"group {number}" for number in range(101)]
    parts = [names[begin : begin + each] for begin in range(0, len(names), each)]
    many = measured(alternatives(*(of(part[0], part[0], *part) for part in parts)), value("rtmr0"))
    message = rf"platforms\.{NAME}: has 101 groups of values, more than 100"
    with pytest.raises(TeekitError, match=message):
        create.dump_measurements(many)
    with pytest.raises(TeekitError, match=message):
        create.dump_reference(reference(many))

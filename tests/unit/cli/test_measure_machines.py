"""`measure --machine` and `compare` with its alternatives, through main(argv). Expected: quotes of real machines."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents as sample
from builders import eventlog, tdvf
from builders.mrtd import mrtd_of_rows
from builders.uki import build_uki
from teekit_verify.appraisal.checklist import conclude
from teekit_verify.appraisal.registers import appraise
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents import codec, create, load, model
from teekit_verify.registers.registers import MRTD, Register, rtmr
from teekit_verify.wording.checks import detail_of

if TYPE_CHECKING:
    from pathlib import Path

# flashbots/attested-tls at 223349776d, test-assets/gcp-tdx-1782809233226668671: MRTD (its beginning) and RTMR0 of a
# c3-standard-4 with one disk beside the boot disk.
QUOTED_MRTD = "9bf86e6280ec4282"
QUOTED_RTMR0 = "8d2d6ad6e569271bace0ad7deab00245b6a951745c53dfe4590add762b55b9c91033ef9dc6153aaf7fb2d2fb1e4b952b"
ZERO = "00" * 48
NAME = "gcp/c3-standard-4"


@pytest.fixture
def uki(tmp_path: Path) -> Path:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki())
    return path


def _measured(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    assert main(["measure", *map(str, argv), "--json"]) == ExitStatus.HOLDS
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    return fields


def _alternatives(register: dict[str, Any]) -> dict[str, str]:
    return {item["label"]: item["register"]["values"]["sha384"] for item in register["alternatives"]}


def test_alternatives_hold_what_real_machines_quoted(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    platforms = _measured(capsys, uki, "--machine", "c3-standard-4", "--disks", 2)["platforms"]
    assert list(platforms) == [NAME]
    found = platforms[NAME]
    assert found["MRTD"]["values"] is None
    assert found["MRTD"]["missing"] == "depends on the firmware: one of 6 alternatives"
    assert _alternatives(found["MRTD"])["firmware of 2026-06"].startswith(QUOTED_MRTD)
    rtmr0 = _alternatives(found["RTMR0"])
    assert rtmr0["firmware of 2026-06, PCI device 4, ACPI tables of 2026-06"] == QUOTED_RTMR0
    assert found["RTMR0"]["missing"] == f"depends on the firmware and machine: one of {len(rtmr0)} alternatives"
    assert found["RTMR3"] == {"values": {"sha384": ZERO}, "missing": "", "events": []}
    plain = _measured(capsys, uki, "--platform", "gcp")["platforms"]["gcp"]
    of_image = set(plain) - {"MRTD", "RTMR0", "RTMR1"}
    assert {name: found[name] for name in of_image} == {name: plain[name] for name in of_image}
    newest = found["RTMR1"]["alternatives"][0]
    assert (newest["register"], "firmware of 2026-06" in newest["groups"]) == (plain["RTMR1"], True)
    assert "give --machine" in plain["RTMR0"]["missing"]


def test_several_machines_at_once_for_people(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machines = ["--machine", "c3-standard-4", "--machine", "c3-standard-8", "--machine", "c3-standard-4"]
    assert list(_measured(capsys, uki, *machines)["platforms"]) == [NAME, "gcp/c3-standard-8"]
    assert main(["measure", str(uki), *machines, "--disks", "2"]) == ExitStatus.HOLDS
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if QUOTED_RTMR0 in line]
    assert line.startswith("RTMR0 (firmware of 2026-06, PCI device 4, ACPI tables of 2026-06)")
    assert any("RTMR3: zero, nothing of the image extends it" in line for line in lines)
    assert main(["measure", str(uki), *machines, "--events"]) == ExitStatus.HOLDS
    text = capsys.readouterr().out
    assert "gcp/c3-standard-8 RTMR0 (firmware of 2026-04, PCI device 5, ACPI tables of 2026-04)" in text
    assert "recorded: ACPI tables of 2026-04" in text


def test_a_machine_without_vtpm(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The machine of the quote has none: its RTMR2 holds command line and initrd."""
    argv = (uki, "--machine", "c3-standard-4", "--disks", 2)
    platforms = _measured(capsys, *argv, "--no-vtpm")["platforms"]
    assert list(platforms) == ["gcp-no-vtpm/c3-standard-4"]
    found = platforms["gcp-no-vtpm/c3-standard-4"]
    assert QUOTED_RTMR0 in _alternatives(found["RTMR0"]).values()
    assert list(found) == ["MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3"]
    plain = _measured(capsys, uki, "--platform", "gcp", "--no-vtpm")["platforms"]["gcp-no-vtpm"]
    assert found["RTMR2"] == plain["RTMR2"]
    assert found["RTMR2"] != _measured(capsys, *argv)["platforms"][NAME]["RTMR2"]


def test_firmware_that_google_cloud_refuses_has_no_mrtd_there(
    uki: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    firmware = tmp_path / "OVMF.fd"
    firmware.write_bytes(tdvf.build_tdvf())
    found = _measured(capsys, uki, "--machine", "c3-standard-4", "--firmware", firmware)["platforms"][NAME]
    missing = "depends on the firmware, which is not known or cannot be used there"
    assert found["MRTD"] == {"values": None, "missing": missing, "events": []}


def test_a_firmware_file_leaves_one_mrtd(uki: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    firmware = tmp_path / "OVMF.fd"
    firmware.write_bytes(tdvf.build_tdvf(tdvf.GOOGLE_ROWS))
    found = _measured(capsys, uki, "--machine", "c3-standard-4", "--firmware", firmware)["platforms"][NAME]
    expected = mrtd_of_rows(firmware.read_bytes(), tdvf.GOOGLE_ROWS, "single")
    assert found["MRTD"] == {"values": {"sha384": expected}, "missing": "", "events": []}
    assert len(_alternatives(found["RTMR0"])) == 4 * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--machine", "n2d-standard-2"], "the machine type 'n2d-standard-2' is not on record"),
        (["--machine", "c3-standard-4", "--platform", "qemu"], "machine types are only known for Google Cloud"),
        (["--machine", "c3-standard-4", "--disks", "129"], "a machine has 1 to 128 disks, not 129"),
        (["--disks", "2"], "these options do not describe a machine together"),
        (["--machine", "c3-standard-4", "--memory", "2G"], "these options do not describe a machine together"),
        (["--platform", "qemu", "--memory", "2G"], "these options do not describe a machine together"),
        (["--firmware", "OVMF.fd"], "these options do not describe a machine together"),
    ],
)
def test_what_does_not_go_together(
    uki: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", str(uki), *options]) == ExitStatus.NO_VERDICT
    assert message in capsys.readouterr().err


def _value(hexadecimal: str) -> model.RegisterValue:
    return model.RegisterValue((Digest.from_hex(Algorithm.SHA384, hexadecimal),), "", ())


def _reference(
    *values: tuple[str, str], name: str = NAME, others: bool = True, compared: str = "RTMR0"
) -> model.Reference:
    """One acceptable RTMR0 (or other register) for each value; the registers of the image are ignored."""
    acceptable = tuple(model.AcceptableValue(label, _value(value)) for label, value in values)
    ignored = model.ReferenceRegister(model.Policy.IGNORE, "not of interest here", ())
    registers = ["MRTD", "RTMR0", "PCR2", "PCR4", "PCR5", "PCR9", "PCR11", "RTMR1", "RTMR2", "RTMR3"] if others else []
    return replace(
        sample.reference(),
        artifacts=(),
        platforms={
            name: {
                **{Register(register): ignored for register in registers},
                Register(compared): model.ReferenceRegister(model.Policy.ANY_OF, "", acceptable),
            }
        },
    )


def _outcomes(reference: model.Reference, **registers: model.RegisterValue) -> list[tuple[Outcome, str]]:
    measured = {Register(name): value for name, value in registers.items()}
    checklist = appraise(reference, sample.measurements(platforms={NAME: measured}))
    return [(check.outcome, detail_of(check)) for check in checklist.checks]


def test_one_alternative_that_is_acceptable_is_a_match(
    uki: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measurements = tmp_path / "measurements.json"
    assert main(["measure", str(uki), "--machine", "c3-standard-4", "--disks", "2", "--output", str(measurements)]) == 0
    capsys.readouterr()
    measured = load.load_measurements(measurements)
    assert create.dump_measurements(measured) == measurements.read_bytes()
    for values, outcome in (
        ([("quoted", QUOTED_RTMR0)], ExitStatus.HOLDS),
        ([("other", "11" * 48), ("quoted", QUOTED_RTMR0)], ExitStatus.HOLDS),
        ([("other", "11" * 48)], ExitStatus.DOES_NOT_HOLD),
    ):
        conclusion = conclude(appraise(_reference(*values), measured))
        assert conclusion.status is outcome


def test_compare_measures_the_machines_of_the_reference(
    uki: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = uki.read_bytes()
    artifact = model.Artifact(uki.name, len(data), Digest.of(Algorithm.SHA256, data))
    # MRTD in the quote of a real c3-standard-4 (tests/assets/eventlogs): 48 bytes of header, then 136 into the TD report.
    value = (eventlog.ASSETS / "gcp-cos113-quote.bin").read_bytes()[48 + 136 :][:48].hex()
    path = tmp_path / "reference.json"
    for text, status in ((value, ExitStatus.HOLDS), ("22" * 48, ExitStatus.DOES_NOT_HOLD)):
        path.write_bytes(
            create.dump_reference(replace(_reference(("quoted", text), compared="MRTD"), artifacts=(artifact,)))
        )
        assert main(["compare", str(path), str(uki)]) == status
        assert main(["compare", str(path), str(uki), "--events"]) == status
        capsys.readouterr()
    unknown = replace(_reference(("a", value), name="gcp/no-such-machine", compared="MRTD"), artifacts=(artifact,))
    path.write_bytes(create.dump_reference(unknown))
    assert main(["compare", str(path), str(uki)]) == ExitStatus.NO_VERDICT
    assert "published, but not among the measurements" in capsys.readouterr().out


def _alternative(*values: tuple[str, model.RegisterValue]) -> model.RegisterValue:
    return model.RegisterValue(
        None, "depends on it", (), tuple(model.AcceptableValue(label, value) for label, value in values)
    )


def test_the_nearest_alternative_is_explained() -> None:
    expected = sample.complete(sample.section_event("a"), sample.section_event("b"))
    near = sample.complete(sample.section_event("a"), sample.section_event("c"))
    far = sample.complete(sample.section_event("d"), sample.section_event("b"))
    acceptable = (model.AcceptableValue("published", expected),)
    reference = replace(
        sample.reference(),
        platforms={NAME: {rtmr(0): model.ReferenceRegister(model.Policy.MATCH, "", acceptable)}},
    )
    (outcome, detail), _ = _outcomes(reference, RTMR0=_alternative(("far", far), ("near", near)))
    assert outcome is Outcome.MISMATCH
    assert detail.startswith("of 2 alternatives, 'near': first difference at event 2")


def test_an_alternative_that_is_not_known_whole_leaves_the_question_open() -> None:
    reference = _reference(("published", "33" * 48), others=False)
    known, unknown = _value("44" * 48), model.RegisterValue(None, "no ACPI tables are on record", ())
    assert _outcomes(reference, RTMR0=_alternative(("a", known), ("b", known)))[0][0] is Outcome.MISMATCH
    ((outcome, detail),) = _outcomes(reference, RTMR0=_alternative(("a", known), ("b", unknown)))
    assert outcome is Outcome.OPEN
    assert detail == "of 2 alternatives, 'b': not known: no ACPI tables are on record"


def test_banks_of_different_alternatives_do_not_add_up_to_a_match() -> None:
    one, two = sample.complete(sample.section_event("a")), sample.complete(sample.section_event("b"))
    assert one.values is not None
    assert two.values is not None
    expected = model.RegisterValue((one.values[0], two.values[1]), "", ())
    acceptable = (model.AcceptableValue("published", expected),)
    reference = replace(
        sample.reference(),
        platforms={NAME: {rtmr(0): model.ReferenceRegister(model.Policy.MATCH, "", acceptable)}},
    )
    outcomes = [outcome for outcome, _ in _outcomes(reference, RTMR0=_alternative(("a", one), ("b", two)))]
    assert Outcome.MISMATCH in outcomes


@pytest.mark.parametrize(
    ("register", "message"),
    [
        (replace(_value("11" * 48), alternatives=(model.AcceptableValue("a", _value(ZERO)),)), "has neither 'values'"),
        (_alternative(("a", _alternative(("b", _value(ZERO))))), "an alternative has alternatives itself"),
        (_alternative(("a", _value(ZERO)), ("a", _value("11" * 48))), "the label 'a' is listed twice"),
    ],
)
def test_documents_with_senseless_alternatives_are_refused(register: model.RegisterValue, message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        create.dump_measurements(sample.measurements(platforms={NAME: {MRTD: register}}))


def test_a_reference_takes_its_alternatives_as_acceptable_values_only() -> None:
    acceptable = (model.AcceptableValue("a", _alternative(("b", _value(ZERO)))),)
    broken = replace(
        sample.reference(),
        platforms={NAME: {MRTD: model.ReferenceRegister(model.Policy.MATCH, "", acceptable)}},
    )
    with pytest.raises(TeekitError, match="with the policy 'any-of'"):
        load.parse_reference(codec.dump(broken), "broken")

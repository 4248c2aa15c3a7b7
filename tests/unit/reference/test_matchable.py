"""Registers that no guest can match, said before anybody waits for a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from builders import documents as sample
from builders import guests, released
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create, model
from teekit_verify.reference.matchable import Obstacle, Unmatchable, unmatchable
from teekit_verify.reference.published import ReferenceValues, values_of
from teekit_verify.registers.registers import MRTD, pcr, rtmr

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from teekit_verify.registers.registers import Register


def _values(registers: dict[Register, model.ReferenceRegister]) -> ReferenceValues:
    return replace(values_of(sample.reference()), platforms={"tdx": registers})


def _value(number: int, *groups: str) -> model.AcceptableValue:
    digest = Digest.of(Algorithm.SHA384, bytes([number]))
    return model.AcceptableValue(f"value {number}", model.RegisterValue((digest,), "", ()), groups)


def _any_of(*values: model.AcceptableValue) -> model.ReferenceRegister:
    return model.ReferenceRegister(model.Policy.ANY_OF, "", values)


def test_a_register_of_which_no_value_is_known() -> None:
    expected = Unmatchable("tdx", rtmr(1), Obstacle.NO_VALUE, "the GPT of the disk is not known")
    assert unmatchable(values_of(sample.reference())) == (expected,)


def test_one_known_value_is_enough_and_what_is_ignored_is_not_asked_for() -> None:
    unknown = model.AcceptableValue("unknown", sample.RTMR1)
    assert unmatchable(_values({rtmr(1): _any_of(unknown, _value(1)), pcr(4): guests.ignored("why not")})) == ()


def test_groups_none_of_which_has_every_register() -> None:
    apart = _values({MRTD: _any_of(_value(1, "old")), rtmr(0): _any_of(_value(2, "new"))})
    assert [item.obstacle for item in unmatchable(apart)] == [Obstacle.NO_GROUP]
    together = _values({MRTD: _any_of(_value(1, "old")), rtmr(0): _any_of(_value(2, "new"), _value(3, "old"))})
    assert unmatchable(together) == ()


def test_check_warns_and_the_file_is_well_formed_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ref.json"
    path.write_bytes(create.dump_reference(sample.reference()))
    assert main(["reference", "check", str(path)]) == ExitStatus.HOLDS
    assert capsys.readouterr().err == (
        "warning: no guest can match tdx RTMR1: the value is not known: the GPT of the disk is not known\n"
    )
    known = replace(sample.reference(), platforms={"uefi-vtpm": sample.reference().platforms["uefi-vtpm"]})
    path.write_bytes(create.dump_reference(known))
    assert main(["reference", "check", str(path)]) == ExitStatus.HOLDS
    assert capsys.readouterr().err == ""


def test_create_warns_of_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a UKI without a disk: its partition table is measured as well."""
    released.write_report(tmp_path / "report")
    argv = ["reference", "create", str(tmp_path / "report"), "--release", "r", "--output", str(tmp_path / "ref.json")]
    assert main(argv) == ExitStatus.HOLDS
    wrote, *warnings = capsys.readouterr().err.splitlines()
    assert wrote == f"wrote {tmp_path / 'ref.json'}"
    assert any("uefi-vtpm PCR5" in line for line in warnings)
    assert all(line.startswith("warning: no guest can match ") for line in warnings)

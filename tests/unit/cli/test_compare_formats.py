"""`compare` with published files of other formats, through main(argv). Expected: Google's endorsement of a machine that quoted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from builders import guests
from builders.uki import build_uki, default_sections
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents.model import RegisterValue
from teekit_verify.evidence.quote import read_quote
from teekit_verify.registers.registers import MRTD, rtmr

FOLDER = Path(__file__).parents[2] / "assets" / "formats"
ENDORSEMENT, GOOGLE_ROOT = str(FOLDER / "gce-endorsement.binarypb"), str(FOLDER / "GCE-cc-tcb-root_1.pem")
QUOTE = str(FOLDER / "gce-quote.bin")
AT = "2026-10-01T16:54:33Z"
ALLOWED = ["--allow-unchecked", "report-data,tcb,revocation"]


@pytest.fixture
def uki(tmp_path: Path) -> str:
    """The UKI that measured-boot.json is about."""
    path = tmp_path / "image.efi"
    sections = [section for section in default_sections() if section[0] != ".uname"]
    path.write_bytes(build_uki("252.39-1~deb12u2", sections))
    return str(path)


def test_googles_endorsement_fits_a_machine_of_its_firmware(capsys: pytest.CaptureFixture[str]) -> None:
    """Its firmware is Google's; what that booted, an endorsement does not say."""
    argv = ["compare", ENDORSEMENT, "--quote", QUOTE, "--google-root", GOOGLE_ROOT, "--at", AT, *ALLOWED]
    assert main(argv) == ExitStatus.NO_VERDICT
    out = capsys.readouterr().out
    assert "gcp RTMR1 and RTMR2: not checked: what the firmware booted was not compared" in out
    assert re.search(r"gcp MRTD sha384 (c1ee9c16e3afc506[0-9a-f]{80}) \1 match", " ".join(out.split()))
    assert "gcp RTMR1: ignored: the published file says nothing about it" in out
    other = str(FOLDER.parent / "quotes" / "gcp-v4.json")
    argv = ["compare", ENDORSEMENT, "--quote", other, "--google-root", GOOGLE_ROOT, "--at", AT, *ALLOWED]
    assert main(argv) == ExitStatus.DOES_NOT_HOLD
    assert "gcp MRTD sha384: mismatch" in capsys.readouterr().out


def test_an_endorsement_vouches_for_the_firmware_of_a_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reference has the registers of the image; whose firmware measured it, Google says."""
    report = read_quote(Path(QUOTE)).report
    known = {register: RegisterValue((report.value(register),), "", ()) for register in map(rtmr, range(4))}
    registers = {MRTD: guests.ignored("Google's"), **{name: guests.only(value) for name, value in known.items()}}
    path = tmp_path / "ref.json"
    path.write_bytes(guests.reference(gcp=registers))
    argv = ["compare", str(path), "--quote", QUOTE, "--at", AT, *ALLOWED]
    assert main(argv) == ExitStatus.NO_VERDICT
    endorsed = ["--endorsement", ENDORSEMENT, "--google-root", GOOGLE_ROOT]
    assert main([*argv, *endorsed]) == ExitStatus.HOLDS
    assert "gcp MRTD vouched for" in capsys.readouterr().out
    assert main([*argv, *endorsed[:2]]) == ExitStatus.NO_VERDICT
    assert main([*argv, "--endorsement", str(path), *endorsed[2:]]) == ExitStatus.NO_VERDICT
    assert "ref.json: is not a launch endorsement, but: reference (" in capsys.readouterr().err
    argv[3] = str(FOLDER.parent / "quotes" / "gcp-v4.json")
    assert main([*argv, *endorsed]) == ExitStatus.DOES_NOT_HOLD


def test_an_endorsement_without_a_root_gives_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", ENDORSEMENT, "--quote", QUOTE]) == ExitStatus.NO_VERDICT
    assert "no certificate was given that this can be checked against" in capsys.readouterr().err


def test_the_time_counts_for_the_endorsement_of_a_file_too(uki: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["compare", ENDORSEMENT, uki, "--google-root", GOOGLE_ROOT]
    assert main([*argv, "--at", "2026-01-01"]) == ExitStatus.NO_VERDICT
    assert (
        "the signing certificate is valid from 2026-05-05 to 2031-05-05, not at 2026-01-01" in capsys.readouterr().err
    )
    assert main([*argv, "--at", AT]) == ExitStatus.NO_VERDICT
    assert "gcp MRTD sha384: open: not known" in capsys.readouterr().out


def test_what_another_tool_measured(uki: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(FOLDER / "measured-boot.json"), uki, "--events"]) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert "against image of a measured-boot file (measured-boot JSON (PCRs with 'expected'))" in out
    assert "azure PCR11 (measured-boot)" in out
    assert "azure PCR12: ignored: published as never extended, which an artifact does not decide" in out
    assert main(["compare", str(FOLDER / "measured-boot.json"), uki, "--json"]) == ExitStatus.HOLDS
    fields = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in fields["checklist"]["checks"]] == [
        f"azure PCR{index} sha256" for index in (4, 9, 11)
    ]


def test_a_published_list_without_the_image(uki: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(FOLDER / "flashbots-buildernet.json"), uki]) == ExitStatus.DOES_NOT_HOLD
    assert "of 23 published images none matches" in capsys.readouterr().out

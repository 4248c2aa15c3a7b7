"""`compare` with published files of other formats, through main(argv). Expected: Google's endorsement of a machine that quoted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders.uki import build_uki, default_sections
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

FOLDER = Path(__file__).parents[2] / "assets" / "formats"
ENDORSEMENT, GOOGLE_ROOT = str(FOLDER / "gce-endorsement.binarypb"), str(FOLDER / "GCE-cc-tcb-root_1.pem")
QUOTE = str(FOLDER / "gce-quote.bin")
AT = "2026-10-01T16:54:33Z"


@pytest.fixture
def uki(tmp_path: Path) -> str:
    """The UKI that measured-boot.json is about."""
    path = tmp_path / "image.efi"
    sections = [section for section in default_sections() if section[0] != ".uname"]
    path.write_bytes(build_uki("252.39-1~deb12u2", sections))
    return str(path)


def test_googles_endorsement_fits_a_machine_of_its_firmware(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["compare", ENDORSEMENT, "--quote", QUOTE, "--google-root", GOOGLE_ROOT, "--at", AT]
    assert main(argv) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert "gcp MRTD sha384  c1ee9c16e3afc506...  c1ee9c16e3afc506...  match" in out
    assert "gcp RTMR1: ignored: the published file says nothing about it" in out
    other = str(FOLDER.parent / "quotes" / "gcp-v4.json")
    argv = ["compare", ENDORSEMENT, "--quote", other, "--google-root", GOOGLE_ROOT, "--at", AT]
    assert main(argv) == ExitStatus.DOES_NOT_HOLD
    assert "gcp MRTD sha384: mismatch" in capsys.readouterr().out


def test_an_endorsement_without_a_root_gives_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", ENDORSEMENT, "--quote", QUOTE]) == ExitStatus.NO_VERDICT
    assert "no certificate was given that this can be checked against" in capsys.readouterr().err


def test_the_time_counts_for_the_endorsement_of_a_file_too(uki: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["compare", ENDORSEMENT, uki, "--google-root", GOOGLE_ROOT]
    assert main([*argv, "--at", "2026-01-01"]) == ExitStatus.NO_VERDICT
    assert "the signing certificate is good from 2026-05-05 to 2031-05-05, not at 2026-01-01" in capsys.readouterr().err
    assert main([*argv, "--at", AT]) == ExitStatus.NO_VERDICT
    assert "gcp MRTD sha384: not checked: not known" in capsys.readouterr().out


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

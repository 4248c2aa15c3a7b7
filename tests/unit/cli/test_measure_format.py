"""`measure --format`: predictions for other people's verifiers, through main(argv)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from builders.fat import make_disk
from builders.uki import build_uki
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.reference.formats import load_published
from teekit_verify.reference.writers import WRITERS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def disk(tmp_path: Path) -> str:
    return str(make_disk(tmp_path / "disk.raw", {"EFI/BOOT/BOOTX64.EFI": build_uki("257.13-1~deb13u1")}))


@pytest.mark.parametrize("name", [item.name for item in WRITERS if item.name != "go-tdx-guest"])
def test_what_is_written_is_read_and_the_image_matches_it(
    name: str, disk: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", disk, "--format", name]) == ExitStatus.HOLDS
    path = tmp_path / "written.json"
    path.write_text(capsys.readouterr().out)
    assert load_published(path).values
    assert main(["compare", str(path), disk]) == ExitStatus.HOLDS


def test_portable_measurements_have_the_fields_of_attest(disk: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", disk, "--format", "portable"]) == ExitStatus.HOLDS
    fields = json.loads(capsys.readouterr().out)
    assert (fields["kind"], list(fields["azure"])) == ("portable", ["pcr4", "pcr9", "pcr11"])
    assert list(fields["dcap"]) == [
        *("uki_authenticode", "kernel_authenticode", "cmdline_hash", "initrd_hash", "gpt_disk_guid_hash"),
        "pe_sections",
    ]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--format", "corim2"], "no such format to write: corim2"),
        (["--format", "rvps", "--pcrlock"], "--pcrlock is --format pcrlock: give one of them"),
        (["--format", "go-tdx-guest"], "qemu MRTD: this format takes MRTD and one value of each RTMR"),
        (["--format", "portable", "--platform", "qemu"], "gcp-no-vtpm was not measured"),
    ],
)
def test_what_cannot_be_written_is_said(
    argv: list[str], message: str, disk: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", disk, *argv]) == ExitStatus.NO_VERDICT
    captured = capsys.readouterr()
    assert message in " ".join(captured.err.split())
    assert not captured.out

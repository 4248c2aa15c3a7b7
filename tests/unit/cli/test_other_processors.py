"""What reads files asks nothing of the processor: the same on arm64."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from builders.tdvf import build_tdvf
from builders.uki import build_uki, kernel
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    import pytest

ASSETS = Path(__file__).parents[2] / "assets/eventlogs"
QUOTE, LOG = str(ASSETS / "gcp-cos113-quote.bin"), str(ASSETS / "gcp-cos113-ccel-data.bin")


def test_the_same_on_an_arm_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image, firmware = tmp_path / "image.efi", tmp_path / "OVMF.fd"
    image.write_bytes(build_uki(sections=[(".cmdline", b"quiet"), (".linux", kernel()), (".initrd", b"initrd")]))
    firmware.write_bytes(build_tdvf())
    commands = [
        ["measure", str(image), "--events"],
        ["measure", str(firmware)],
        ["inspect", str(image)],
        ["quote", QUOTE, "--at", "2026-02-03T04:05:06Z"],
        ["replay", LOG, "--quote", QUOTE],
        ["explain", QUOTE, LOG, "--no-diffoscope"],
    ]

    def shown() -> list[tuple[int, str]]:
        return [(main(command), capsys.readouterr().out) for command in commands]

    here = shown()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "arm", "6.12", "#1", "aarch64")))
    assert shown() == here
    assert all(text for _, text in here)

"""The generated archives, read back by cpio(1). Their bytes are checked by the real boots in test_boot."""

from __future__ import annotations

import subprocess

import pytest

from builders.tools import require
from teekit_verify.prediction.stub_cpio import extra_file


@pytest.mark.parametrize("content", [b"", b"x", b"ab\n", b"four", b"\0" * 4097])
def test_cpio_reads_it_back(content: bytes) -> None:
    before, after = extra_file("os-release", len(content))
    archive = before + content + after
    assert len(archive) % 4 == 0
    cpio = require("cpio")
    listed = subprocess.run([cpio, "-itv", "--quiet"], input=archive, capture_output=True, check=True).stdout
    assert [line.split()[0] + " " + line.split()[-1] for line in listed.decode().splitlines()] == [
        "dr-xr-xr-x .extra",
        "-r--r--r-- .extra/os-release",
    ]
    read = subprocess.run(
        [cpio, "-i", "--quiet", "--to-stdout", ".extra/os-release"], input=archive, capture_output=True, check=True
    ).stdout
    assert read == content


def test_the_trailer_is_the_constant_of_the_source() -> None:
    """systemd src/boot/cpio.c, pack_cpio_trailer()."""
    assert extra_file("f", 0)[1] == (
        b"070701" + b"0" * 32 + b"00000001" + b"0" * 48 + b"0000000B" + b"0" * 8 + b"TRAILER!!!\0\0\0\0"
    )

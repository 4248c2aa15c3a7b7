"""`-`: what comes through a pipe is read as the file would be."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from builders.commands import commands
from builders.uki import build_uki, kernel
from teekit_verify.cli import standard_input
from teekit_verify.cli.app import main
from teekit_verify.cli.outputs import WRITTEN
from teekit_verify.core.errors import TeekitError

ASSETS = Path(__file__).parents[2] / "assets"
QUOTE = ASSETS / "eventlogs/gcp-cos113-quote.bin"
LOG = ASSETS / "eventlogs/gcp-cos113-ccel-data.bin"


def piped(*argv: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "teekit_verify", *argv], input=data, capture_output=True, check=False)


@pytest.fixture
def uki(tmp_path: Path) -> Path:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki(sections=[(".cmdline", b"quiet"), (".linux", kernel()), (".initrd", b"initrd")]))
    return path


def test_a_log_and_a_quote(capsys: pytest.CaptureFixture[str]) -> None:
    """The log's registers are found equal to the quote's, whichever of them is piped."""
    assert main(["replay", str(LOG), "--quote", str(QUOTE), "--json"]) == 0
    expected = capsys.readouterr().out.encode()
    for argv, given in (
        (("replay", "-", "--quote", str(QUOTE)), LOG),
        (("replay", str(LOG), "--quote", "-"), QUOTE),
    ):
        done = piped(*argv, "--json", data=given.read_bytes())
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == expected


def test_an_artifact_from_a_pipe_or_a_redirected_file(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(uki)]) == 0
    expected = capsys.readouterr().out.replace("image.efi", "stdin")
    assert piped("measure", "-", data=uki.read_bytes()).stdout.decode() == expected
    with uki.open("rb") as stream:
        command = [sys.executable, "-m", "teekit_verify", "measure", "-"]
        assert subprocess.run(command, stdin=stream, capture_output=True, check=True).stdout.decode() == expected


def test_a_file_of_which_something_was_read_begins_where_that_ended(uki: Path, tmp_path: Path) -> None:
    path = tmp_path / "with-header"
    path.write_bytes(b"#header\n" + uki.read_bytes())
    with path.open("rb") as stream:
        os.lseek(stream.fileno(), len(b"#header\n"), os.SEEK_SET)
        command = [sys.executable, "-m", "teekit_verify", "explain", str(uki), "-", "--no-diffoscope"]
        done = subprocess.run(command, stdin=stream, capture_output=True, check=True)
    assert done.stdout.startswith(b"IDENTICAL")


def test_the_hint_about_another_file_is_given_as_well() -> None:
    done = piped("replay", "-", data=QUOTE.read_bytes())
    assert done.returncode == 2
    assert b"/dev/stdin is a TDX quote" in done.stderr


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("compare", "-", "-"), "`-` is given twice"),
        (("attest", "verify", "-", "-", "--threshold", "1", "--trusted-keys", "."), "`-` is given twice"),
        (("boot", "-"), "`boot` takes no standard input"),
        (("quote", "-"), "/dev/stdin is empty"),
        (("report", "-"), "/dev/stdin"),
        (("inspect", "-"), "/dev/stdin"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_read_is_said(argv: tuple[str, ...], message: str) -> None:
    done = piped(*argv, data=b"")
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert b"internal error" not in done.stderr


def test_no_more_is_kept_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small in memory, larger on a disk, and too much nowhere."""
    monkeypatch.setattr(standard_input, "_MOST_IN_MEMORY_BYTES", 10)
    monkeypatch.setattr(standard_input, "_CHUNK_BYTES", 8)
    for size in (0, 8, 10, 11, 24):
        with standard_input._kept(io.BytesIO(b"x" * size), 24) as kept:
            kept.seek(0)
            assert kept.read() == b"x" * size
    with pytest.raises(TeekitError, match="standard input has more than 24 bytes"):
        standard_input._kept(io.BytesIO(b"x" * 25), 24)


def test_a_pipe_without_end_is_refused() -> None:
    with Path("/dev/zero").open("rb") as zeros, pytest.raises(TeekitError, match="has more than 100 bytes"):
        standard_input._kept(zeros, 100)


def test_parameters_that_are_written_are_known() -> None:
    """A new one has to be put among those that `-` is no input for."""
    written = {
        parameter.name
        for command in commands().values()
        for parameter in command.params
        if parameter.metavar == "FILE" and parameter.help and ("rite" in parameter.help.split(". ")[0])
    }
    assert written <= WRITTEN


def test_a_disk_in_an_archive(uki: Path) -> None:
    """`inspect` says of anything that comes through a pipe what it says of the file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(uki, "disk.raw")
    done = piped("inspect", "-", data=gzip.compress(packed.getvalue()))
    path = uki.with_name("disk.tar.gz")
    path.write_bytes(gzip.compress(packed.getvalue()))
    named = subprocess.run(
        [sys.executable, "-m", "teekit_verify", "inspect", str(path)], capture_output=True, check=False
    )
    assert done.returncode == named.returncode
    for ours, theirs in ((done.stdout, named.stdout), (done.stderr, named.stderr)):
        assert re.sub(rb"/dev/stdin|\bstdin\b", b"FILE", ours) == theirs.replace(str(path).encode(), b"FILE").replace(
            path.name.encode(), b"FILE"
        )

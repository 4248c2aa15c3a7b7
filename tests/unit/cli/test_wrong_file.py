"""Another file than the one that is meant: what it is, and the command for it. Every kind, in every command that reads a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import guests, quotes, released, tdvf
from builders.pe import Row, build_pe
from builders.uki import build_uki
from teekit_verify.cli.app import main
from teekit_verify.documents.create import dump_reference

ENCRYPTED = b"""\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgUsYRCe/zTqAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEE2vxs91lZLcsquW7xWKzGAEQEVc
jRC78yMLWRy+nOgW5swl4pEm08138F9NFUYQhWk9pPD1I3ROQ+wZyH+5zGoojjWy
V1WEs+4453un+zt7kCs=
-----END ENCRYPTED PRIVATE KEY-----
"""
"""openssl genpkey -algorithm ed25519 -aes256 -pass pass:x"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file of each kind, called by its kind."""
    (tmp_path / "uki").write_bytes(build_uki())
    (tmp_path / "cut").write_bytes(build_uki()[:-700])
    (tmp_path / "program").write_bytes(build_pe([Row(".text", b"code")]))
    (tmp_path / "firmware").write_bytes(tdvf.build_tdvf())
    (tmp_path / "quote").write_bytes(quotes.REAL["phala"].read_bytes())
    (tmp_path / "log").write_bytes(guests.COS_LOG.read_bytes())
    (tmp_path / "ref").write_bytes(dump_reference(released.write_report(tmp_path / "report")))
    (tmp_path / "claims").write_bytes((tmp_path / "report" / "measurements.json").read_bytes())
    (tmp_path / "encrypted").write_bytes(ENCRYPTED)
    (tmp_path / "empty").touch()
    (tmp_path / "rubbish").write_bytes(b"nobody knows what this is" * 100)
    monkeypatch.chdir(tmp_path)
    return tmp_path


MISTAKES = [
    ("compare uki ref", "uki is a UKI", "Use `measure uki`, `inspect uki`, or `compare REF uki`."),
    ("compare quote ref", "quote is a TDX quote", "Use `quote quote`"),
    ("compare ref quote", "quote is a TDX quote", "`compare REF --quote quote`"),
    ("compare ref log", "log is an event log", "--eventlog log`"),
    ("compare ref firmware", "firmware is TDX firmware", "Use `measure firmware`"),
    ("compare ref cut", "cut is cut off after", "Fetch it again"),
    ("compare ref empty", "empty is empty", "Fetch or write it again."),
    ("compare ref .", ". is a folder", "Name a file in it."),
    ("compare quote uki", "quote is a TDX quote", "Use `quote quote`"),
    ("compare . uki", ". is a folder", "Name a file in it."),
    ("compare ref --claims uki", "uki is a UKI", "`compare REF uki`"),
    ("compare ref --quote log", "log is an event log", "Use `replay log`"),
    ("compare ref --quote uki", "uki is a UKI", "`compare REF uki`"),
    ("compare ref --quote quote --eventlog uki", "uki is a UKI", "Use `measure uki`"),
    ("quote log", "log is an event log", "Use `replay log`"),
    ("quote uki", "uki is a UKI", "Use `measure uki`"),
    ("quote ref", "ref is a file of reference values", "Put it first"),
    ("quote firmware", "firmware is TDX firmware", "Use `measure firmware`"),
    ("quote empty", "empty is empty", "Fetch or write it again."),
    ("quote .", ". is a folder", "Name a file in it."),
    ("replay quote", "quote is a TDX quote", "Use `quote quote`"),
    ("replay uki", "uki is a UKI", "Use `measure uki`"),
    ("replay ref", "ref is a file of reference values", "Put it first"),
    ("replay .", ". is a folder", "Name a file in it."),
    ("replay log --quote uki", "uki is a UKI", "Use `measure uki`"),
    ("replay log --against quote", "quote is a TDX quote", "Use `quote quote`"),
    ("measure quote", "quote is a TDX quote", "Use `quote quote`"),
    ("measure log", "log is an event log", "Use `replay log`"),
    ("measure ref", "ref is a file of reference values", "Put it first"),
    ("measure cut", "cut is cut off after", "Fetch it again"),
    ("measure empty", "empty is empty", "Fetch or write it again."),
    ("measure .", ". is a folder", "Name a file in it."),
    ("inspect cut", "cut is cut off after", "Fetch it again"),
    ("inspect empty", "empty is empty", "Fetch or write it again."),
    ("inspect .", ". is a folder", "Name a file in it."),
    ("measure program", "program: no .linux section: this is not a UKI", "Give the UKI that holds the kernel"),
    # Options and names.
    ("compar ref uki", "No such command 'compar'", "--help` to see how it is used."),
    ("quote", "Missing argument 'FILE'", "--help` to see how it is used."),
    ("quote quote --nonc x", "No such option: --nonc", "--help` to see how it is used."),
    ("rebuild --image bse", "there is no image 'bse'", "Did you mean base?"),
    ("rebuild --commit HEAD", "--commit: HEAD is another commit in every checkout", "`git rev-parse HEAD`"),
    ("rebuild --commit HEAD~2", "--commit: HEAD~2 is another commit in every checkout", "`git rev-parse HEAD~2`"),
    ("rebuild --commit @", "--commit: @ is another commit in every checkout", "`git rev-parse @`"),
    (
        "measure uki --platform qemu --firmware firmware --memory 2X --edk2 2025.02",
        "--memory: not an amount of memory: 2X",
        "Write it like 2G or 2048M.",
    ),
    ("measure uki --platform gpc", "no such platform: gpc", "gcp"),
    ("measure uki --format json5", "no such format to write: json5", "Choose one of: portable"),
    ("measure uki --machine c3-standard-5", "the machine type 'c3-standard-5' is not on record", "c3-standard-4"),
    ("quote quote --at yesterday", "not a time: 'yesterday'", "2026-02-03T04:05:06Z"),
    ("quote quote --report-data xyz", "--report-data: expected hexadecimal digits", "two digits each"),
    ("quote quote --allow-unchecked everything", "--allow-unchecked: no such name: 'everything'", "Choose one of"),
    ("reference sign ref --key encrypted", "encrypted: the private key is encrypted", "--passphrase-file"),
    ("reference sign ref --key empty", "empty", ""),
    ("inspect uki --josn", "No such option: --josn", "--help` to see how it is used."),
    ("report uki --html", "uki", ""),
    ("explain uki nosuch", "nosuch: cannot be read: No such file or directory", "Name a readable file."),
    # What nobody knows keeps the error of the command that was asked.
    ("quote rubbish", "quote", "Check that rubbish is a TDX quote."),
    ("replay rubbish", "event log", "Check that rubbish is an event log."),
    ("measure rubbish", "rubbish is neither a UKI", "Name a UKI"),
    ("compare ref nosuch", "nosuch: cannot be read: No such file or directory", "Name a readable file."),
    ("compare nosuch uki", "nosuch: cannot be read: No such file or directory", "Name a readable file."),
]


@pytest.mark.parametrize(("command", "error", "hint"), MISTAKES, ids=[command for command, _, _ in MISTAKES])
def test_a_mistake_is_named(
    place: Path, capsys: pytest.CaptureFixture[str], command: str, error: str, hint: str
) -> None:
    assert main(command.split()) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {error}") or f"error: {error}" in shown
    assert hint in shown
    assert "Traceback" not in shown
    assert "internal error" not in shown


def test_right_files_raise_nothing(place: Path) -> None:
    assert main(["compare", "ref", "uki"]) == 0
    assert main(["replay", "log"]) == 0
    assert main(["measure", "uki"]) == 0
    assert main(["inspect", "ref"]) == 0

from __future__ import annotations

import json
import shutil
import struct
from typing import TYPE_CHECKING

import pytest

from builders import eventlog as build
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.evidence.eventlog import LogKind
from teekit_verify.evidence.files import is_evidence, read_evidence, read_log

if TYPE_CHECKING:
    from pathlib import Path

CCEL = build.ASSETS / "gcp-cos113-ccel-data.bin"
TABLE = build.ASSETS / "gcp-cos113-ccel-table.bin"
DSTACK = build.ASSETS / "dstack-quote-report.json"
QUOTES = build.ASSETS.parent / "quotes"


def test_logs_in_every_form() -> None:
    assert len(read_log(CCEL).events) == len(read_log(CCEL, table=TABLE).events) == 43
    assert len(read_log(DSTACK).events) == 28
    assert read_log(build.ASSETS / "ovmf-swtpm-uki.bin", kind=LogKind.TPM).kind is LogKind.TPM


def test_a_dstack_log_has_no_pcrs() -> None:
    with pytest.raises(UnsupportedInputError, match="is a CCEL log: it has no registers of a TPM log"):
        read_log(DSTACK, kind=LogKind.TPM)


@pytest.mark.parametrize(
    ("path", "has"),
    [
        (CCEL, (False, True, False)),
        (TABLE, (False, False, True)),
        (DSTACK, (True, True, False)),
        (build.ASSETS / "gcp-cos113-quote.bin", (True, False, False)),
        (build.ASSETS / "ovmf-swtpm-uki.bin", (False, True, False)),
        (QUOTES / "sample-v5.bin", (True, False, False)),
        (QUOTES / "gcp-v4.json", (True, False, False)),
    ],
)
def test_what_a_file_holds(path: Path, has: tuple[bool, bool, bool]) -> None:
    assert is_evidence(path)
    evidence = read_evidence(path)
    assert (evidence.quote is not None, evidence.log is not None, evidence.table is not None) == has
    assert (evidence.name, evidence.size_bytes) == (path.name, path.stat().st_size)


def test_quotes_and_logs_as_text(tmp_path: Path) -> None:
    report = json.loads(DSTACK.read_bytes())
    for name, text in (("hex", report["quote"]), ("0x", "0x" + report["quote"]), ("text", json.dumps(report["quote"]))):
        path = tmp_path / name
        path.write_text(text)
        assert is_evidence(path)
        quote = read_evidence(path).quote
        assert quote is not None
        assert quote.report.mrtd.hex.startswith("b24d3b24")
    log = tmp_path / "log"
    log.write_text(report["event_log"])
    assert is_evidence(log)
    assert read_evidence(log).quote is None


def test_what_is_no_evidence(tmp_path: Path) -> None:
    for number, data in enumerate((b"", b"MZ" + bytes(100), b"hello", bytes(512), struct.pack("<HHI", 4, 2, 1))):
        path = tmp_path / str(number)
        path.write_bytes(data)
        assert not is_evidence(path)
        with pytest.raises(MalformedInputError, match=r"^quote: "):
            read_evidence(path)
    with pytest.raises(TeekitError, match="none: cannot be read: No such file"):
        is_evidence(tmp_path / "none")


def test_a_cut_table(tmp_path: Path) -> None:
    path = tmp_path / "table"
    shutil.copyfile(TABLE, path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(MalformedInputError, match="CCEL table: length at offset 0x4"):
        read_evidence(path)

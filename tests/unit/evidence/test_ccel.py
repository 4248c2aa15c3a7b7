from __future__ import annotations

import pytest

from builders import eventlog as build
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.evidence.ccel import CcelTable, parse_ccel, parse_table
from teekit_verify.evidence.eventlog import LogKind
from teekit_verify.evidence.files import read_log
from teekit_verify.registers.registers import rtmr
from teekit_verify.registers.replay import replay

TABLE = (build.ASSETS / "gcp-cos113-ccel-table.bin").read_bytes()
DATA = (build.ASSETS / "gcp-cos113-ccel-data.bin").read_bytes()
LOG_BYTES = 18101  # counted with `tail -c +18102 | tr -d '\377' | wc -c`: nothing but 0xff follows


def _changed(offset: int, value: int, *, repair_checksum: bool = True) -> bytes:
    table = bytearray(TABLE)
    table[offset] = value
    if repair_checksum:
        table[9] = (table[9] - sum(table)) % 256
    return bytes(table)


def test_table_of_a_gcp_machine() -> None:
    assert parse_table(TABLE) == CcelTable(2, 0, len(DATA), 0xBEDBF000)


@pytest.mark.parametrize("data", [DATA, DATA[:LOG_BYTES]], ids=["padded", "unpadded"])
def test_log_of_a_gcp_machine_padded_or_not(data: bytes) -> None:
    log = parse_ccel(TABLE, data)
    assert log.kind is LogKind.CCEL
    assert log.size_bytes == LOG_BYTES
    quoted = build.quote_rtmrs((build.ASSETS / "gcp-cos113-quote.bin").read_bytes())
    assert replay(log.events, Algorithm.SHA384)[rtmr(1)].value == quoted[1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "CCEL table: signature at offset 0x0: needs 4 bytes"),
        (b"TPM2" + TABLE[4:], "signature at offset 0x0: expected b'CCEL', found b'TPM2'"),
        (TABLE + b"\0", "length at offset 0x4: expected 56 bytes, the table says 56 and the file has 57"),
        (_changed(4, 57), "the table says 57 and the file has 56"),
        (_changed(20, 0, repair_checksum=False), "checksum at offset 0x9: the bytes do not add up to 0 modulo 256"),
        (_changed(36, 1), r"CC type at offset 0x24: expected 2 \(TDX\), found 1"),
    ],
)
def test_malformed_table(table: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        parse_table(table)


def test_reading_both_files() -> None:
    log = read_log(build.ASSETS / "gcp-cos113-ccel-data.bin", table=build.ASSETS / "gcp-cos113-ccel-table.bin")
    assert log.size_bytes == LOG_BYTES


def test_log_longer_than_the_log_area() -> None:
    with pytest.raises(MalformedInputError, match="262145 bytes, more than the 262144 of the log area"):
        parse_ccel(TABLE, DATA + b"\xff")

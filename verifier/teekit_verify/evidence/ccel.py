"""The CC event log of a TDX guest as its ACPI files hold it: the CCEL table and the log area it points to.

Layout: EFI_CC_EVENTLOG_ACPI_TABLE in edk2's MdePkg/Include/Protocol/CcMeasurement.h (c5aa7e7d), an ACPI header of 36 bytes and
20 bytes of its own. Linux shows both as files, `/sys/firmware/acpi/tables/CCEL` and `/sys/firmware/acpi/tables/data/CCEL`.
"""

from __future__ import annotations

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.eventlog import EventLog, LogKind, parse_event_log

TABLE_BYTES = 56
_WHAT = "CCEL table"
_CC_TYPE_TDX = 2


@frozen
class CcelTable:
    """The table's own fields. `log_area_bytes` is the least length of the log area, at a guest physical address."""

    cc_type: int
    cc_subtype: int
    log_area_bytes: int
    log_area_address: int


def parse_table(data: bytes) -> CcelTable:
    """Parse the ACPI table (56 bytes). Raises MalformedInputError, also for a wrong checksum or a CC type that is not TDX."""
    reader = Reader(memoryview(data), _WHAT)
    signature = bytes(reader.take(4, "signature"))
    if signature != b"CCEL":
        raise MalformedInputError(_WHAT, field="signature", offset=0, problem=f"expected b'CCEL', found {signature!r}")
    length = reader.u32("length")
    if length != TABLE_BYTES or len(data) != TABLE_BYTES:
        problem = f"expected {TABLE_BYTES} bytes, the table says {length} and the file has {len(data)}"
        raise MalformedInputError(_WHAT, field="length", offset=4, problem=problem)
    if sum(data) % 256:
        raise MalformedInputError(_WHAT, field="checksum", offset=9, problem="the bytes do not add up to 0 modulo 256")
    reader.take(28, "ACPI header")
    cc_type, cc_subtype, _, log_bytes, address = reader.unpack("BBHQQ", "body")
    if cc_type != _CC_TYPE_TDX:
        raise MalformedInputError(_WHAT, field="CC type", offset=36, problem=f"expected 2 (TDX), found {cc_type}")
    return CcelTable(cc_type, cc_subtype, log_bytes, address)


def parse_ccel(table_data: bytes, log_data: bytes) -> EventLog:
    """Parse a table with its log area, padded to the area's length or cut at the end of the log."""
    table = parse_table(table_data)
    if len(log_data) > table.log_area_bytes:
        problem = f"the log has {len(log_data)} bytes, more than the {table.log_area_bytes} of the log area"
        raise MalformedInputError(_WHAT, field="log area length", offset=40, problem=problem)
    return parse_event_log(log_data, LogKind.CCEL)

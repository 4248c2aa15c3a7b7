"""The UEFI variables that a firmware image comes with: edk2's variable store, in its configuration volume (CFV).

Format: edk2 MdeModulePkg/Include/Guid/VariableFormat.h at edk2-stable202502: VARIABLE_STORE_HEADER, then
AUTHENTICATED_VARIABLE_HEADERs with name and data, each at a multiple of 4 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import UnsupportedInputError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    Variables = Mapping[tuple[UUID, str], bytes]

_AUTHENTICATED_STORE = UUID("aaf32c78-947b-439a-a180-2e144ec37792")
_SIGNATURE_OFFSET, _HEADER_BYTES_OFFSET = 40, 48
_STORE_HEADER_BYTES = 28
_FORMATTED, _HEALTHY = 0x5A, 0xFE
_START = 0x55AA
_ADDED = 0x3F
"""The state of a variable that is there; deleted ones stay in the store with other bits cleared."""
_IN_DELETED_TRANSITION = 0x3E
_ALIGNMENT = 4
_MAX_NAME_BYTES = 2048


def read_variables(cfv: memoryview) -> Variables:
    """The variables of a configuration volume, by vendor and name.

    Raises MalformedInputError, and UnsupportedInputError for a store without room for authenticated variables.
    """
    reader = Reader(cfv, "variable store")
    reader.take(_SIGNATURE_OFFSET, "volume header")
    if bytes(reader.take(4, "volume signature")) != b"_FVH":
        raise UnsupportedInputError("firmware: its configuration volume is not a firmware volume")
    reader.position = _HEADER_BYTES_OFFSET
    header_bytes = reader.u16("header length")
    reader.position = 0
    reader.take(header_bytes, "volume header")
    kind = UUID(bytes_le=bytes(reader.take(16, "store type")))
    size_bytes = reader.u32("store size")
    form, state = reader.u8("store format"), reader.u8("store state")
    if kind != _AUTHENTICATED_STORE or (form, state) != (_FORMATTED, _HEALTHY):
        raise UnsupportedInputError(f"firmware: a variable store of type {kind} in state {form:#x} {state:#x}")
    reader.take(6, "reserved")
    if size_bytes < _STORE_HEADER_BYTES or size_bytes - _STORE_HEADER_BYTES > reader.remaining:
        raise reader.fail("store size", f"{size_bytes} bytes, of a volume of {len(cfv)}")
    content = reader.take(size_bytes - _STORE_HEADER_BYTES, "variables")
    return _variables(Reader(content, "variable store", base=header_bytes + _STORE_HEADER_BYTES))


def _variables(reader: Reader) -> Variables:
    found: dict[tuple[UUID, str], bytes] = {}
    while reader.remaining >= _ALIGNMENT and reader.data[reader.position :][:2] == _START.to_bytes(2, "little"):
        reader.take(2, "start")
        state = reader.u8("state")
        reader.take(1 + 4 + 8 + 16 + 4, "attributes, count, time and key")
        name_bytes, data_bytes = reader.u32("name size"), reader.u32("data size")
        vendor = UUID(bytes_le=bytes(reader.take(16, "vendor")))
        if name_bytes > _MAX_NAME_BYTES:
            raise reader.fail("name size", f"{name_bytes} bytes, at most {_MAX_NAME_BYTES} are known to occur")
        name = bytes(reader.take(name_bytes, "name")).decode("utf-16-le", "replace").rstrip("\0")
        data = bytes(reader.take(data_bytes, "data"))
        if state in {_ADDED, _IN_DELETED_TRANSITION}:
            if (vendor, name) in found:
                raise reader.fail("name", f"the variable {printable(name[:40])!r} occurs twice")
            found[vendor, name] = data
        reader.position = min(-(-reader.position // _ALIGNMENT) * _ALIGNMENT, len(reader.data))
    return found

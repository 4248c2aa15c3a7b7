"""MRTD: the digest of building a TD, computed from the firmware that its VMM loads.

Functions are named after the operations of the TDX module ("Intel TDX Module v1.5 ABI Specification", 348551, and
"Base Architecture Specification", 348549, 12.2.1 "MRTD: Build-Time Measurement Register").
"""

from __future__ import annotations

import hashlib
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

from teekit_verify.artifacts.tdvf import PAGE_BYTES, SectionType
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.artifacts.tdvf import TdvfSection, TdxFirmware

CHUNK_BYTES = 256


class PageOrder(Enum):
    """How a VMM interleaves the two operations. The value is the name on the command line.

    SINGLE adds and extends page after page: Linux' KVM_TDX_INIT_MEM_REGION with KVM_TDX_MEASURE_MEMORY_REGION, so QEMU
    from 9 on, and Google Cloud for firmware that it builds a TD from in the same way (`google_builds`). TWO_PASS adds all pages of a section,
    then extends them: QEMU 8 with the KVM of that time (dstack-mr src/tdvf.rs and src/machine.rs at 312dc605).
    """

    SINGLE = "single"
    TWO_PASS = "two"  # noqa: S105 - not a password


def tdh_mem_page_add(gpa: int) -> bytes:
    """TDH.MEM.PAGE.ADD: "Extension is done using SHA384 with a 128B extension buffer composed as follows: Bytes 0
    through 11 contain the ASCII string 'MEM.PAGE.ADD'. Bytes 16 through 23 contain the GPA (in little-endian format).
    All the other bytes contain 0."
    """
    return b"MEM.PAGE.ADD\0\0\0\0" + gpa.to_bytes(8, "little") + bytes(104)


def tdh_mr_extend(gpa: int, chunk: bytes | memoryview) -> bytes:
    """TDH.MR.EXTEND: "with three 128B extension buffers. [...] Bytes 0 through 8 contain the ASCII string 'MR.EXTEND'.
    Bytes 16 through 23 contain the GPA (in little-endian format). All the other bytes contain 0. The other two
    extension buffers contain the chunk's contents", which has 256 bytes.
    """
    return b"MR.EXTEND\0\0\0\0\0\0\0" + gpa.to_bytes(8, "little") + bytes(104) + chunk


def tdh_mr_finalize(messages: Iterable[bytes]) -> Digest:
    """TDH.MR.FINALIZE: the SHA-384 of everything extended so far; it adds nothing itself."""
    state = hashlib.sha384()
    for message in messages:
        state.update(message)
    return Digest(Algorithm.SHA384, state.digest())


def mrtd(firmware: TdxFirmware, order: PageOrder) -> Digest:
    """MRTD of a TD built from this firmware alone, as QEMU builds it; Google Cloud too where `google_builds` says so.

    Raises UnsupportedInputError for a section whose measured content the VMM makes up, or which is measured but not added.
    """
    return tdh_mr_finalize(message for section in firmware.sections for message in _built(firmware, section, order))


def google_builds(firmware: TdxFirmware) -> bool:
    """Whether Google Cloud's algorithm takes this firmware, and gives what SINGLE does.

    google/gce-tcb-verifier at 74582c07: ovmf/tdx_data.go (validateTDXMetadataSections(), parse()) knows four types of
    sections, asks for one TD_HOB, a BFV, volumes that fill the file and their memory, and no overlaps; tdx/measurement.go
    (InitMemoryRegion()) adds the pages of every section, PAGE_AUG or not, and fails where content is to be measured that
    the file does not hold.
    """
    sections = firmware.sections
    types = [section.type for section in sections]
    volumes = [section for section in sections if section.type in _VOLUMES]
    return (
        set(types) <= _GOOGLE_TYPES
        and types.count(SectionType.TD_HOB) == 1
        and SectionType.BFV in types
        and all(section.raw_size == section.memory_size for section in volumes)
        and sum(section.raw_size for section in volumes) == len(firmware.data)
        and not any(section.page_aug for section in sections)
        and not any(section.extends_mr for section in sections if section.type not in _VOLUMES)
        and not _overlap(sections)
    )


_VOLUMES = (SectionType.BFV, SectionType.CFV)
_GOOGLE_TYPES = {*_VOLUMES, SectionType.TD_HOB, SectionType.TEMP_MEM}


def _overlap(sections: Iterable[TdvfSection]) -> bool:
    places = sorted((section.memory_address, section.memory_size) for section in sections if section.memory_size)
    return any(start + size > following for (start, size), (following, _) in pairwise(places))


def _built(firmware: TdxFirmware, section: TdvfSection, order: PageOrder) -> Iterator[bytes]:
    """What building one section extends, about a page at a time."""
    if section.extends_mr and (section.page_aug or section.type is SectionType.TD_HOB):
        raise UnsupportedInputError(
            f"firmware: a {section.type.name} section is measured with its content, but the firmware does not contain it"
        )
    if section.page_aug:
        return
    pages = range(section.memory_address, section.memory_address + section.memory_size, PAGE_BYTES)
    if order is PageOrder.TWO_PASS or not section.extends_mr:
        for gpa in pages:
            yield tdh_mem_page_add(gpa)
    if section.extends_mr:
        content = firmware.content(section)
        for gpa in pages:
            if order is PageOrder.SINGLE:
                yield tdh_mem_page_add(gpa)
            start = gpa - section.memory_address
            yield _extended_page(gpa, bytes(content[start : start + PAGE_BYTES]).ljust(PAGE_BYTES, b"\0"))


def _extended_page(gpa: int, page: bytes) -> bytes:
    return b"".join(
        tdh_mr_extend(gpa + start, page[start : start + CHUNK_BYTES]) for start in range(0, PAGE_BYTES, CHUNK_BYTES)
    )

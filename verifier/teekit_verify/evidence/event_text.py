"""Whether the text of an event is what its digest was made of: who forges a log changes texts and keeps the digests.

Rules: what is hashed, by event type, in the TCG PC Client Platform Firmware Profile 1.05 r23 (10.4.1), and as it is done by edk2
c5aa7e7d (Tcg2Dxe.c, MeasureVariable; DxeTpm2MeasureBootLib), shim 15 to 16 (tpm.c), GRUB (commands/tpm.c), Red Hat's older GRUB,
systemd 252 to 261 (src/boot/measure.c), Linux 6.1 to 6.18 (libstub) and guest-components (eventlog/tcg2.rs). A text is FORGED only
where every known writer of such an event hashes it; where writers differ, it is not covered, and nobody may rely on it.
Non-rule: the type of an event is covered by no digest.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.describe import CEL_TEXT_EVENT, COS_EVENT, DSTACK_RUNTIME_EVENT, IMA_EVENT
from teekit_verify.registers.events import EventType
from teekit_verify.registers.measured import MEASURED_EVENT
from teekit_verify.registers.registers import pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register

_GRUB_PREFIXES = (b"grub_cmd: ", b"kernel_cmdline: ", b"module_cmdline: ", b"grub_kernel_cmdline ")
"""verify_string() hashes the text behind the prefix, without its NUL, so that the prefix may be another one."""
_RED_HAT_COMMAND = b"grub_cmd "
"""Red Hat's GRUB 2.02 hashes the command with its NUL."""
_AAEL_TAG = 0x4141454C
_WINDOWS_TAGS = frozenset({0x40010001, 0x40010002, 0x40010003, 0x40010005, 0xC0010004, 0xC0010006})
"""SIPA aggregations of Windows' measured boot (wbcl.h): the digest is that of the whole event."""
_SECTION = re.compile(r"\.[a-z]{2,12}")
_STUB_REGISTERS = frozenset({pcr(11), rtmr(2)})
_CMDLINE_REGISTERS = frozenset({pcr(12), rtmr(2)})
_MIN_WIDE_BYTES, _SEPARATOR_BYTES = 6, 4
_ERROR_SEPARATOR = (1).to_bytes(_SEPARATOR_BYTES, "little")


class TextStatus(Enum):
    """What the digest says of an event's text."""

    VERIFIED = "verified"
    CONTENT_VERIFIED = "content verified, its name is not covered by the digest"
    NOT_COVERED = "not covered by the digest"
    FORGED = "FORGED"


@frozen
class _Claim:
    """What may have been hashed, each with what it would prove. `strict`: something of it must have been."""

    hashed: tuple[tuple[bytes, TextStatus], ...] = ()
    strict: bool = False


@dataclass(slots=True)
class _Reading:
    """What the events before say: sections that systemd-stub has named, and whether something else measures the CRTM."""

    stub_registers: frozenset[Register]
    named: tuple[Register, str] | None = None
    has_crtm_contents: bool = False


def text_statuses(events: Sequence[Event]) -> tuple[TextStatus, ...]:
    """One for each event, in order. The whole log of a boot is needed: some events name the one that follows."""
    reading = _Reading(frozenset(event.register for event in events if _names_section(event)))
    return tuple(_status(event, reading) for event in events)


def count_statuses(statuses: Iterable[TextStatus]) -> dict[TextStatus, int]:
    """How many of each, those that there are none of included."""
    counted = Counter(statuses)
    return {status: counted[status] for status in TextStatus}


def _status(event: Event, reading: _Reading) -> TextStatus:
    section, named = _section_of(event), reading.named
    reading.named = None
    if event.event_type == EventType.EV_NO_ACTION or not event.data or not _stated(event):
        return TextStatus.NOT_COVERED
    if section and event.register in reading.stub_registers:
        return _section_status(event, section, named, reading)
    claim = _claim(event, reading)
    reading.has_crtm_contents |= event.event_type == EventType.EV_S_CRTM_CONTENTS
    for data, status in claim.hashed:
        if _is_hash_of(event, data):
            return status
    return TextStatus.FORGED if claim.strict else TextStatus.NOT_COVERED


def _stated(event: Event) -> bool:
    """Zeros are no digest of anything: firmware fills a bank that the TPM does not have with them."""
    return any(any(digest.value) for digest in event.digests)


def _is_hash_of(event: Event, data: bytes) -> bool:
    """In every bank: who can forge one of them must not verify with another."""
    stated = [digest for digest in event.digests if any(digest.value)]
    return all(digest.of(digest.algorithm, data) == digest for digest in stated)


def _section_of(event: Event) -> str:
    """The PE section that an event of systemd-stub names, else nothing."""
    text = _wide_text(event) if event.register in _STUB_REGISTERS and event.event_type == EventType.EV_IPL else ""
    return text if _SECTION.fullmatch(text) else ""


def _names_section(event: Event) -> bool:
    section = _section_of(event)
    return bool(section) and _is_hash_of(event, section.encode("ascii") + b"\0")


def _section_status(event: Event, section: str, named: tuple[Register, str] | None, reading: _Reading) -> TextStatus:
    """A pair: the name, which is hashed, and then the content, under the same name."""
    if _names_section(event):
        reading.named = (event.register, section)
        return TextStatus.VERIFIED
    return TextStatus.NOT_COVERED if named == (event.register, section) else TextStatus.FORGED


def _claim(event: Event, reading: _Reading) -> _Claim:
    if event.event_type == EventType.EV_S_CRTM_VERSION:
        # With Boot Guard the CRTM's own measurement comes first, and such firmware hashes another version than it logs.
        return _Claim(((event.data, TextStatus.VERIFIED),), strict=not reading.has_crtm_contents)
    return _CLAIMS.get(event.event_type, _whole_perhaps)(event)


def _whole(event: Event) -> _Claim:
    return _Claim(((event.data, TextStatus.VERIFIED),), strict=True)


def _whole_perhaps(event: Event) -> _Claim:
    return _Claim(((event.data, TextStatus.VERIFIED),))


def _action(event: Event) -> _Claim:
    """The text; some log a NUL that they do not hash."""
    return _Claim(((event.data, TextStatus.VERIFIED), (event.data.rstrip(b"\0"), TextStatus.VERIFIED)), strict=True)


def _runtime(event: Event) -> _Claim:
    """Dstack's, in one of the forms that it hashes (evidence.dstack.runtime_message)."""
    return _Claim(((event.data, TextStatus.VERIFIED),), strict=event.data[4:5] == b":" or event.data[:1] == b"{")


def _separator(event: Event) -> _Claim:
    """After an error 1 is hashed, and the data says what happened (3.3.2.2)."""
    whole = (event.data, TextStatus.VERIFIED)
    if event.data == bytes(_SEPARATOR_BYTES):
        return _Claim((whole,), strict=True)
    return _Claim((whole, (_ERROR_SEPARATOR, TextStatus.NOT_COVERED)), strict=len(event.data) == _SEPARATOR_BYTES)


def _authority(event: Event) -> _Claim:
    """The variable; older builds of shim do not hash its last byte (rhboot/shim 8a27a480), which may be another one."""
    return _Claim(((event.data, TextStatus.VERIFIED), (event.data[:-1], TextStatus.NOT_COVERED)), strict=True)


def _boot_variable(event: Event) -> _Claim:
    """Edk2 hashes the content only, so that nothing says under which name it stood; other firmware hashes all of it."""
    whole = (event.data, TextStatus.VERIFIED)
    try:
        content = _variable_content(event.data)
    except MalformedInputError:
        return _Claim((whole,), strict=True)
    return _Claim((whole, (content, TextStatus.CONTENT_VERIFIED)), strict=True)


def _variable_content(data: bytes) -> bytes:
    """Of UEFI_VARIABLE_DATA, 10.2.6."""
    reader = Reader(memoryview(data), "variable event")
    reader.take(16, "GUID")
    characters, size = reader.unpack("QQ", "lengths")
    reader.take(characters * 2, "name")
    return bytes(reader.take(size, "data"))


def _ipl(event: Event) -> _Claim:
    text = event.data.split(b"\0")[0]
    for prefix in _GRUB_PREFIXES:
        if text.startswith(prefix):
            return _Claim(((text.removeprefix(prefix), TextStatus.CONTENT_VERIFIED),), strict=True)
    if text.startswith(_RED_HAT_COMMAND):
        command = text.removeprefix(_RED_HAT_COMMAND) + b"\0"
        return _Claim(((command, TextStatus.CONTENT_VERIFIED),), strict=True)
    wide = _wide_text(event)
    if wide and not _SECTION.fullmatch(wide):
        # The command line in UTF-16, or the name of a cpio that the stub made: all of these end in "initrd".
        strict = event.register in _CMDLINE_REGISTERS and not wide.endswith(" initrd")
        encoded = wide.encode("utf-16-le")
        return _Claim(((encoded, TextStatus.VERIFIED), (encoded + b"\0\0", TextStatus.VERIFIED)), strict)
    return _whole_perhaps(event)


def _wide_text(event: Event) -> str:
    """UTF-16 of more than a letter, in ASCII, with its NUL; else nothing."""
    data = event.data
    if len(data) < _MIN_WIDE_BYTES or len(data) % 2 or any(data[1::2]) or data[-2:] != b"\0\0":
        return ""
    return data.decode("utf-16-le").split("\0")[0]


def _tagged(event: Event) -> _Claim:
    """Linux and systemd hash what the tag only names; Windows and the Attestation Agent hash the event itself."""
    tag = int.from_bytes(event.data[:4], "little")
    return _Claim(((event.data, TextStatus.VERIFIED),), strict=tag == _AAEL_TAG or tag in _WINDOWS_TAGS)


_CLAIMS: dict[int, Callable[[Event], _Claim]] = {
    EventType.EV_SEPARATOR: _separator,
    EventType.EV_ACTION: _action,
    EventType.EV_EFI_ACTION: _action,
    EventType.EV_OMIT_BOOT_DEVICE_EVENTS: _action,
    EventType.EV_EFI_VARIABLE_DRIVER_CONFIG: _whole,
    EventType.EV_EFI_VARIABLE_BOOT: _boot_variable,
    EventType.EV_EFI_VARIABLE_BOOT2: _whole,
    EventType.EV_EFI_VARIABLE_AUTHORITY: _authority,
    EventType.EV_EFI_GPT_EVENT: _whole,
    EventType.EV_IPL: _ipl,
    EventType.EV_EVENT_TAG: _tagged,
    DSTACK_RUNTIME_EVENT: _runtime,
    IMA_EVENT: _whole,
    COS_EVENT: _whole,
    CEL_TEXT_EVENT: _whole,
    MEASURED_EVENT: _whole,
}

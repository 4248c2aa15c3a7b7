"""Texts against digests. Real logs are the measure of what is hashed; what is made here is hashed by hashlib as its specification says."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from typing import TYPE_CHECKING

import pytest

from builders import eventlog as build
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.evidence.describe import DSTACK_RUNTIME_EVENT
from teekit_verify.evidence.event_text import TextStatus, text_statuses
from teekit_verify.evidence.files import read_log
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import Register, pcr, rtmr

if TYPE_CHECKING:
    from pathlib import Path

VERIFIED, CONTENT, OPEN, FORGED = TextStatus
BOOTS = build.ASSETS.parent / "boots"
LOGS = [
    build.ASSETS / "gcp-cos113-ccel-data.bin",
    build.ASSETS / "gcp-cos113-two-separators.bin",
    build.ASSETS / "dstack-quote-report.json",
    build.ASSETS / "dstack-attestation.bin",
    build.ASSETS / "ovmf-swtpm-uki.bin",
    build.ASSETS / "ima-ng.txt",
    build.ASSETS / "ima-cc.txt",
    *sorted(BOOTS.glob("*.bin")),
]
PCR5, PCR11 = pcr(5), pcr(11)
GUID = bytes(range(16))


def _event(event_type: int, data: bytes, hashed: bytes, register: Register = PCR5) -> Event:
    digests = (
        Digest(Algorithm.SHA256, hashlib.sha256(hashed).digest()),
        Digest(Algorithm.SHA384, hashlib.sha384(hashed).digest()),
    )
    return Event(register, event_type, digests, "", data=data)


def _variable(name: str, content: bytes) -> bytes:
    """UEFI_VARIABLE_DATA, PFP 10.2.6."""
    return GUID + struct.pack("<QQ", len(name), len(content)) + name.encode("utf-16-le") + content


def _wide(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le")


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_no_real_log_is_called_forged(path: Path) -> None:
    assert FORGED not in text_statuses(read_log(path).events)


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_every_verified_text_of_a_real_log_is_forged_once_a_byte_of_it_changes(path: Path) -> None:
    events = read_log(path).events
    statuses = text_statuses(events)
    for number, (event, status) in enumerate(zip(events, statuses, strict=True)):
        if status not in {VERIFIED, CONTENT}:
            continue
        changed = bytearray(event.data)
        changed[-2 if event.event_type == EventType.EV_IPL else -1] ^= 1  # GRUB's NUL is not hashed
        forged = (*events[:number], dataclasses.replace(event, data=bytes(changed)), *events[number + 1 :])
        assert text_statuses(forged)[number] in {FORGED, OPEN}, (path.name, number)


STRICT = [
    (EventType.EV_SEPARATOR, bytes(4)),
    (EventType.EV_ACTION, b"x action"),
    (EventType.EV_EFI_ACTION, b"Calling EFI Application from Boot Option"),
    (EventType.EV_OMIT_BOOT_DEVICE_EVENTS, b"BOOT ATTEMPTS OMITTED"),
    (EventType.EV_S_CRTM_VERSION, _wide("1.0")),
    (EventType.EV_EFI_VARIABLE_DRIVER_CONFIG, _variable("SecureBoot", b"\0")),
    (EventType.EV_EFI_VARIABLE_AUTHORITY, _variable("db", bytes(50))),
    (EventType.EV_EFI_VARIABLE_BOOT2, _variable("BootOrder", b"\1\0")),
    (EventType.EV_EFI_VARIABLE_BOOT, _variable("BootOrder", b"\1\0")),
    (EventType.EV_EFI_GPT_EVENT, bytes(92)),
    (DSTACK_RUNTIME_EVENT, b"\1\0\0\x08:app-id:\x12"),
    (EventType.EV_EVENT_TAG, struct.pack("<II", 0x4141454C, 5) + b"a b c"),  # guest-components, tcg2.rs
]


@pytest.mark.parametrize(("event_type", "data"), STRICT)
def test_types_whose_digest_is_that_of_their_data(event_type: int, data: bytes) -> None:
    good = _event(event_type, data, data)
    assert text_statuses((good,)) == (VERIFIED,)
    changed = dataclasses.replace(good, data=data[:-1] + bytes([data[-1] ^ 1]))
    assert text_statuses((changed,)) == (FORGED,)


@pytest.mark.parametrize("bank", [0, 1])
def test_one_bank_that_contradicts_is_enough(bank: int) -> None:
    good = _event(EventType.EV_EFI_ACTION, b"text", b"text")
    wrong = _event(EventType.EV_EFI_ACTION, b"text", b"other").digests[bank]
    digests = tuple(wrong if number == bank else digest for number, digest in enumerate(good.digests))
    assert text_statuses((dataclasses.replace(good, digests=digests),)) == (FORGED,)


def test_of_a_boot_variable_edk2_hashes_the_content() -> None:
    """Tcg2Dxe.c, MeasureVariable: so that its name may be another one."""
    data = _variable("BootOrder", b"\1\0")
    assert text_statuses((_event(EventType.EV_EFI_VARIABLE_BOOT, data, b"\1\0"),)) == (CONTENT,)
    assert text_statuses((_event(EventType.EV_EFI_VARIABLE_BOOT, data, b"\2\0"),)) == (FORGED,)


@pytest.mark.parametrize("prefix", [b"grub_cmd: ", b"kernel_cmdline: ", b"module_cmdline: "])
@pytest.mark.parametrize("behind", [b"", b"\0", b"\0rubbish"])
def test_grub_hashes_what_is_behind_its_prefix(prefix: bytes, behind: bytes) -> None:
    assert text_statuses((_event(EventType.EV_IPL, prefix + b"linux /a" + behind, b"linux /a"),)) == (CONTENT,)
    assert text_statuses((_event(EventType.EV_IPL, prefix + b"linux /b" + behind, b"linux /a"),)) == (FORGED,)


def test_names_of_files_and_of_shims_variables_are_not_covered() -> None:
    for name in (b"(hd0,gpt2)/grub/grub.cfg\0", b"MokList\0", b"EVIL_cmd: set x\0"):
        assert text_statuses((_event(EventType.EV_IPL, name, b"set x"),)) == (OPEN,)


def _section(text: str, hashed: bytes, register: Register = PCR11) -> Event:
    return _event(EventType.EV_IPL, _wide(text), hashed, register)


@pytest.mark.parametrize("register", [pcr(11), rtmr(2)])
def test_sections_of_a_uki_are_named_before_their_content(register: Register) -> None:
    pair = (_section(".linux", b".linux\0", register), _section(".linux", b"MZ", register))
    more = (_section(".osrel", b".osrel\0", register), _section(".osrel", b"ID=x", register))
    assert text_statuses((*pair, *more)) == (VERIFIED, OPEN, VERIFIED, OPEN)
    renamed = (*pair, _section(".uname", b".osrel\0", register), more[1])
    assert text_statuses(renamed) == (VERIFIED, OPEN, FORGED, FORGED)
    content = (*pair, more[0], _section(".uname", b"ID=x", register))
    assert text_statuses(content) == (VERIFIED, OPEN, VERIFIED, FORGED)


@pytest.mark.parametrize("hashed", [_wide("quiet"), _wide("quiet")[:-2]])
def test_the_command_line_of_systemd_boot(hashed: bytes) -> None:
    assert text_statuses((_event(EventType.EV_IPL, _wide("quiet"), hashed, pcr(12)),)) == (VERIFIED,)
    assert text_statuses((_event(EventType.EV_IPL, _wide("noisy"), hashed, pcr(12)),)) == (FORGED,)
    assert text_statuses((_event(EventType.EV_IPL, _wide("Credentials initrd"), b"0707", pcr(12)),)) == (OPEN,)


def test_what_linux_tags_is_only_named() -> None:
    data = struct.pack("<II", 0x8F3B22ED, 26) + b"LOADED_IMAGE::LoadOptions\0"
    assert text_statuses((_event(EventType.EV_EVENT_TAG, data, b"quiet"),)) == (OPEN,)


def test_an_error_separator_says_what_happened() -> None:
    """PFP 3.3.2.2: 1 is hashed."""
    assert text_statuses((_event(EventType.EV_SEPARATOR, b"\x12\0\0\0", b"\1\0\0\0"),)) == (OPEN,)
    assert text_statuses((_event(EventType.EV_SEPARATOR, bytes(4), b"\1\0\0\0"),)) == (FORGED,)


def test_authorities_without_their_last_byte() -> None:
    """rhboot/shim 8a27a480: "the size of the structure was one too small"."""
    data = _variable("Shim", bytes(range(9)))
    assert text_statuses((_event(EventType.EV_EFI_VARIABLE_AUTHORITY, data, data[:-1]),)) == (OPEN,)
    assert text_statuses((_event(EventType.EV_EFI_VARIABLE_AUTHORITY, data, data[:-2]),)) == (FORGED,)


@pytest.mark.parametrize("event_type", [0x80000001, 0x80000002, 0x8000000C, 0x800000E0])
def test_a_variable_that_is_none_is_no_way_out(event_type: int) -> None:
    data = bytearray(_variable("SecureBoot", b"\1"))
    event = _event(event_type, bytes(data), bytes(data))
    data[16] = 0xFF  # the length of its name
    assert text_statuses((dataclasses.replace(event, data=bytes(data)),)) == (FORGED,)


def test_with_boot_guard_the_version_is_not_covered() -> None:
    contents = _event(EventType.EV_S_CRTM_CONTENTS, b"Boot Guard Measured S-CRTM\0", b"?", pcr(0))
    version = _event(EventType.EV_S_CRTM_VERSION, _wide("2.3.5"), b"?", pcr(0))
    assert text_statuses((contents, version)) == (OPEN, OPEN)
    assert text_statuses((version, contents)) == (FORGED, OPEN)


def test_what_the_log_does_not_have_is_not_forged() -> None:
    """Dstack leaves the data of boot events out; EV_NO_ACTION extends nothing; zeros are no digest."""
    assert text_statuses((_event(EventType.EV_SEPARATOR, b"", bytes(4)),)) == (OPEN,)
    assert text_statuses((_event(EventType.EV_NO_ACTION, b"x", b"y"),)) == (OPEN,)
    zeros = Event(pcr(5), EventType.EV_SEPARATOR, (Digest.zero(Algorithm.SHA256),), "", data=bytes(4))
    assert text_statuses((zeros,)) == (OPEN,)

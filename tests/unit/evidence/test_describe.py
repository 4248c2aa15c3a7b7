from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import eventlog as build
from teekit_verify.evidence.describe import describe
from teekit_verify.evidence.devicepath import device_path_text
from teekit_verify.evidence.files import read_log
from teekit_verify.registers.events import EventType

# bytes and text of real boots: text as tpm2_eventlog, `efibootmgr -v` and the UEFI shell print the same events
COS = [event.description for event in read_log(build.ASSETS / "gcp-cos113-ccel-data.bin").events]


@pytest.mark.parametrize(
    "words",
    [
        'hand-off tables "TdxTable", 1 of them',
        'firmware "Fv(48DB5E17-707C-472D-91CD-1613E7EF51B0)" at 0xffe00000, 131072 bytes',
        "variable SecureBoot of 8BE4DF61-93CA-11D2-AA0D-00E098032B8C, 1 bytes",
        "variable dbx of D719B2CB-3D3A-4596-A3BC-DAD00E67656F, 4461 bytes",
        '"ACPI DATA"',
        '"Calling EFI Application from Boot Option"',
        "separator",
        "GPT of disk E0C6C56E-5EF7-8E4A-ACE6-3C31A7F75A29, 12 partitions",
        '"grub_cmd: gptpriority hd0 2 prioA"',
        (
            "image of 924688 bytes from PciRoot(0x0)/Pci(0x4,0x0)/NVMe(0x1)/"
            "HD(12,GPT,58EC8B8F-8E5B-ED42-83A4-0691ABB8F3C7,0x3d000,0x10000)/\\EFI\\BOOT\\BOOTX64.EFI"
        ),
    ],
)
def test_words_for_events_of_a_real_boot(words: str) -> None:
    assert words in COS


@pytest.mark.parametrize(
    ("event_type", "data", "words"),
    [
        (EventType.EV_SEPARATOR, b"\1\0\0\0", "separator 01000000"),
        (EventType.EV_S_CRTM_VERSION, "2022.11-6".encode("utf-16-le") + b"\0\0", 'firmware version "2022.11-6"'),
        (EventType.EV_S_CRTM_VERSION, b"\0\0", "firmware version 2 bytes"),
        (
            EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB,
            struct.pack("<QQ", 0x820000, 0xE0000),
            "firmware volume at 0x820000, 917504 bytes",
        ),
        (EventType.EV_IPL, ".linux\0".encode("utf-16-le"), '".linux"'),
        (
            EventType.EV_EVENT_TAG,
            struct.pack("<II", 0x8F3B22EC, 13) + b"Linux initrd\0",
            'tag 0x8f3b22ec "Linux initrd"',
        ),
        (EventType.EV_EFI_BOOT_SERVICES_APPLICATION, struct.pack("<QQQQ", 0, 7, 0, 0), "image of 7 bytes from memory"),
        (EventType.EV_EFI_ACTION, b"\x1b[2Jgone", "8 bytes"),
        (EventType.EV_IPL, b"two\nlines", '"two\\nlines"'),
        (0x8000001, b"", "0 bytes"),
        (0x8000001, b"\1\0\0\x08:app-id:\x7c\x63", 'runtime event "app-id", 2 bytes'),
        (0x8000001, "ü".encode(), "2 bytes"),
    ],
)
def test_words(event_type: int, data: bytes, words: str) -> None:
    assert describe(event_type, data) == words


def test_foreign_text_is_escaped_and_cut() -> None:
    name = "\x1b[31m".encode("utf-16-le")
    data = bytes(16) + struct.pack("<QQ", 5, 0) + name
    words = describe(EventType.EV_EFI_VARIABLE_BOOT, data)
    assert words.startswith("variable \\x1b[31m of ")
    assert len(describe(EventType.EV_IPL, b"a" * 5000)) == 160


@pytest.mark.parametrize("event_type", list(EventType))
@given(data=st.binary(max_size=120))
def test_a_description_never_fails(event_type: EventType, data: bytes) -> None:
    words = describe(event_type, data)
    assert words.isprintable()
    assert words


def _node(kind: int, subtype: int, body: bytes) -> bytes:
    return struct.pack("<BBH", kind, subtype, 4 + len(body)) + body


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (_node(1, 1, b"\0\x1f"), "Pci(0x1f,0x0)"),
        (_node(2, 1, bytes.fromhex("d041030a") + bytes(4)), "PciRoot(0x0)"),
        (_node(3, 2, b"\1\0\2\0"), "Scsi(0x1,0x2)"),
        (
            _node(4, 3, bytes.fromhex("27e4685c0665b8459e0acdcefa14f9e7")),
            "VenMedia(5C68E427-6506-45B8-9E0A-CDCEFA14F9E7)",
        ),
        (
            _node(4, 6, bytes.fromhex("21aa2c4614760345836e8ab6f4662331")),
            "FvFile(462CAA21-7614-4503-836E-8AB6F4662331)",
        ),
        (
            _node(4, 7, bytes.fromhex("c9bdb87cebf8344faaea3ee4af6516a1")),
            "Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)",
        ),
        (_node(3, 99, b"\1\2"), "Path(3,99,0102)"),
    ],
)
def test_device_path_nodes(node: bytes, text: str) -> None:
    assert device_path_text(node + _node(0x7F, 0xFF, b"")) == text

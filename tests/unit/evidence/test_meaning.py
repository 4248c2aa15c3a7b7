"""Real logs edited at one event: the words name the cause."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import eventlog as build
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.evidence.describe import DSTACK_RUNTIME_EVENT, describe
from teekit_verify.evidence.dstack import parse_dstack_log
from teekit_verify.evidence.files import read_log
from teekit_verify.evidence.loadoption import boot_order, load_option, variable_of
from teekit_verify.evidence.meaning import explain
from teekit_verify.registers.align import first_divergence
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import rtmr
from teekit_verify.wording.meanings import meaning_words

if TYPE_CHECKING:
    from collections.abc import Sequence

COS = read_log(build.ASSETS / "gcp-cos113-ccel-data.bin").events
DSTACK = parse_dstack_log((build.ASSETS / "dstack-quote-report.json").read_bytes()).events
OTHER = (Digest(Algorithm.SHA384, b"\x11" * 48),)


def _explained(predicted: Sequence[Event], observed: Sequence[Event], register: int = 0) -> str:
    divergence = first_divergence(predicted, observed, rtmr(register), Algorithm.SHA384)
    assert divergence is not None
    return meaning_words(explain(divergence, observed))


def _position(events: Sequence[Event], words: str, nth: int = 0) -> int:
    return [number for number, event in enumerate(events) if words in event.description][nth]


def _edited(events: Sequence[Event], words: str, nth: int = 0, data: bytes | None = None) -> list[Event]:
    """The log with another digest in one event, and other data if given."""
    edited = list(events)
    at = _position(events, words, nth)
    kept = edited[at].data if data is None else data
    description = describe(edited[at].event_type, kept) if data is not None else edited[at].description
    edited[at] = dataclasses.replace(edited[at], digests=OTHER, data=kept, description=description)
    return edited


def _variable(event: Event, content: bytes, name: str | None = None) -> bytes:
    there = variable_of(event)
    assert there is not None
    text = (name or there.name).encode("utf-16-le")
    return event.data[:16] + struct.pack("<QQ", len(text) // 2, len(content)) + text + content


@pytest.mark.parametrize(
    ("words", "nth", "register", "explanation"),
    [
        ("hand-off", 0, 0, "the TD HOB differs: another memory size, or firmware with other sections"),
        ("Fv(", 0, 0, "the firmware's configuration volume (CFV) differs: another firmware build or variable store"),
        ("variable db of", 0, 0, "Secure Boot variable db differs: other signers or images are allowed"),
        ("variable PK of", 0, 0, "Secure Boot variable PK differs: another platform key is enrolled"),
        ("ACPI DATA", 0, 0, "ACPI tables differ (table loader): another machine shape or firmware"),
        ("ACPI DATA", 2, 0, "ACPI tables differ (tables): another machine shape or firmware"),
        ("separator", 0, 0, "a separator differs: the firmware met an error"),
        (
            "SbatLevel",
            0,
            0,
            "SbatLevel is measured by shim: what the firmware starts is shim",
        ),
        ("GPT of disk", 0, 1, "the partition table differs: another disk GUID, size, or partition"),
    ],
)
def test_one_event_of_a_gcp_log(words: str, nth: int, register: int, explanation: str) -> None:
    assert _explained(COS, _edited(COS, words, nth), register) == explanation


def test_secure_boot_off() -> None:
    at = _position(COS, "SecureBoot")
    observed = _edited(COS, "SecureBoot", data=_variable(COS[at], b"\1"))
    assert _explained(COS, observed) == "Secure Boot variable SecureBoot differs: Secure Boot is on in the VM"
    assert _explained(observed, COS).endswith("Secure Boot is off in the VM")


def _with_second_disk() -> list[Event]:
    """The log of the same machine with one disk more, as edk2 names and orders the entries of NVMe disks."""
    observed = _edited(COS, "BootOrder", data=_variable(COS[_position(COS, "BootOrder")], struct.pack("<HHH", 1, 2, 0)))
    first = COS[_position(COS, "Boot0001")]
    variable = variable_of(first)
    assert variable is not None
    content = variable.content.replace(b"\x03\x17\x10\0\1", b"\x03\x17\x10\0\2")
    data = _variable(first, content, "Boot0002")
    second = dataclasses.replace(first, digests=OTHER, data=data, description=describe(first.event_type, data))
    at = _position(COS, "Boot0001") + 1
    return [*observed[:at], second, *observed[at:]]


def test_one_disk_more() -> None:
    observed = _with_second_disk()
    assert _explained(COS, observed) == (
        "the boot order differs: it is 0001, 0002, 0000, predicted was 0001, 0000; the VM has two NVMe disks"
    )
    same_order = [*observed]
    same_order[_position(observed, "BootOrder")] = COS[_position(COS, "BootOrder")]
    assert _explained(COS, same_order) == (
        "boot entry 2 differs: Boot0002 is UEFI nvme_card-pd at PciRoot(0x0)/Pci(0x4,0x0)/NVMe(0x2); "
        "the VM has two NVMe disks"
    )
    assert _explained(observed, COS).endswith("predicted was 0001, 0002, 0000; the VM has one NVMe disk")


def test_another_slot() -> None:
    at = _position(COS, "Boot0001")
    observed = _edited(COS, "Boot0001", data=COS[at].data.replace(b"\1\1\6\0\0\4", b"\1\1\6\0\0\5"))
    assert _explained(COS, observed) == (
        "boot entry 1 differs: Boot0001 is UEFI nvme_card-pd at PciRoot(0x0)/Pci(0x5,0x0)/NVMe(0x1); "
        "the VM has one NVMe disk"
    )


def test_a_predicted_event_without_data_is_known_by_the_observed_one() -> None:
    predicted = [dataclasses.replace(event, data=b"") for event in COS]
    assert _explained(predicted, _edited(COS, "BootOrder")) == "the boot order differs; the VM has one NVMe disk"
    assert _explained(predicted, _edited(COS, "ACPI DATA", 1)).startswith("ACPI tables differ (RSDP)")
    assert _explained(predicted, _edited(COS, "KEK")).startswith("Secure Boot variable KEK differs")


def test_missing_and_extra_events() -> None:
    at = _position(COS, "separator")
    without = [*COS[:at], *COS[at + 1 :]]
    assert _explained(COS, without).startswith(
        "a separator is measured in one boot only: firmware before edk2-stable2024"
    )
    authority = _position(COS, "SbatLevel")
    shortened = [event for event in COS if event.event_type != EventType.EV_EFI_VARIABLE_AUTHORITY]
    assert _explained(COS, shortened).startswith("SbatLevel is measured by shim")
    db = _edited(COS, "SbatLevel", data=_variable(COS[authority], b"", "db"))
    assert _explained(shortened, db).startswith("the db entry that allowed an image is measured: Secure Boot is on")


def test_a_file_that_was_not_started() -> None:
    shortened = [event for event in DSTACK if event.event_type != EventType.EV_EFI_BOOT_SERVICES_APPLICATION]
    assert _explained(DSTACK, shortened, 1).startswith("a file was not started or loaded: image of 8246272 bytes")


def test_events_of_another_kind() -> None:
    swapped = list(COS)
    first, second = _position(COS, "ACPI DATA"), _position(COS, "BootOrder")
    swapped[first] = dataclasses.replace(COS[second], digests=OTHER)
    assert _explained(COS, swapped) == "the boots took different paths here: what is measured is of another kind"


@pytest.mark.parametrize(
    ("words", "nth", "register", "explanation"),
    [
        ("LoadOptions", 0, 2, "the kernel command line differs"),
        ("Linux initrd", 0, 2, "the initrd differs"),
        ("VenMedia", 0, 1, "another file was started or loaded: image of 8246272 bytes from VenMedia("),
        ("runtime event app-id", 0, 3, "another application, configuration or instance: runtime event app-id: 3763bc"),
        (
            "Boot0000",
            0,
            0,
            "boot entry 1 differs: Boot0000 is UiApp at Fv(7CB8BDC9-F8EB-4F34-AAEA-3EE4AF6516A1)/FvFile(",
        ),
    ],
)
def test_one_event_of_a_qemu_log(words: str, nth: int, register: int, explanation: str) -> None:
    assert _explained(DSTACK, _edited(DSTACK, words, nth), register).startswith(explanation)


def test_another_disk() -> None:
    at = _position(COS, "GPT of disk")
    data = COS[at].data[:56] + bytes(16) + COS[at].data[72:]
    assert _explained(COS, _edited(COS, "GPT of disk", data=data), 1) == (
        "the partition table differs: GPT of disk 00000000-0000-0000-0000-000000000000, 12 partitions instead of "
        "GPT of disk E0C6C56E-5EF7-8E4A-ACE6-3C31A7F75A29, 12 partitions"
    )


def test_fw_cfg_items() -> None:
    data = b"QEMU FW CFG\0" + b"bootorder".ljust(56, b"\0")
    item = Event(rtmr(0), EventType.EV_PLATFORM_CONFIG_FLAGS, OTHER, "fw_cfg", data=data)
    changed = dataclasses.replace(item, digests=(Digest(Algorithm.SHA384, b"\x22" * 48),))
    assert _explained([item], [changed]) == "QEMU's fw_cfg item bootorder differs: other machine options"
    assert _explained(COS, [item, *COS]).startswith("QEMU's fw_cfg item bootorder is measured in one boot only")


def test_uki_sections_and_what_is_not_understood() -> None:
    section = Event(rtmr(2), EventType.EV_IPL, OTHER, "of any description", data=b".initrd\0")
    assert _explained([section], [], 2) == "UKI section .initrd differs"
    for event_type in (EventType.EV_IPL, EventType.EV_EVENT_TAG, EventType.EV_PLATFORM_CONFIG_FLAGS, 0x77):
        assert _explained([Event(rtmr(2), event_type, OTHER, "7 bytes")], [], 2) == ""
    for event_type, words in (
        (EventType.EV_EFI_VARIABLE_DRIVER_CONFIG, "a Secure Boot variable differs"),
        (EventType.EV_EFI_VARIABLE_BOOT, "a boot variable differs"),
    ):
        assert _explained([Event(rtmr(2), event_type, OTHER, "7 bytes")], [], 2) == words
    secure_boot = COS[_position(COS, "SecureBoot")]
    assert _explained([secure_boot], []) == "Secure Boot variable SecureBoot differs"
    table = Event(rtmr(0), EventType.EV_EFI_HANDOFF_TABLES2, OTHER, "table", data=b"\3xyz")
    assert _explained([table], []) == "a hand-off table of the firmware differs"


def test_many_disks() -> None:
    entries = []
    first = COS[_position(COS, "Boot0001")]
    variable = variable_of(first)
    assert variable is not None
    for number in range(1, 7):
        data = _variable(first, variable.content, f"Boot{number:04X}")
        entries.append(dataclasses.replace(first, data=data, digests=OTHER))
    order = _edited(COS, "BootOrder")
    assert _explained(COS, [*order, *entries]).endswith("; the VM has 6 NVMe disks")


@given(st.sampled_from([*EventType, DSTACK_RUNTIME_EVENT]), st.binary(max_size=150), st.binary(max_size=150))
def test_explaining_never_fails(event_type: int, one: bytes, two: bytes) -> None:
    predicted = Event(rtmr(0), event_type, OTHER, describe(event_type, one), data=one)
    digests = (Digest(Algorithm.SHA384, b"\x22" * 48),)
    observed = Event(rtmr(0), event_type, digests, describe(event_type, two), data=two)
    if event_type != EventType.EV_NO_ACTION:
        words = _explained([predicted], [observed])
        assert words.isprintable() or words == ""
        assert len(words) < 1500


@given(st.binary(max_size=100))
def test_boot_entries_of_any_bytes(content: bytes) -> None:
    option = load_option(content)
    assert option is None or (option.description + option.path).isprintable() or option.description + option.path == ""
    assert len(boot_order(content)) == len(content) // 2

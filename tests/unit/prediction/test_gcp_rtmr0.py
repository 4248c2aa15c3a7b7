"""RTMR0 on Google Cloud: against the log of a real machine, event by event, and the quote of another."""

from __future__ import annotations

import hashlib

import pytest

from builders import eventlog
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.evidence.files import read_log
from teekit_verify.prediction.gcp_rtmr0 import (
    CUSTOM_IMAGE,
    AcpiDigests,
    GcpFirmware,
    GcpMachine,
    alternatives,
    predict_rtmr0,
)
from teekit_verify.prediction.tdhob import GIB, MemoryRange
from teekit_verify.prediction.variables import SecureBootVariables, gcp_nvme_option, ui_app_option
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import rtmr

SECTIONS = tuple(
    MemoryRange(start, size)
    for start, size in (
        (0xFFE20000, 0x1E0000),
        (0xFFE00000, 0x20000),
        (0x810000, 0x10000),
        (0x80B000, 0x2000),
        (0x809000, 0x2000),
        (0x800000, 0x6000),
    )
)
MACHINE = GcpMachine("c3-standard-4", 16 * GIB, 1)


def sha384(text: str) -> Digest:
    return Digest.from_hex(Algorithm.SHA384, text)


def firmware(cfv: Digest | None) -> GcpFirmware:
    return GcpFirmware("recorded: test", SECTIONS, SECTIONS[4], SECTIONS[1], cfv)


def cos_events() -> list[Event]:
    log = read_log(eventlog.ASSETS / "gcp-cos113-ccel-data.bin", table=eventlog.ASSETS / "gcp-cos113-ccel-table.bin")
    return [event for event in log.events if event.register == rtmr(0)]


def cos_inputs() -> tuple[GcpFirmware, AcpiDigests, SecureBootVariables]:
    """What cannot be computed, taken from the log itself: configuration volume, ACPI digests, Google's own keys."""
    events = cos_events()
    contents = []
    for event in events[2:7]:
        name_bytes = 2 * int.from_bytes(event.data[16:24], "little")
        contents.append(event.data[32 + name_bytes :])
    acpi = AcpiDigests("COS 113", *(event.digests[0] for event in events[8:11]))
    return firmware(events[1].digests[0]), acpi, SecureBootVariables(*contents)


def test_every_event_of_a_real_log_but_shims() -> None:
    seen = cos_events()
    known, acpi, keys = cos_inputs()
    predicted = predict_rtmr0(MACHINE, known, acpi, disks=1, pci_device=4, keys=keys)
    assert [(event.event_type, event.digests, event.data) for event in predicted.events] == [
        (event.event_type, event.digests, event.data) for event in seen[:14]
    ]
    assert {event.event_type for event in seen[14:]} == {EventType.EV_EFI_VARIABLE_AUTHORITY}
    assert predicted.missing == ()


def test_rtmr0_of_a_real_quote() -> None:
    """flashbots/attested-tls at 223349776d, crates/attestation: the quote in test-assets/gcp-tdx-1782809233226668671,
    a c3-standard-4 with one disk beside the boot disk; its ACPI digests are in src/gcp.rs, its configuration volume's in
    test-assets/gcp-tdx-firmware-1782809233226668671.yaml.
    """
    acpi = AcpiDigests(
        "2026-06",
        sha384("f60c35e53bb21b4675cfa8db310ec88e38cd369d8d463acdde815122fa8b893b8896a5783b538856693ed7645ddb897e"),
        sha384("509dcfe10beb5d470c40f25e30895370948831b9cf79db15d977e7bba8eb42f7200212071ad8b19d6011759779eced5a"),
        sha384("0bb0afa008873bdc20dee0f741da7896c2bfeee94ae52e9bdbf94bc87c32d04a4b1f1d824490f1dae574ff6d4e4bb0b3"),
    )
    cfv = sha384("d10d31022a1ef32ee501f31745257f84e7c753a8b79a3fdb82ffda9dc57684a1cfefba3edcdabc8b4ea791c17dd8a02b")
    found = {
        item.label: item.prediction.value(Algorithm.SHA384).hex
        for item in alternatives(MACHINE, firmware(cfv), (acpi,), disks=2)
    }
    assert found["PCI device 4, 2026-06"] == QUOTED_RTMR0
    assert found["PCI device 5, 2026-06"] != QUOTED_RTMR0


QUOTED_RTMR0 = "8d2d6ad6e569271bace0ad7deab00245b6a951745c53dfe4590add762b55b9c91033ef9dc6153aaf7fb2d2fb1e4b952b"


@pytest.mark.parametrize(
    ("disk", "pci_device", "digest"),
    [
        (1, 4, "a25333c7aec2e0993034938c7f11893b3c2bcaf67e88c342a3d586f6f7fae2c6a1247a9ed86988080a6d4be497d4fbb6"),
        (2, 4, "9068065754ff3ae3dd58a5897535eeaf62a19a6757d82dd91349c41bae2e3f208e268abba2a4378bc5c8d1acf2fd260f"),
        (1, 5, "ad073f06c3e96a1fd95ad8ff602b913155384775c6d258b6290f3d995cd3882f243e2d1a38182eb102857ca417cea960"),
        (2, 5, "e501398b9dcefa43727503a8b1161225fb9413c39ce91126d2a9a3588ae7ecdfa7a9fcbffc6a1cbc3e0ec92cbd4810e7"),
    ],
)
def test_disks_as_seen_on_machines(disk: int, pci_device: int, digest: str) -> None:
    """flashbots/dstack-mr-gcp internal/consts.go at b5a21355, "us" and "europe"."""
    assert hashlib.sha384(gcp_nvme_option(disk, pci_device).data).hexdigest() == digest


def test_the_setup_option_as_seen_on_machines() -> None:
    """flashbots/dstack-mr-gcp internal/consts.go at b16e08b3, and the COS log above."""
    assert hashlib.sha384(ui_app_option().data).hexdigest() == (
        "23ada07f5261f12f34a0bd8e46760962d6b4d576a416f1fea1c64bc656b1d28eacf7047ae6e967c58fd2a98bfa74c298"
    )


@pytest.mark.parametrize(
    ("position", "digest"),
    [
        (0, "cfa4e2c606f572627bf06d5669cc2ab1128358d27b45bc63ee9ea56ec109cfafb7194006f847a6a74b5eaed6b73332ec"),
        (1, "905f6243baf0d7c63cd672f89b16e15f99597e8d0392955e685172d447100123f7c490d178543922faddf896625dabab"),
        (2, "be013b0d9188e72b870f598899c35864d6b25f029a7b5f21a037bacf61ca3646207af2bc714d471407c9939317763c4a"),
        (3, "723ad4d64f430bf6d325ab9d6c29147993ded5630002e42e13df696ebc680c4bc14c392d2e113e141154e21723f890f6"),
        (4, "c61bae1a3f7b7e6cc3b9b03f630b77292ebd232ae60e0e1916f980955ec38459529574b49f1898c367eaf6d8a62311f5"),
    ],
    ids=["SecureBoot", "PK", "KEK", "db", "dbx"],
)
def test_keys_of_a_custom_image_as_seen_on_machines(position: int, digest: str) -> None:
    """flashbots/dstack-mr-gcp internal/consts.go at b16e08b3."""
    assert hashlib.sha384(CUSTOM_IMAGE.variables()[position].event_data()).hexdigest() == digest


def test_old_firmware_measures_a_second_separator_last() -> None:
    """google/go-eventlog testdata/eventlogs/ccel/cos-113-intel-tdx-dupe-separator.bin at b9c4e7a1 has it after Boot0000."""
    known, acpi, _ = cos_inputs()
    one, two = (
        predict_rtmr0(MACHINE, known, acpi, disks=1, pci_device=4, second_separator=second) for second in (False, True)
    )
    assert two.events[:-1] == one.events
    assert (two.events[-1].event_type, two.events[-1].data) == (EventType.EV_SEPARATOR, bytes(4))


def test_every_event_says_whether_it_is_computed() -> None:
    known, acpi, _ = cos_inputs()
    events = predict_rtmr0(MACHINE, known, acpi, disks=2, pci_device=5).events
    recorded = [event.description for event in events if event.cause.startswith("recorded: ")]
    assert recorded == ["configuration volume", "ACPI table loader", "ACPI root pointer", "ACPI tables"]
    assert all(event.cause.startswith(("recorded: ", "computed from: ")) for event in events)
    assert events[0].cause == "computed from: memory of c3-standard-4 and sections of the firmware"
    assert events[-2].description == "variable Boot0002"
    assert events[-2].cause == "computed from: boot options of a machine with 2 disks"


def test_what_is_not_known_is_missing() -> None:
    found = alternatives(GcpMachine("c3-standard-88", 352 * GIB, 2), firmware(None), ())
    assert [item.label for item in found] == ["PCI device 4", "PCI device 5"]
    with pytest.raises(TeekitError, match="RTMR0 cannot be predicted: EV_EFI_PLATFORM_FIRMWARE_BLOB2: the firmware's"):
        found[0].prediction.value(Algorithm.SHA384)
    assert found[0].prediction.missing[1] == "EV_PLATFORM_CONFIG_FLAGS: no ACPI tables of c3-standard-88 are on record"


def test_secure_boot_is_refused() -> None:
    keys = SecureBootVariables(b"\1", b"", b"", b"", b"")
    with pytest.raises(UnsupportedInputError, match="RTMR0 with Secure Boot on is not predicted: it holds the certif"):
        predict_rtmr0(MACHINE, firmware(None), None, disks=1, pci_device=4, keys=keys)


@pytest.mark.parametrize("disks", [0, 129])
def test_a_number_of_disks_that_no_machine_has(disks: int) -> None:
    with pytest.raises(UnsupportedInputError, match=f"a machine has 1 to 128 disks, not {disks}"):
        predict_rtmr0(MACHINE, firmware(None), None, disks=disks, pci_device=4)

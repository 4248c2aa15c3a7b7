"""What a firmware file gives, and every value that Google Cloud's RTMR0 may have."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from builders import tdvf as build
from builders.mrtd import mrtd_of_rows
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.measurement.events import EventType
from teekit_verify.measurement.mrtd import PageOrder
from teekit_verify.reference import model
from teekit_verify.reference.measure_firmware import (
    acceptable_mrtds,
    acceptable_rtmr0s,
    gcp_mrtds,
    gcp_rtmr0,
    inspect_firmware,
    known_as,
    measure_firmware,
)
from teekit_verify.reference.platform_facts import FirmwareFact, GcpFacts, load_gcp

FACTS = load_gcp()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fw.fd"
    path.write_bytes(build.build_tdvf())
    return path


def facts_with(file: Path, *, second_separator: bool) -> GcpFacts:
    digest = Digest(Algorithm.SHA384, hashlib.sha384(file.read_bytes()).digest())
    release = FirmwareFact("test", None, digest, None, None, second_separator, "test")
    return replace(FACTS, firmware=(release,))


def test_inspection(file: Path) -> None:
    image = file.read_bytes()
    found = inspect_firmware(file)
    assert (found.name, found.size_bytes) == ("fw.fd", len(image))
    assert found.sha256.value == hashlib.sha256(image).digest()
    assert found.sha384.value == hashlib.sha384(image).digest()
    assert [part.sha384.value if part.sha384 else None for part in found.sections] == [
        hashlib.sha384(image[0x4000:]).digest(),
        hashlib.sha384(image[:0x3000]).digest(),
        None,
        None,
    ]


def test_mrtd_in_the_orders_asked_for(file: Path) -> None:
    expected = {order: mrtd_of_rows(file.read_bytes(), build.ROWS, order.value) for order in PageOrder}
    assert {order: digest.hex for order, digest in measure_firmware(file).mrtd.items()} == expected
    assert list(measure_firmware(file, [PageOrder.TWO_PASS]).mrtd) == [PageOrder.TWO_PASS]
    assert [(label, digest.hex) for label, digest in gcp_mrtds(FACTS, file)] == [
        ("computed from the firmware", expected[PageOrder.SINGLE])
    ]


def test_mrtds_on_record() -> None:
    found = dict(gcp_mrtds(FACTS, None))
    assert len(found) == 6
    assert found["recorded: firmware of 2026-06"].hex.startswith("9bf86e6280ec4282")


def test_rtmr0_of_a_firmware_file(file: Path) -> None:
    found = gcp_rtmr0(FACTS, "c3-standard-44", file, disks=2)
    assert [item.label for item in found] == [
        f"PCI device {device}, ACPI tables {era}"
        for era in ("before 2026-03", "of 2026-03", "of 2026-04")
        for device in (4, 5)
    ]
    assert len({item.prediction.value(Algorithm.SHA384) for item in found}) == 6
    blob = found[0].prediction.events[1]
    assert (blob.event_type, blob.cause) == (EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2, "computed from the firmware")
    assert blob.digests[0].value == hashlib.sha384(file.read_bytes()[:0x3000]).digest()


@pytest.mark.parametrize("second", [False, True])
def test_a_known_file_decides_the_second_separator(file: Path, second: bool) -> None:  # noqa: FBT001
    facts = facts_with(file, second_separator=second)
    assert known_as(facts, inspect_firmware(file)) is facts.firmware[0]
    events = gcp_rtmr0(facts, "c3-standard-4", file)[0].prediction.events
    assert sum(event.event_type == EventType.EV_SEPARATOR for event in events) == 1 + second


def test_rtmr0_of_what_is_on_record() -> None:
    """The value is that of the quote in flashbots/attested-tls at 223349776d (see measurement/test_gcp_rtmr0.py)."""
    found = {item.label: item.prediction for item in gcp_rtmr0(FACTS, "c3-standard-4", None, disks=2)}
    assert len(found) == 5 * 4 * 2  # configuration volumes, ACPI sets, PCI devices
    label = "firmware of 2026-06, PCI device 4, ACPI tables of 2026-06"
    assert (
        found[label].value(Algorithm.SHA384).hex
        == "8d2d6ad6e569271bace0ad7deab00245b6a951745c53dfe4590add762b55b9c91033ef9dc6153aaf7fb2d2fb1e4b952b"
    )
    assert found[label].events[1].cause == "recorded: firmware of 2026-06"


def test_a_machine_type_that_is_not_on_record(file: Path) -> None:
    with pytest.raises(UnsupportedInputError, match="the machine type 'n2d-standard-2' is not on record"):
        gcp_rtmr0(FACTS, "n2d-standard-2", file)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"MZ")
    with pytest.raises(MalformedInputError, match="file size at offset 0x0: 2 bytes"):
        measure_firmware(path)


def test_alternatives_make_a_reference() -> None:
    """What a reference file holds is read back with every log replayed."""
    rtmr0s = acceptable_rtmr0s(gcp_rtmr0(FACTS, "c3-standard-8", None))
    unknown = acceptable_rtmr0s(gcp_rtmr0(FACTS, "c3-standard-88", None))
    for values in (acceptable_mrtds(gcp_mrtds(FACTS, None)), rtmr0s, unknown):
        register = model.ReferenceRegister(model.Policy.ANY_OF, "", values)
        adapter = TypeAdapter(model.ReferenceRegister)
        assert adapter.validate_json(adapter.dump_json(register), strict=True) == register
    assert len({value.label for value in rtmr0s}) == len(rtmr0s) == 5 * 2 * 2
    assert unknown[0].register.missing.startswith("EV_PLATFORM_CONFIG_FLAGS: no ACPI tables of c3-standard-88")

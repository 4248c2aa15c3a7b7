"""What releases of Google's firmware decide: every value of MRTD, RTMR0 and RTMR1, and which of them belong together."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from builders import documents as sample
from builders import eventlog
from builders import tdvf as build
from builders.mrtd import mrtd_of_rows
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import model
from teekit_verify.documents.register_values import register_value
from teekit_verify.evidence.files import read_log
from teekit_verify.prediction.gcp_facts import FirmwareFact, GcpFacts, load_gcp
from teekit_verify.prediction.gcp_releases import mrtds, releases, rtmr0s, rtmr1s, without_separator
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import rtmr
from teekit_verify.registers.replay import replay

FACTS = load_gcp()
KNOWN = releases(FACTS, None)
BEFORE = "ACPI tables before 2026-03"
OLD, NEW = "firmware of COS 113 logs, two separators", "firmware of 2026-06"

PUBLISHED_RTMR0S = (
    "5c942d2f4a08acd594b7d8914362835dcbb12994aedc2128abecf5585807cb8886faf7b9b32611cd4e63eac269632560",
    "69c7ad6645e92e3d7408d67bb598b69c5c771f0b035740db358438a4faf82b3a73ff6bed3a2c831ec5ab68b597b4fcf8",
    "ee023e1858e8193a5c679f381dacd50aa08246ddd8200ff4dac309db1b299a1594a823813140253ced4fe18ab1e2c766",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fw.fd"
    path.write_bytes(build.build_tdvf(build.GOOGLE_ROWS))
    return path


def _facts_with(file: Path, *, second_separator: bool) -> GcpFacts:
    digest = Digest(Algorithm.SHA384, hashlib.sha384(file.read_bytes()).digest())
    release = FirmwareFact("test", None, digest, None, None, second_separator, (BEFORE,), "test")
    return replace(FACTS, firmware=(release,))


def _of(name: str) -> dict[str, model.AcceptableValue]:
    values = rtmr0s(KNOWN, FACTS, FACTS.machine(name), disks=2)
    assert len({value.label for value in values}) == len(values)
    return {value.label: value for value in values}


def test_mrtd_of_a_file(file: Path) -> None:
    (value,) = mrtds(releases(FACTS, file))
    assert [digest.hex for digest in value.register.values or ()] == [
        mrtd_of_rows(file.read_bytes(), build.GOOGLE_ROWS, "single")
    ]


def test_mrtds_on_record() -> None:
    """The beginning of the MRTD is that of the quote in flashbots/attested-tls at 223349776d."""
    found = {value.groups: value.register.values for value in mrtds(KNOWN)}
    assert len(found) == 6
    (quoted,) = found[NEW,] or ()
    assert quoted.hex.startswith("9bf86e6280ec4282")


def test_rtmr0_of_a_file(file: Path) -> None:
    values = rtmr0s(releases(FACTS, file), FACTS, FACTS.machine("c3-standard-44"), disks=2)
    assert [value.label for value in values] == [
        f"the given firmware, PCI device {device}, ACPI tables {era}"
        for era in ("before 2026-03", "of 2026-03", "of 2026-04")
        for device in (4, 5)
    ]
    assert len({value.register.values for value in values}) == 6
    blob = values[0].register.events[1]
    assert (blob.type, blob.cause) == (EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2, "computed from the firmware")
    assert blob.digests[0].value == hashlib.sha384(file.read_bytes()[:0x4000]).digest()


@pytest.mark.parametrize("second", [False, True])
def test_a_known_file_decides_where_the_separators_are(file: Path, second: bool) -> None:  # noqa: FBT001
    facts = _facts_with(file, second_separator=second)
    known = releases(facts, file)
    values = rtmr0s(known, facts, FACTS.machine("c3-standard-4"))
    assert [value.label for value in values] == [f"test, PCI device {device}, {BEFORE}" for device in (4, 5)]
    value = values[0].register
    assert sum(event.type == EventType.EV_SEPARATOR for event in value.events) == 1 + second
    image = register_value(rtmr(1), _real_rtmr1())
    (found,) = rtmr1s(known, image)
    assert sum(event.type == EventType.EV_SEPARATOR for event in found.register.events) == 1 - second
    assert found.groups == ("test",)


def _real_rtmr1() -> list[Event]:
    log = read_log(eventlog.ASSETS / "gcp-cos113-ccel-data.bin", table=eventlog.ASSETS / "gcp-cos113-ccel-table.bin")
    return [event for event in log.events if event.register == rtmr(1)]


def test_values_of_one_release_belong_together() -> None:
    """The value is that of the same quote (see prediction/test_gcp_rtmr0.py)."""
    found = _of("c3-standard-4")[f"{NEW}, PCI device 4, ACPI tables of 2026-06"]
    assert found.groups == (NEW,)
    assert [digest.hex for digest in found.register.values or ()] == [
        "8d2d6ad6e569271bace0ad7deab00245b6a951745c53dfe4590add762b55b9c91033ef9dc6153aaf7fb2d2fb1e4b952b"
    ]
    assert found.register.events[1].cause == f"recorded: {NEW}"


def test_only_pairs_of_firmware_and_tables_that_were_seen_are_offered() -> None:
    """The values are in flashbots/attested-tls crates/attestation/test-assets/buildernet_measurements.json at 223349776d,
    records "buildernet-gcp_2.3.1-..." and "buildernet-gcp_dev-20260911-...", beside MRTD 8370d8f6...
    """
    found = {value.register.values: value for value in _of("c3-standard-44").values()}
    for published in PUBLISHED_RTMR0S:
        assert found[(Digest.from_hex(Algorithm.SHA384, published),)].groups == ("firmware of 2026-02",)
    pairs = {tuple(value.label.split(", PCI device 4, ")) for value in found.values() if "device 4" in value.label}
    assert pairs == {
        (OLD, BEFORE),
        ("firmware of COS 113 logs", BEFORE),
        ("firmware of 2026-02", BEFORE),
        ("firmware of 2026-02", "ACPI tables of 2026-03"),
        ("firmware of 2026-04", "ACPI tables of 2026-04"),
    }


def test_releases_that_measure_the_separator_elsewhere_have_another_rtmr1() -> None:
    log = _real_rtmr1()
    with_separator, without = rtmr1s(KNOWN, register_value(rtmr(1), log))
    assert NEW in with_separator.groups
    assert without.groups == (OLD,)
    assert len(without.register.events) == len(log) - 1


def test_rtmr1_without_separator_is_that_of_a_real_machine() -> None:
    """The same image on the firmware before: its log has the separator in RTMR0."""
    old = read_log(eventlog.ASSETS / "gcp-cos113-two-separators.bin").events
    found = without_separator(register_value(rtmr(1), _real_rtmr1()))
    assert found.values == (replay(old, Algorithm.SHA384)[rtmr(1)],)


def test_the_firmware_of_that_log_is_on_record() -> None:
    old = read_log(eventlog.ASSETS / "gcp-cos113-two-separators.bin").events
    digests = [event.digests[0] for event in old if event.register == rtmr(0)]
    release = next(fact for fact in FACTS.firmware if fact.label == OLD)
    (acpi,) = FACTS.acpi_of("c3-standard-4", release.acpi)
    assert (digests[1], digests[8:11]) == (release.cfv, [acpi.loader, acpi.rsdp, acpi.tables])
    assert sum(event.event_type == EventType.EV_SEPARATOR for event in old if event.register == rtmr(0)) == 2


def test_what_is_missing_of_the_image_stays_missing() -> None:
    of_image = sample.incomplete()
    values = rtmr1s(KNOWN, of_image)
    assert [(value.register.values, value.register.missing) for value in values] == [(None, of_image.missing)] * 2


def test_alternatives_make_a_reference() -> None:
    """What a reference file holds is read back with every log replayed."""
    unknown = _of("c3-standard-88")
    for values in (mrtds(KNOWN), tuple(_of("c3-standard-8").values()), tuple(unknown.values())):
        register = model.ReferenceRegister(model.Policy.ANY_OF, "", values)
        adapter = TypeAdapter(model.ReferenceRegister)
        assert adapter.validate_json(adapter.dump_json(register), strict=True) == register
    assert next(iter(unknown.values())).register.missing.startswith(
        "EV_PLATFORM_CONFIG_FLAGS: no ACPI tables of c3-standard-88"
    )

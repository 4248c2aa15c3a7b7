"""What each published format says, and what is refused in it. Expected: the published samples and the tools' sources."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents as sample
from builders.uki import build_uki, default_sections
from teekit_verify.appraisal.artifact import compare_with_published
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents import create, model
from teekit_verify.documents.model import Policy
from teekit_verify.evidence.quote import read_quote
from teekit_verify.prediction.image import measure_file
from teekit_verify.prediction.platforms import PLATFORMS
from teekit_verify.reference.formats import load_published
from teekit_verify.reference.groups import reference_groups
from teekit_verify.registers.registers import MRTD, pcr, rtmr
from teekit_verify.wording.checks import detail_of, difference_words, name_of, reason_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.documents.model import Measurements, ReferenceRegister

ASSETS = Path(__file__).parents[2] / "assets"
FOLDER = ASSETS / "formats"


def _digests(register: ReferenceRegister) -> list[str]:
    return [digest.hex for value in register.acceptable for digest in value.register.values or ()]


def _uki(tmp_path: Path, version: str = "252.39-1~deb12u2", *, without: str = ".uname") -> Measurements:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki(version, [section for section in default_sections() if section[0] != without]))
    return measure_file(path, PLATFORMS)


def _changed(tmp_path: Path, name: str, change: Callable[[Any], object]) -> Path:
    fields = json.loads((FOLDER / name).read_text())
    change(fields)
    path = tmp_path / name
    path.write_text(json.dumps(fields))
    return path


def test_dstack_mr_is_a_machine_of_qemu() -> None:
    (values,) = load_published(FOLDER / "dstack-mr.json").values
    (registers,) = (values.platforms["qemu"],)
    assert {str(name): _digests(item)[0][:8] for name, item in registers.items()} == {
        "MRTD": "c68518a0",
        "RTMR0": "85e0855a",
        "RTMR1": "154e08f5",
        "RTMR2": "9edcd363",
    }
    assert {item.policy for item in registers.values()} == {Policy.MATCH}


@pytest.mark.parametrize("field", ["mr_aggregated", "mr_image"])
def test_dstack_mr_whose_digests_do_not_fit_its_registers_is_refused(tmp_path: Path, field: str) -> None:
    path = _changed(tmp_path, "dstack-mr.json", lambda fields: fields.update({field: "00" * 32}))
    with pytest.raises(TeekitError, match=rf"dstack-mr\.json: {field}: the registers give [0-9a-f]{{64}}, found 0000"):
        load_published(path)


def test_dstack_mr_needs_every_register(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="rtmr2: missing field"):
        load_published(_changed(tmp_path, "dstack-mr.json", lambda fields: fields.pop("rtmr2")))


def test_dstack_mr_gcp_ties_each_mrtd_to_its_part_of_rtmr0() -> None:
    """The pairs that flashbots/cvm-reverse-proxy's test accepts, and the first firmware with the last one's RTMR0."""
    (values,) = load_published(FOLDER / "dstack-mr-gcp.json").values
    assert [name for name, _ in values.not_compared] == ["MRCONFIGID", "XFAM", "TD attributes"]
    groups = dict(reference_groups(values.platforms["gcp-no-vtpm"]))
    assert list(groups) == ["firmware 1", "firmware 2", "firmware 3"]
    parts = [(_digests(group[MRTD]), _digests(group[rtmr(0)])) for group in groups.values()]
    assert [(len(mrtds), len(rtmr0s)) for mrtds, rtmr0s in parts] == [(1, 8)] * 3
    assert parts[0][0][0].startswith("a5844e88")
    assert parts[0][1][0].startswith("c0782099")
    assert (parts[2][0][0][:8], parts[2][1][7][:8]) == ("feb74866", "e1d02354")
    assert all(_digests(group[rtmr(3)]) == ["00" * 48] for group in groups.values())


def test_dstack_mr_gcp_with_parts_of_unequal_size_is_refused(tmp_path: Path) -> None:
    path = _changed(tmp_path, "dstack-mr-gcp.json", lambda fields: fields["rtmr0"].pop())
    with pytest.raises(TeekitError, match="rtmr0: has 23 values, not equally many for each of 3 in 'mrtd'"):
        load_published(path)


def test_measured_boot_agrees_with_our_prediction_event_by_event(tmp_path: Path) -> None:
    """The file is that tool's output for this UKI."""
    published = load_published(FOLDER / "measured-boot.json").values
    measured = _uki(tmp_path)
    _, checklist, conclusion = compare_with_published(published, measured)
    assert conclusion.status is ExitStatus.HOLDS
    assert [name_of(check) for check in checklist.checks] == [f"azure PCR{index} sha256" for index in (4, 9, 11)]
    assert [name_of(check) for check in checklist.ignored if "never extended" in detail_of(check)] == [
        f"azure PCR{index}" for index in (8, 12, 13, 15)
    ]
    for index, count in ((4, 4), (9, 2), (11, 8)):
        theirs = published[0].platforms["azure"][pcr(index)].acceptable[0].register.events
        ours = measured.platforms["azure"][pcr(index)].events
        assert [event.digests for event in theirs] == [event.digests[:1] for event in ours]
        assert len(theirs) == count
        assert [event.type for event in theirs] == [event.type for event in ours]


def test_measured_boot_explains_what_differs(tmp_path: Path) -> None:
    published = load_published(FOLDER / "measured-boot.json").values
    _, checklist, conclusion = compare_with_published(published, _uki(tmp_path, without=".osrel"))
    assert conclusion.status is ExitStatus.DOES_NOT_HOLD
    texts = [difference_words(item) for item in checklist.differences if item.register == pcr(11)]
    assert texts[0].startswith("event 3: UKI section 2 name: .osrel (EV_IPL) is missing")


def _other_digest(fields: Any) -> None:
    fields["EventLog"]["Events"][0]["Digest"] = "11" * 32


def _other_register(fields: Any) -> None:
    fields["EventLog"]["Events"][0]["PCRIndex"] = 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_other_digest, r"measurements\.4: the events of 'EventLog' do not replay to this value"),
        (_other_register, "EventLog: has an event of PCR 5, which 'measurements' does not have"),
        (lambda fields: fields["measurements"].update({"24": {"expected": "00" * 32}}), r"measurements\.24"),
        (lambda fields: fields["measurements"].clear(), "measurements: "),
    ],
)
def test_measured_boot_that_does_not_fit_is_refused(
    tmp_path: Path, change: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(TeekitError, match=message):
        load_published(_changed(tmp_path, "measured-boot.json", change))


def test_flashbots_records_are_images_of_which_one_has_to_match() -> None:
    values = load_published(FOLDER / "flashbots-measurements.json").values
    assert [(item.name, list(item.platforms)) for item in values] == [
        ("azure-tdx-example-01", ["azure"]),
        ("cvm-image-azure-tdx.rootfs-20241107200854.wic.vhd", ["azure"]),
        ("dcap-tdx-example", ["qemu"]),
    ]
    assert list(values[1].platforms["azure"]) == [pcr(4), pcr(9)]
    assert {str(name): _digests(item)[0][:8] for name, item in values[2].platforms["qemu"].items()} == {
        "MRTD": "47a1cc07",
        "RTMR0": "da6e0786",
        "RTMR1": "a7157e7c",
        "RTMR2": "e63560e5",
        "RTMR3": "00000000",
    }


def test_flashbots_values_of_which_any_is_acceptable() -> None:
    values = load_published(FOLDER / "flashbots-buildernet.json").values
    several = [item for each in values for platform in each.platforms.values() for item in platform.values()]
    assert {item.policy for item in several} == {Policy.MATCH, Policy.ANY_OF}


def _azure_record(name: str, measured: Measurements, **changes: str) -> dict[str, object]:
    registers = {
        str(register.index): {"expected": value.values[0].hex}
        for register, value in measured.platforms["azure"].items()
        if value.values is not None
    }
    registers |= {index: {"expected": value} for index, value in changes.items()}
    return {"measurement_id": name, "attestation_type": "azure-tdx", "measurements": registers}


def test_one_of_several_images_has_to_match_in_every_register(tmp_path: Path) -> None:
    measured = _uki(tmp_path)
    others = json.loads((FOLDER / "flashbots-buildernet.json").read_text())
    path = tmp_path / "list.json"
    path.write_text(json.dumps([*others, _azure_record("ours", measured)]))
    values, _, conclusion = compare_with_published(load_published(path).values, measured)
    assert (values.name, conclusion.status) == ("ours", ExitStatus.HOLDS)
    mixed = [_azure_record("half", measured, **{"4": "00" * 32}), _azure_record("rest", measured, **{"9": "11" * 32})]
    path.write_text(json.dumps([*others, *mixed]))
    values, checklist, conclusion = compare_with_published(load_published(path).values, measured)
    assert conclusion.status is ExitStatus.DOES_NOT_HOLD
    assert reason_line(conclusion.reasons[0]) == "of 25 published images none matches; 'half' comes closest"
    assert [name_of(check) for check in checklist.of(Outcome.MISMATCH)] == ["azure PCR4 sha256"]


def test_images_of_other_platforms_give_no_verdict(tmp_path: Path) -> None:
    values = load_published(FOLDER / "dstack-mr-gcp.json").values
    azure = _uki(tmp_path)
    only_azure = replace(azure, platforms={"azure": azure.platforms["azure"]})
    _, _, conclusion = compare_with_published(values, only_azure)
    assert conclusion.status is ExitStatus.NO_VERDICT
    assert "published, but not among the measurements" in reason_line(conclusion.reasons[0])


@pytest.mark.parametrize(
    ("rtmr0", "status"),
    [
        ("e1d0235496f93f9475bf0b26d33da5c15831cfc94104d6bea7ab82db027c5f1e917d47dda6953eefae7dcb20ab6f75c4", "HOLDS"),
        (
            "c07820997dc2a5e1cc67b05e89852c1a72289e0ec82034bee5b3605cd759328853a758a346522651956afe9222914235",
            "DOES_NOT_HOLD",
        ),
    ],
)
def test_what_is_published_of_a_cloud_is_said_of_its_machine_types(rtmr0: str, status: str) -> None:
    """The MRTD of the third firmware, with the last RTMR0 (its own) and with the first (another firmware's)."""
    (values,) = load_published(FOLDER / "dstack-mr-gcp.json").values
    machine = {register: item.acceptable[-1].register for register, item in values.platforms["gcp-no-vtpm"].items()}
    machine[rtmr(0)] = model.RegisterValue((Digest.from_hex(Algorithm.SHA384, rtmr0),), "", ())
    measured = sample.measurements(platforms={"gcp-no-vtpm/c3-standard-4": machine})
    _, checklist, conclusion = compare_with_published((values,), measured)
    assert conclusion.status is ExitStatus[status]
    assert {name_of(check).split()[0] for check in checklist.checks} == {"gcp-no-vtpm/c3-standard-4"}


def test_measurements_publish_their_artifact_and_its_disk(tmp_path: Path) -> None:
    disk = model.Disk("disk.raw", model.DiskFormat.RAW, 7, sample.sha256("disk"))
    path = tmp_path / "measurements.json"
    path.write_bytes(create.dump_measurements(sample.measurements(disk=disk)))
    published = load_published(path)
    assert {item.name for item in published.artifacts} == {"tdx-debian.efi", "disk.raw"}
    assert published.platforms == {"uefi-vtpm", "tdx"}
    (values,) = published.values
    _, checklist, conclusion = compare_with_published((values,), sample.measurements(disk=disk))
    assert conclusion.status is ExitStatus.HOLDS
    assert [name_of(check) for check in checklist.checks][:2] == ["artifact disk.raw", "artifact tdx-debian.efi"]


PARTS = json.loads((FOLDER / "portable-gcp.json").read_text())["dcap"]


def _record(**fields: object) -> list[dict[str, object]]:
    return [{"attestation_type": "dcap-tdx", **fields}]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (_record(), r"\[0\]\.measurements: has none, and would accept every guest"),
        (_record(measurements={}), r"\[0\]\.measurements: has none, and would accept every guest"),
        ([{"attestation_type": "none"}], r"\$: only has records of the type 'none': there is no register to compare"),
        ([{"attestation_type": "any-tdx"}], r"\[0\]\.attestation_type: expected one of .*, found 'any-tdx'"),
        (_record(dcap_image_hashes={}), r"\[0\]\.dcap_image_hashes\.uki_authenticode: missing field"),
        (_record(dcap_image_hashes=PARTS, measurements={}), "expected either these or 'measurements'"),
        (
            [{"attestation_type": "azure-tdx", "dcap_image_hashes": PARTS}],
            r"\[0\]\.dcap_image_hashes: says nothing of azure-tdx",
        ),
        (
            [{"kind": "portable", "dcap": PARTS}, {"attestation_type": "x"}, {"kind": "azure"}],
            r": \[2\]: pcr4: missing",
        ),
        (_record(measurements={"0": {}}), r"measurements\.0: expected either 'expected' or 'expected_any'"),
        (
            _record(measurements={"0": {"expected": "00" * 48, "expected_any": ["00" * 48]}}),
            r"measurements\.0: expected either 'expected' or 'expected_any'",
        ),
        (_record(measurements={"0": {"expected_any": []}}), r"measurements\.0\.expected_any"),
        (_record(measurements={"5": {"expected": "00" * 48}}), "no such measurement register: 'RTMR4'"),
        (_record(measurements={"pcr4": {"expected": "00" * 48}}), "dcap-tdx has no PCR4"),
        (_record(measurements={"0": {"expected": "00" * 32}}), "must be 96 hexadecimal digits"),
        (
            _record(measurements={"0": {"expected": "00" * 48}, "MRTD": {"expected": "00" * 48}}),
            r"measurements\.MRTD: is MRTD a second time",
        ),
    ],
)
def test_flashbots_records_that_say_too_little_are_refused(
    tmp_path: Path, records: list[dict[str, object]], message: str
) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(records))
    with pytest.raises(TeekitError, match=message):
        load_published(path)


def test_flashbots_keys_may_be_names_and_one_record_may_stand_alone(tmp_path: Path) -> None:
    """attested-tls, measurements.rs: parse_azure_pcr_index, from_policy_key; a single object is a list of one."""
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"attestation_type": "azure-tdx", "measurements": {"PCR4": {"expected": "ab" * 32}}}))
    (values,) = load_published(path).values
    assert (values.name, list(values.platforms["azure"])) == ("record $", [pcr(4)])


def test_flashbots_records_without_evidence_are_shown_and_match_nobody(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([*_record(measurements={"0": {"expected": "AB" * 48}}), {"attestation_type": "none"}]))
    (values,) = load_published(path).values
    assert values.not_compared == (("record [1]", "accepts guests that present no evidence"),)
    assert _digests(values.platforms["qemu"][MRTD]) == ["ab" * 48], "hexadecimal of either case"


def test_flashbots_lists_with_digests_of_parts_and_outputs_of_attest(tmp_path: Path) -> None:
    """attested-tls, from_json_bytes: `dcap_image_hashes` of gcp-tdx, and records that attest wrote."""
    path = tmp_path / "list.json"
    azure = {"kind": "azure", "pcr4": "04" * 32, "pcr9": "09" * 32, "pcr11": "11" * 32}
    record = {"measurement_id": "", "attestation_type": "gcp-tdx", "dcap_image_hashes": PARTS}
    path.write_text(json.dumps([record, azure, {"kind": "portable", "dcap": PARTS}]))
    values = load_published(path).values
    assert [(item.name, list(item.platforms)) for item in values[:3]] == [
        ("record [0]", ["gcp-no-vtpm"]),
        ("record [1]", ["azure"]),
        ("record [2]", ["gcp-no-vtpm"]),
    ]
    assert values[0].platforms["gcp-no-vtpm"] == values[2].platforms["gcp-no-vtpm"]
    quoted = read_quote(ASSETS / "quotes" / "gcp-c3-standard-4.bin").report
    for register, published in values[0].platforms["gcp-no-vtpm"].items():
        assert _digests(published) == [quoted.value(register).hex]


def test_pcrlock_asks_for_its_events_in_order(tmp_path: Path) -> None:
    """The component is `systemd-pcrlock lock-uki`'s for the builders' UKI."""
    published = load_published(ASSETS / "pcrlock" / "lock-uki-small.pcrlock").values
    measured = _uki(tmp_path, "257.13-1~deb13u1", without="")
    _, checklist, conclusion = compare_with_published(published, measured)
    assert conclusion.status is ExitStatus.HOLDS
    assert {name_of(check) for check in checklist.checks} == {
        f"uefi-vtpm PCR{index} {bank}" for index in (4, 11) for bank in ("sha256", "sha384")
    }
    _, checklist, conclusion = compare_with_published(published, _uki(tmp_path, "257.13-1~deb13u1", without=".osrel"))
    assert conclusion.status is ExitStatus.DOES_NOT_HOLD
    assert "record 0 of the component) of the reference is not among the events" in reason_line(conclusion.reasons[0])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"pcr": 4, "digests": [{"hashAlg": "sha256", "digest": "00" * 32}]}, "lacks sha256 or sha384"),
        ({"pcr": 4, "digests": [{"hashAlg": "sha256", "digest": "00"}]}, "must be 64 hexadecimal digits"),
        ({"pcr": 4, "digests": [{"hashAlg": "sm3", "digest": "00"}]}, r"records\[0\]\.digests\[0\]\.hashAlg"),
        ({"pcr": 24, "digests": []}, r"records\[0\]\.pcr"),
        ({"nv_index": 1, "digests": []}, r"records\[0\]\.nv_index: unknown field"),
    ],
)
def test_pcrlock_records_that_cannot_be_compared_are_refused(
    tmp_path: Path, record: dict[str, object], message: str
) -> None:
    path = tmp_path / "odd.pcrlock"
    path.write_text(json.dumps({"records": [record]}))
    with pytest.raises(TeekitError, match=message):
        load_published(path)


def test_an_empty_pcrlock_component_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcrlock"
    path.write_text('{"records": []}')
    with pytest.raises(TeekitError, match="records: has none: an empty variant fits every machine"):
        load_published(path)

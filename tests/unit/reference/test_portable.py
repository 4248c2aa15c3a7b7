"""Portable measurements: registers computed from digests of an image's parts. Expected: a quote of a machine that ran the image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders.fat import make_disk
from builders.uki import build_uki, default_sections
from teekit_verify.appraisal.artifact import compare_with_published
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents.model import Measurements, ReferenceRegister
from teekit_verify.evidence.quote import read_quote
from teekit_verify.prediction.image import measure_file, platforms_for
from teekit_verify.reference.formats import flashbots, load_published, portable
from teekit_verify.registers.registers import pcr, rtmr
from teekit_verify.wording.checks import difference_words, name_of

ASSETS = Path(__file__).parents[2] / "assets"
SAMPLE = ASSETS / "formats" / "portable-gcp.json"


def _written(tmp_path: Path, fields: object) -> Path:
    path = tmp_path / "portable.json"
    path.write_text(json.dumps(fields))
    return path


def _digest(register: ReferenceRegister) -> str:
    (value,) = register.acceptable
    assert value.register.values is not None
    return value.register.values[0].hex


def test_the_digests_of_an_image_lead_to_the_registers_that_its_machine_quoted() -> None:
    report = read_quote(ASSETS / "quotes" / "gcp-c3-standard-4.bin").report
    clouds, started = load_published(SAMPLE).values
    assert {register: _digest(item) for register, item in clouds.platforms["gcp-no-vtpm"].items()} == {
        register: report.value(register).hex for register in (rtmr(1), rtmr(2))
    }
    assert _digest(started.platforms["qemu"][rtmr(1)]) != report.value(rtmr(1)).hex, "another boot: no disk"
    assert _digest(started.platforms["qemu"][rtmr(2)]) == report.value(rtmr(2)).hex


@pytest.mark.parametrize("name", ["uki_authenticode", "kernel_authenticode", "gpt_disk_guid_hash"])
def test_rtmr1_hangs_on_each_of_its_digests(tmp_path: Path, name: str) -> None:
    fields = json.loads(SAMPLE.read_text())
    before = _digest(load_published(SAMPLE).values[0].platforms["gcp-no-vtpm"][rtmr(1)])
    fields["dcap"][name] = "00" * 48
    after = load_published(_written(tmp_path, fields)).values[0].platforms["gcp-no-vtpm"]
    assert _digest(after[rtmr(1)]) != before


def _extended(start: bytes, *digests: str) -> str:
    value = start
    for digest in digests:
        value = hashlib.sha384(value + bytes.fromhex(digest)).digest()
    return value.hex()


def test_rtmr2_starts_from_what_the_stub_measured(tmp_path: Path) -> None:
    """Easy-TEE/attest, build_rtmr2(): the register as the sections left it, then command line and initrd."""
    fields = json.loads(SAMPLE.read_text())
    fields["dcap"]["pe_sections"] = "5A" * 48
    registers = load_published(_written(tmp_path, fields)).values[0].platforms["gcp-no-vtpm"]
    wanted = _extended(bytes.fromhex("5a" * 48), fields["dcap"]["cmdline_hash"], fields["dcap"]["initrd_hash"])
    assert _digest(registers[rtmr(2)]) == wanted


def test_outputs_for_one_kind_of_machine(tmp_path: Path) -> None:
    (azure,) = load_published(
        _written(tmp_path, {"kind": "azure", "pcr4": "04" * 32, "pcr9": "09" * 32, "pcr11": "11" * 32})
    ).values
    assert {register: _digest(item)[:2] for register, item in azure.platforms["azure"].items()} == {
        pcr(4): "04",
        pcr(9): "09",
        pcr(11): "11",
    }
    (dcap,) = load_published(_written(tmp_path, {"kind": "dcap", "rtmr1": "01" * 48, "rtmr2": "02" * 48})).values
    assert {register: _digest(item)[:2] for register, item in dcap.platforms["tdx"].items()} == {
        rtmr(1): "01",
        rtmr(2): "02",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dcap": {}}, r"dcap\.uki_authenticode: missing field"),
        ({"dcap": None}, r"portable\.json: dcap"),
        ({"azure": {"pcr4": "00" * 32}}, r"azure\.pcr9: missing field"),
        ({"azure": {"pcr4": "00" * 31, "pcr9": "00" * 32, "pcr11": "00" * 32}}, "must be 64 hexadecimal digits"),
        ({"kind": "dcap"}, "dcap: unknown field"),
    ],
)
def test_what_says_too_little_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        load_published(_written(tmp_path, {**json.loads(SAMPLE.read_text()), **change}))


def _on_disk(tmp_path: Path, version: str) -> Measurements:
    path = make_disk(tmp_path / "disk.raw", {"EFI/BOOT/BOOTX64.EFI": build_uki(version)})
    return measure_file(path, platforms_for(path, ["gcp", "azure"]))


def _attest_digests(version: int) -> dict[str, str]:
    """What `attest measure portable` hashes of these sections: crates/measure/src/dcap/mod.rs, uki.rs."""
    sections = dict(default_sections())
    found = {
        "cmdline_hash": sections[".cmdline"].decode().encode("utf-16-le") + bytes(2),
        "initrd_hash": sections[".initrd"],
    }
    digests = {name: hashlib.sha384(data).hexdigest() for name, data in found.items()}
    if version >= 256:
        named = [(name, sections[name]) for name in (".linux", ".osrel", ".cmdline", ".initrd", ".uname")]
        events = [
            hashlib.sha384(data).hexdigest() for name, content in named for data in (name.encode() + b"\0", content)
        ]
        digests["pe_sections"] = _extended(bytes(48), *events)
    return digests


@pytest.mark.parametrize("version", [255, 256])
def test_written_digests_are_those_of_attest_and_lead_back_to_the_prediction(tmp_path: Path, version: int) -> None:
    measured = _on_disk(tmp_path, f"{version}.4-1")
    path = tmp_path / "written.json"
    path.write_bytes(portable.write(measured))
    fields = json.loads(path.read_text())
    assert {name: fields["dcap"].get(name) for name in _attest_digests(version)} == _attest_digests(version)
    assert ("pe_sections" in fields["dcap"]) is (version >= 256)
    _, checklist, conclusion = compare_with_published(load_published(path).values, measured)
    assert conclusion.status is ExitStatus.HOLDS
    assert sorted(name_of(check).split()[1] for check in checklist.checks) == [
        "PCR11",
        "PCR4",
        "PCR9",
        "RTMR1",
        "RTMR2",
    ]
    fields["dcap"]["gpt_disk_guid_hash"] = "00" * 48
    _, checklist, conclusion = compare_with_published(load_published(_written(tmp_path, fields)).values, measured)
    assert conclusion.status is ExitStatus.DOES_NOT_HOLD
    assert [difference_words(item).split(":")[0] for item in checklist.differences] == ["event 3"]


def test_every_kind_of_machine_that_a_file_is_about_has_to_match(tmp_path: Path) -> None:
    """An image whose RTMRs are as published, but not Azure's PCRs, is not the published one."""
    measured = _on_disk(tmp_path, "257.13-1~deb13u1")
    fields = json.loads(portable.write(measured))
    fields["azure"]["pcr9"] = "00" * 32
    _, checklist, conclusion = compare_with_published(load_published(_written(tmp_path, fields)).values, measured)
    assert conclusion.status is ExitStatus.DOES_NOT_HOLD
    assert [name_of(check) for check in checklist.of(Outcome.MISMATCH)] == ["azure PCR9 sha256"]
    without = replace(measured, platforms={"gcp-no-vtpm": measured.platforms["gcp-no-vtpm"]})
    assert (
        compare_with_published(load_published(_written(tmp_path, fields)).values, without)[2].status
        is ExitStatus.NO_VERDICT
    )


def test_lists_for_attested_tls_have_azures_pcrs_and_the_digests(tmp_path: Path) -> None:
    measured = _on_disk(tmp_path, "257.13-1~deb13u1")
    path = tmp_path / "list.json"
    path.write_bytes(flashbots.write(measured))
    assert [record["attestation_type"] for record in json.loads(path.read_text())] == ["azure-tdx", "gcp-tdx"]
    azure, gcp = load_published(path).values
    for values, name in ((azure, "azure"), (gcp, "gcp-no-vtpm")):
        only = replace(measured, platforms={name: measured.platforms[name]})
        assert compare_with_published((values,), only)[2].status is ExitStatus.HOLDS


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("258.10-1", "assume a kernel that the firmware measures"),
        ("262.1-1", "RTMR2 is not known|assume a kernel that the firmware measures"),
    ],
)
def test_an_image_that_the_format_cannot_express_is_refused(tmp_path: Path, version: str, message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        portable.write(_on_disk(tmp_path, version))


def test_a_uki_without_its_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki())
    with pytest.raises(UnsupportedInputError, match=r"RTMR1 is not known, .*: EV_EFI_GPT_EVENT"):
        portable.write(measure_file(path, platforms_for(path, ["gcp", "azure"])))
    with pytest.raises(TeekitError, match="gcp-no-vtpm was not measured"):
        portable.write(measure_file(path))

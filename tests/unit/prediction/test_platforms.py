"""Which registers a platform has, and who predicts them: a contract for every platform, and real machines' facts."""

from __future__ import annotations

import hashlib
import re
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from builders.gpt import sfdisk_disk
from builders.uki import build_uki, kernel
from teekit_verify.artifacts.boot_artifact import BootArtifact
from teekit_verify.artifacts.gpt import NoTable, read_gpt
from teekit_verify.artifacts.magic import ArtifactKind
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.core.digest import Algorithm
from teekit_verify.prediction.platforms import PLATFORMS, Platform, Subject, subject_of
from teekit_verify.prediction.uki import Prediction, predict_uki
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import MRTD, RegisterKind, pcr, rtmr

if TYPE_CHECKING:
    from teekit_verify.registers.registers import Register

STUBS = ["252.39-1~deb12u2", "255.4-1", "257.13-1~deb13u1", "259.1-1"]
BY_NAME = {platform.name: platform for platform in PLATFORMS}


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    gpt = read_gpt(BytesIO(sfdisk_disk(tmp_path_factory.mktemp("gpt"))))
    return subject_of(BootArtifact(ArtifactKind.RAW, "BOOTX64.EFI", parse_uki(build_uki()), gpt))


@pytest.fixture(scope="module")
def without_gpt() -> Subject:
    return subject_of(BootArtifact(ArtifactKind.UKI, "image.efi", parse_uki(build_uki()), None))


def _predicted(name: str, subject: Subject) -> dict[Register, Prediction]:
    return {prediction.register: prediction for prediction in BY_NAME[name].predict(subject)}


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_every_register_has_a_value_or_a_reason(platform: Platform, subject: Subject) -> None:
    assert re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", platform.name)
    assert [other.name for other in PLATFORMS].count(platform.name) == 1
    assert [prediction.register for prediction in platform.predict(subject)] == list(platform.rules)
    for prediction in platform.predict(subject):
        assert all(event.register == prediction.register for event in prediction.events)
        for algorithm in prediction.register.algorithms:
            if not prediction.missing:
                assert prediction.value(algorithm).algorithm is algorithm
        assert all(len(reason) > 20 for reason in prediction.missing)


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
@pytest.mark.parametrize("profile", [0, 1])
def test_what_a_platform_needs_of_the_image_gives_what_the_whole_image_gives(platform: Platform, profile: int) -> None:
    """Also of the registers that are measured into only with a profile (PCR 12)."""
    several = [
        (".cmdline", b"quiet"),
        (".linux", kernel()),
        (".initrd", b"x"),
        (".profile", b"ID=a\n"),
        (".profile", b"ID=b\n"),
    ]
    artifact = BootArtifact(ArtifactKind.UKI, "image.efi", parse_uki(build_uki(sections=several)), NoTable.NO_GPT)
    needed = subject_of(artifact, profile=profile, only=platform.of_image)
    assert platform.predict(needed) == platform.predict(subject_of(artifact, profile=profile))


@pytest.mark.parametrize(
    ("name", "algorithms"),
    [("tdx", {"sha384"}), ("gcp-no-vtpm", {"sha384"}), ("uefi-vtpm", {"sha256", "sha384"})],
)
def test_no_more_is_hashed_than_a_platform_needs(
    monkeypatch: pytest.MonkeyPatch, name: str, algorithms: set[str]
) -> None:
    """A TD without a vTPM has RTMRs alone, which are SHA-384 (Intel TDX Module 1.5 Base Architecture Specification, 12.2)."""
    used: list[str] = []
    new = hashlib.new

    def noted(algorithm: str, **_more: bool) -> hashlib._Hash:
        used.append(algorithm)
        return new(algorithm, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "new", noted)
    artifact = BootArtifact(ArtifactKind.UKI, "image.efi", parse_uki(build_uki()), None)
    subject_of(artifact, only=BY_NAME[name].of_image)
    assert set(used) == algorithms


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_a_platform_with_a_vtpm_is_one_that_has_pcrs(platform: Platform) -> None:
    assert platform.vtpm is any(register.kind is RegisterKind.PCR for register in platform.rules)


@pytest.mark.parametrize("name", ["gcp", "gcp-no-vtpm", "azure", "qemu"])
def test_a_named_platform_says_something_of_every_tdx_register(name: str) -> None:
    assert {MRTD, *map(rtmr, range(4))} <= BY_NAME[name].rules.keys()


@pytest.mark.parametrize("stub", STUBS)
def test_rtmr2_beside_a_vtpm_is_what_the_boot_prediction_says(stub: str) -> None:
    uki = parse_uki(build_uki(stub))
    (expected,) = (found for found in predict_uki(uki, vtpm=True) if found.register == rtmr(2))
    artifact = BootArtifact(ArtifactKind.UKI, "image.efi", uki, None)
    assert _predicted("tdx-vtpm", subject_of(artifact))[rtmr(2)] == expected
    assert _predicted("gcp", subject_of(artifact))[rtmr(2)] == expected


def test_the_gcp_candidates_are_those_of_a_real_log(subject: Subject) -> None:
    """Types and order of the events of PCR 2, 4 and 5, and the value of PCR 4, in a GCE TDX machine's TPM log
    (Dstack-TEE/dstack, dstack/cc-eventlog/samples/tpm_eventlog.bin at 312dc605).
    """
    found = _predicted("gcp", subject)
    image, gpt = EventType.EV_EFI_BOOT_SERVICES_APPLICATION, EventType.EV_EFI_GPT_EVENT
    for index, types in {
        2: [EventType.EV_SEPARATOR, gpt, image, image],
        4: [EventType.EV_EFI_ACTION, EventType.EV_SEPARATOR],
        5: [EventType.EV_SEPARATOR, EventType.EV_EFI_ACTION, EventType.EV_EFI_ACTION],
    }.items():
        assert [event.event_type for event in found[pcr(index)].events] == types
        assert "one public TPM log" in found[pcr(index)].missing[0]
    assert "7a94ffe8a7729a566d3d3c577fcb4b6b1e671f31540375f80eae6382ab785e35" in found[pcr(4)].missing[0]


def test_without_the_gpt_nothing_that_holds_it_is_claimed(without_gpt: Subject) -> None:
    for name, registers in {"gcp": [rtmr(1), pcr(2)], "qemu": [rtmr(1)], "uefi-vtpm": [pcr(5)]}.items():
        for register in registers:
            assert "GPT of the boot disk was not given" in _predicted(name, without_gpt)[register].missing[0]
    assert not _predicted("azure", without_gpt)[pcr(4)].missing


def test_azure_keeps_the_tdx_registers_for_its_paravisor(subject: Subject) -> None:
    found = _predicted("azure", subject)
    for register in (MRTD, *map(rtmr, range(4))):
        assert "belongs to the paravisor" in found[register].missing[0]
    assert "paravisor" in BY_NAME["azure"].note


@pytest.mark.parametrize("name", ["gcp", "gcp-no-vtpm", "qemu"])
def test_rtmr3_is_zero_after_boot(name: str, subject: Subject) -> None:
    assert _predicted(name, subject)[rtmr(3)].value(Algorithm.SHA384).value == bytes(48)


def test_a_name_stands_for_its_kinds() -> None:
    def called(name: str) -> list[str]:
        return [platform.name for platform in PLATFORMS if platform.is_called(name)]

    assert called("gcp") == ["gcp", "gcp-no-vtpm"]
    assert called("tdx") == ["tdx", "tdx-vtpm"]
    assert called("uefi") == ["uefi-vtpm"]
    assert called("gc") == called("") == []

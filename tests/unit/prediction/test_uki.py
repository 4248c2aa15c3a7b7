"""Predicted event logs against real boots (tests/assets/boots), systemd-measure, and a real TDX machine's log."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from builders.gpt import BOOT_SCRIPT, sfdisk_disk
from builders.tools import require
from builders.uki import build_uki, default_sections, kernel
from teekit_verify.artifacts.gpt import GuidPartitionTable, read_gpt
from teekit_verify.artifacts.uki import UnifiedKernelImage, parse_uki
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.evidence.eventlog import EventLog, parse_event_log
from teekit_verify.prediction.stub_machine import StubMachine
from teekit_verify.prediction.uki import Prediction, predict_uki
from teekit_verify.registers.align import DivergenceKind, first_divergence
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import Register, pcr, rtmr

ASSETS = Path(__file__).parents[2] / "assets"
BOOTS = sorted(path.stem for path in (ASSETS / "boots").glob("*.json"))
KERNEL_DEPENDENT = {"content of section .linux", "UKI (Authenticode)", "kernel (Authenticode)"}
MEASURE = "/usr/lib/systemd/systemd-measure"


@dataclass(frozen=True)
class Boot:
    uki: UnifiedKernelImage
    log: EventLog
    secure_boot: bool


def load_boot(name: str, *, release: str | None = None) -> Boot:
    """The UKI of a recorded boot, with a stand-in for its kernel, and its event log."""
    described = json.loads((ASSETS / "boots" / f"{name}.json").read_text())
    linux = kernel(release or described["kernel"])
    sections = [(key, linux if value is None else bytes.fromhex(value)) for key, value in described["sections"]]
    uki = parse_uki(build_uki(described["stub"], sections))
    log = parse_event_log((ASSETS / "boots" / f"{name}.bin").read_bytes())
    return Boot(uki, log, described["secure_boot"])


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> GuidPartitionTable:
    disk = sfdisk_disk(tmp_path_factory.mktemp("gpt"), BOOT_SCRIPT, 128 << 20)
    return read_gpt(BytesIO(disk))


def of(predictions: tuple[Prediction, ...], register: Register) -> Prediction:
    return next(found for found in predictions if found.register == register)


def comparable(events: tuple[Event, ...]) -> list[tuple[int, bytes, tuple[Digest, ...] | None]]:
    """Type and digests; the digests of the kernel and of the UKI are left out, for these bytes are not kept."""
    return [
        (event.event_type, event.data if event.event_type != EventType.EV_EFI_BOOT_SERVICES_APPLICATION else b"", None)
        if event.description in KERNEL_DEPENDENT
        else (event.event_type, event.data, event.digests)
        for event in events
    ]


def test_every_stub_in_the_table_was_booted() -> None:
    assert {name[:3] for name in BOOTS} == {"252", "254", "255", "257", "259"}


@pytest.mark.parametrize("index", [4, 5, 9, 11])
@pytest.mark.parametrize("name", BOOTS)
def test_each_event_of_a_real_boot(name: str, index: int, gpt: GuidPartitionTable) -> None:
    boot = load_boot(name)
    predicted = of(predict_uki(boot.uki, gpt, vtpm=True, secure_boot=boot.secure_boot), pcr(index)).events
    observed = tuple(event for event in boot.log.events if event.register == pcr(index))
    assert len(predicted) == len(observed)
    named = tuple(
        Event(seen.register, seen.event_type, seen.digests, event.description, data=seen.data)
        for seen, event in zip(observed, predicted, strict=True)
    )
    assert comparable(predicted) == comparable(named)


@pytest.mark.parametrize(("name", "images"), [("257-keys", 2), ("257-plain-sb", 1), ("259-full", 1), ("252-plain", 2)])
def test_who_loads_the_kernel(name: str, images: int) -> None:
    """Secure Boot takes the kernel's event away up to 257; from 259 there never is one. Seen in the real logs."""
    boot = load_boot(name)
    loaded = [event for event in boot.log.events if event.event_type == EventType.EV_EFI_BOOT_SERVICES_APPLICATION]
    assert len(loaded) == images
    predictions = predict_uki(boot.uki, vtpm=True, secure_boot=boot.secure_boot)
    for register in (pcr(4), rtmr(1)):
        types = [event.event_type for event in of(predictions, register).events]
        assert types.count(EventType.EV_EFI_BOOT_SERVICES_APPLICATION) == images


def test_a_wrong_assumption_is_named() -> None:
    boot = load_boot("257-plain-sb")
    predicted = of(predict_uki(boot.uki, vtpm=True, secure_boot=False), pcr(4)).events
    mended = [*boot.log.events]
    at = next(n for n, event in enumerate(mended) if event.event_type == EventType.EV_EFI_BOOT_SERVICES_APPLICATION)
    mended[at] = predicted[2]
    divergence = first_divergence(predicted, mended, pcr(4), Algorithm.SHA384)
    assert divergence is not None
    assert (divergence.kind, divergence.cause) == (DivergenceKind.MISSING, "UKI section .linux")


def test_rtmr2_holds_what_pcr_11_and_pcr_9_hold(gpt: GuidPartitionTable) -> None:
    """TDVF maps PCR 8..15 to RTMR2; the SHA-384 digests are those of the real boot's PCRs."""
    boot = load_boot("257-full", release="6.12.1")
    events = of(predict_uki(boot.uki, gpt, vtpm=False), rtmr(2)).events
    expected = [
        event.digest(Algorithm.SHA384) for index in (11, 9) for event in boot.log.events if event.register == pcr(index)
    ]
    assert len(events) == len(expected) == 22
    kept = [number for number, event in enumerate(events) if event.description not in KERNEL_DEPENDENT]
    assert [events[n].digest(Algorithm.SHA384) for n in kept] == [expected[n] for n in kept]
    assert len(kept) == 21


@pytest.mark.parametrize(
    ("version", "release", "vtpm", "sections", "tags"),
    [
        ("257", "6.9.0", False, True, True),
        ("257", "6.9.0", True, True, False),
        ("257", "6.8.12", True, True, False),
        ("255", "6.12.1", False, False, True),
        ("255", "6.12.1", True, False, False),
        ("252", "6.1.0", True, False, False),
    ],
)
def test_what_reaches_rtmr2(version: str, release: str, vtpm: bool, sections: bool, tags: bool) -> None:  # noqa: FBT001
    """Stubs measure to CC from 256; Linux does from 6.9, and only where there is no vTPM."""
    payload = [(".linux", kernel(release)), (".cmdline", b"quiet"), (".initrd", b"0707")]
    found = of(predict_uki(parse_uki(build_uki(version, payload)), vtpm=vtpm), rtmr(2))
    types = [event.event_type for event in found.events]
    assert types == [EventType.EV_IPL] * 6 * sections + [EventType.EV_EVENT_TAG] * 2 * tags
    if not types:
        assert found.value(Algorithm.SHA384) == Digest.zero(Algorithm.SHA384)


def test_rtmr1_events_are_in_a_real_tdx_log() -> None:
    """The firmware's own events, in the CC event log of a Google Cloud TDX machine."""
    log = parse_event_log((ASSETS / "eventlogs" / "gcp-cos113-ccel-data.bin").read_bytes())
    observed = {(e.event_type, e.digest(Algorithm.SHA384)) for e in log.events if e.register == rtmr(1)}
    predicted = of(predict_uki(parse_uki(build_uki()), vtpm=True), rtmr(1)).events
    firmware = [(e.event_type, e.digest(Algorithm.SHA384)) for e in predicted if e.cause == "firmware"]
    assert len(firmware) == 4
    assert set(firmware) <= observed


@pytest.mark.parametrize("algorithm", [Algorithm.SHA256, Algorithm.SHA384])
def test_pcr_11_is_what_systemd_measure_calculates(algorithm: Algorithm, tmp_path: Path) -> None:
    if not Path(MEASURE).exists():
        require("systemd-measure")
    version = subprocess.run([MEASURE, "--version"], check=True, capture_output=True, text=True).stdout
    major = re.search(r"systemd (\d+)", version)
    assert major is not None
    payload = [(name, content) for name, content in default_sections() if name != ".uname"]
    arguments = [f"--bank={algorithm.value}", "--phase=:"]
    for name, content in payload:
        (tmp_path / name).write_bytes(content)
        arguments.append(f"--{name[1:]}={tmp_path / name}")
    printed = subprocess.run([MEASURE, "calculate", *arguments], check=True, capture_output=True, text=True).stdout
    expected = re.search(rf"11:{algorithm.value}=([0-9a-f]+)", printed)
    assert expected is not None
    predicted = of(predict_uki(parse_uki(build_uki(major[1], payload)), vtpm=True), pcr(11))
    assert predicted.value(algorithm).hex == expected[1]


def test_without_a_gpt_there_is_no_value() -> None:
    predictions = predict_uki(parse_uki(build_uki()), vtpm=True)
    for register in (pcr(5), rtmr(1)):
        found = of(predictions, register)
        assert found.missing == ("EV_EFI_GPT_EVENT: the GPT of the boot disk was not given",)
        with pytest.raises(TeekitError, match=f"{register} cannot be predicted: EV_EFI_GPT_EVENT: the GPT of") as e:
            found.value(Algorithm.SHA384)
        assert e.value.hint
    assert of(predictions, pcr(4)).value(Algorithm.SHA384)


@pytest.mark.parametrize(
    ("payload", "missing"),
    [
        ([(".linux", kernel())], "LOADED_IMAGE::LoadOptions: the UKI has no .cmdline, the boot option decides"),
        (
            [(".linux", kernel()), (".cmdline", b"quiet noinitrd"), (".initrd", b"i")],
            "Linux initrd: the command line says noinitrd",
        ),
        (
            [(".linux", kernel("unknown")), (".cmdline", b"quiet")],
            "EV_EVENT_TAG of the kernel: what its version measures is not known",
        ),
    ],
)
def test_what_the_uki_does_not_decide_is_missing(payload: list[tuple[str, bytes]], missing: str) -> None:
    uki = parse_uki(build_uki(sections=payload))
    assert of(predict_uki(uki, vtpm=True), pcr(9)).missing == (missing,)
    assert of(predict_uki(uki, vtpm=False), rtmr(2)).missing == (missing,)
    assert of(predict_uki(uki, vtpm=True), rtmr(2)).missing == ()


@pytest.mark.parametrize(("stub", "sections"), [("255", 0), ("257", 4)])
def test_an_old_kernel_may_have_a_backport(stub: str, sections: int) -> None:
    """Upstream measures to CC from 6.9; which build measures earlier, `uname -r` does not tell."""
    uki = parse_uki(build_uki(stub, [(".linux", kernel("5.14.0")), (".cmdline", b"quiet")]))
    found = of(predict_uki(uki, vtpm=False), rtmr(2))
    assert found.missing == ("EV_EVENT_TAG of the kernel: before Linux 6.9 its vendor decides: one of 2 alternatives",)
    with pytest.raises(TeekitError, match=r"RTMR2 cannot be predicted: EV_EVENT_TAG of the kernel: before Linux 6.9"):
        found.value(Algorithm.SHA384)
    without, within = (item.events for item in found.alternatives)
    assert (len(without), len(within)) == (sections, sections + 1)
    assert within[-1].digest(Algorithm.SHA384) == Digest.of(Algorithm.SHA384, "quiet\0".encode("utf-16-le"))
    with pytest.raises(TeekitError, match="PCR9 cannot be predicted: EV_EVENT_TAG of the kernel: what its version"):
        of(predict_uki(uki, vtpm=True), pcr(9)).value(Algorithm.SHA256)


CONSOLES = [
    "",
    *(f" console={name}" for name in ("hvc0", "uart,io,0x3f8", "uart,io,0x2f8", "uart,io,0x3e8", "uart,io,0x2e8")),
]


@pytest.mark.parametrize(("cmdline", "added"), [(b"quiet", CONSOLES), (b"console=hvc0 quiet", [""])])
def test_what_newer_stubs_add_of_the_machine_are_alternatives(cmdline: bytes, added: list[str]) -> None:
    """systemd src/boot/console.c and boot-secret.c: a console where there is none; a secret, of which nobody knows the bytes."""
    uki = parse_uki(build_uki("262.1-1", [(".linux", kernel()), (".cmdline", cmdline), (".initrd", b"0707")]))
    predictions = predict_uki(uki, vtpm=False)
    for register, before in ((pcr(9), 0), (rtmr(2), 6)):
        *known, with_secret = of(predictions, register).alternatives
        options = [item.events[before].digest(Algorithm.SHA384) for item in known]
        texts = [f"{cmdline.decode()}{console}\0".encode("utf-16-le") for console in added]
        assert options == [Digest.of(Algorithm.SHA384, text) for text in texts]
        assert {item.events[-1].digest(Algorithm.SHA384) for item in known} == {Digest.of(Algorithm.SHA384, b"0707")}
        assert (with_secret.events, with_secret.missing != "") == ((), True)
        with pytest.raises(TeekitError, match=r"depends on what systemd-stub 262\.1-1 takes from the machine"):
            of(predictions, register).value(Algorithm.SHA384)
    for register in (pcr(4), pcr(11)):
        assert of(predictions, register).value(Algorithm.SHA256)


def test_what_is_known_of_the_machine_leaves_one_value() -> None:
    uki = parse_uki(build_uki("262.1-1", [(".linux", kernel()), (".cmdline", b"quiet"), (".initrd", b"0707")]))
    machine = StubMachine(console="hvc0", no_secret=True)
    found = of(predict_uki(uki, vtpm=True, machine=machine), pcr(9))
    assert (found.missing, found.alternatives) == ((), ())
    expected = [
        Digest.of(Algorithm.SHA256, "quiet console=hvc0\0".encode("utf-16-le")),
        Digest.of(Algorithm.SHA256, b"0707"),
    ]
    assert [event.digest(Algorithm.SHA256) for event in found.events] == expected


def test_a_command_line_with_a_console_is_not_added_to() -> None:
    uki = parse_uki(build_uki("262", [(".linux", kernel()), (".cmdline", b"console=ttyS0")]))
    found = of(predict_uki(uki, vtpm=True, machine=StubMachine(console="hvc0", no_secret=True)), pcr(9))
    assert found.events[0].digest(Algorithm.SHA256) == Digest.of(
        Algorithm.SHA256, "console=ttyS0\0".encode("utf-16-le")
    )


def test_another_profile_has_other_sections() -> None:
    payload = [
        (".linux", kernel()),
        (".cmdline", b"base"),
        (".profile", b"ID=a"),
        (".profile", b"ID=b"),
        (".cmdline", b"b"),
    ]
    uki = parse_uki(build_uki("257", payload))
    values = {of(predict_uki(uki, vtpm=True, profile=number), pcr(11)).value(Algorithm.SHA256) for number in (0, 1)}
    assert len(values) == 2
    options = of(predict_uki(uki, vtpm=True, profile=1), pcr(9)).events[0]
    assert options.digest(Algorithm.SHA256) == Digest.of(Algorithm.SHA256, "b\0".encode("utf-16-le"))


def test_a_register_has_only_its_banks() -> None:
    found = of(predict_uki(parse_uki(build_uki()), vtpm=True), rtmr(2))
    with pytest.raises(TeekitError, match="RTMR2 has no sha256 bank"):
        found.value(Algorithm.SHA256)


def test_causes_name_the_sections() -> None:
    predictions = predict_uki(parse_uki(build_uki()), vtpm=True)
    assert [event.cause for event in of(predictions, pcr(9)).events] == [
        "UKI section .cmdline",
        "UKI sections .initrd, .osrel",
    ]
    assert {event.cause for event in of(predictions, pcr(4)).events} == {"firmware", "UKI", "UKI section .linux"}
    assert all(event.cause for prediction in predictions for event in prediction.events)


def test_a_kernel_that_is_no_pe_image_is_refused() -> None:
    uki = parse_uki(build_uki(sections=[(".linux", b"\x7fELF" * 30), (".uname", b"6.12.0")]))
    with pytest.raises(TeekitError, match=r"UKI section \.linux: DOS signature at offset 0x800: expected 'MZ'"):
        predict_uki(uki, vtpm=True)

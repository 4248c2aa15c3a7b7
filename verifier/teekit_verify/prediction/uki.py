"""Predicts the boot of a UKI from disk: the event log of each register the UKI and its disk decide.

One function per event, named after what the specification calls it. Documents: PFP is the TCG PC Client Platform
Firmware Profile 1.06; edk2 is tianocore/edk2 at c5aa7e7d; the stub's sources are named in `stub`.

What is assumed: the first boot option starts the UKI; the firmware is edk2 from edk2-stable202411 on; nothing lies
beside the UKI on the ESP that the stub would pick up (addons, credentials, extensions), and the boot option passes no
command line of its own. A boot where that does not hold gives other values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.artifacts.pe import parse_pe
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.prediction.hashing import DigestTable, Message, digest_messages
from teekit_verify.prediction.linux import kernel_behaviour
from teekit_verify.prediction.stub import stub_view
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import pcr, rtmr
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from teekit_verify.artifacts.gpt import GuidPartitionTable
    from teekit_verify.artifacts.pe import PeSection
    from teekit_verify.artifacts.uki import UnifiedKernelImage
    from teekit_verify.prediction.stub import StubView
    from teekit_verify.registers.registers import Register

_CALLING_EFI_APPLICATION = b"Calling EFI Application from Boot Option"
_EXIT_INVOCATION = b"Exit Boot Services Invocation"
_EXIT_SUCCEEDED = b"Exit Boot Services Returned with Success"


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predicted event log of one register. `missing` names the events that the given artifacts do not decide.

    `alternatives` are the whole logs that are possible, with what each of them takes; then `missing` says so.
    """

    register: Register
    events: tuple[Event, ...]
    missing: tuple[str, ...] = ()
    alternatives: tuple[tuple[str, tuple[Event, ...]], ...] = ()

    def value(self, algorithm: Algorithm) -> Digest:
        """The register after ExitBootServices. Raises TeekitError if an event is missing or the bank does not exist."""
        if self.missing:
            raise TeekitError(
                f"{self.register} cannot be predicted: {'; '.join(self.missing)}",
                hint="Give what is missing, or compare only the events that are known.",
            )
        if algorithm not in self.register.algorithms:
            raise TeekitError(f"{self.register} has no {algorithm.value} bank")
        return replay(self.events, algorithm).get(self.register, Digest.zero(algorithm))


@dataclass(frozen=True, slots=True)
class _Draft:
    """An event before its digest is known: `message` is what is measured."""

    event_type: EventType
    message: Message
    description: str
    cause: str
    data: bytes = b""


def predict_uki(
    uki: UnifiedKernelImage,
    gpt: GuidPartitionTable | None = None,
    *,
    vtpm: bool,
    secure_boot: bool = False,
    profile: int = 0,
) -> tuple[Prediction, ...]:
    """PCR 4, 5, 9, 11 of a guest with a vTPM, and RTMR1, RTMR2 of a TDX guest (with a vTPM beside it, or not).

    Raises UnsupportedInputError if the stub's or the kernel's measuring is not known. Without `gpt`, PCR 5 and RTMR1
    are incomplete. PCR 4 and 5 are those of firmware that measures to the vTPM: edk2 measures images and GPT to the
    CC registers only, where it has both.

    With Secure Boot on, stubs up to 257 replace the firmware's check of the kernel they carry (src/boot/secure-boot.c,
    install_security_override(): "If not running in secure boot [...] nothing happens"), and with it the measurement.
    """
    view = stub_view(uki, profile)
    kernel = kernel_behaviour(view.kernel_release())
    images = [ev_efi_boot_services_application(view, None)]
    if view.behaviour.firmware_loads_kernel and not secure_boot:
        images.append(ev_efi_boot_services_application(view, view.linux))
    table = [] if gpt is None else [ev_efi_gpt_event(gpt)]
    no_gpt = () if gpt is not None else ("EV_EFI_GPT_EVENT: the GPT of the boot disk was not given",)
    exits = [ev_efi_action(_EXIT_INVOCATION), ev_efi_action(_EXIT_SUCCEEDED)]
    tags, no_tags = _linux_events(view)
    sections = [event for section in view.measured for event in ev_ipl_section(section)]
    unknown = ("EV_EVENT_TAG of the kernel: what its version measures is not known",)
    no_tcg2 = unknown if kernel.measures_to_tcg2 is None else no_tags
    no_cc = unknown if kernel.measures_to_cc is None else no_tags
    start = [ev_efi_action(_CALLING_EFI_APPLICATION), ev_separator()]
    drafts: list[tuple[Register, list[_Draft], tuple[str, ...]]] = [
        (pcr(4), start + images, ()),
        (pcr(5), [ev_separator(), *table, *exits], no_gpt),
        (pcr(9), tags if kernel.measures_to_tcg2 else [], no_tcg2),
        (pcr(11), sections, ()),
        (rtmr(1), [*start, *table, *images, *exits], no_gpt),
        (
            rtmr(2),
            (sections if view.behaviour.measures_to_cc else []) + (tags if kernel.measures_to_cc and not vtpm else []),
            () if vtpm else no_cc,
        ),
    ]
    predictions = _predictions(uki, drafts)
    if kernel.vendor_decides and not vtpm and not no_tags:
        return (*predictions[:-1], _with_and_without(predictions[-1], uki, tags))
    return predictions


def _with_and_without(rtmr2: Prediction, uki: UnifiedKernelImage, tags: list[_Draft]) -> Prediction:
    """RTMR2 of kernels before 6.9, which may have their vendor's backport of the measurement."""
    (added,) = _predictions(uki, [(rtmr2.register, tags, ())])
    return replace(
        rtmr2,
        missing=("EV_EVENT_TAG of the kernel: before Linux 6.9 its vendor decides: one of 2 alternatives",),
        alternatives=(
            ("the kernel measures nothing, as upstream", rtmr2.events),
            ("the kernel measures command line and initrd, by its vendor's backport", rtmr2.events + added.events),
        ),
    )


def ev_efi_action(text: bytes) -> _Draft:
    """PFP 10.4.4: "EV_EFI_ACTION ... the digest is of the string", without a NUL.

    edk2 SecurityPkg/Tcg/Tcg2Dxe/Tcg2Dxe.c: OnReadyToBoot measures "Calling EFI Application from Boot Option" to PCR 4,
    OnExitBootServices its two strings to PCR 5.
    """
    return _Draft(EventType.EV_EFI_ACTION, (text,), text.decode("ascii"), "firmware", text)


def ev_separator() -> _Draft:
    """PFP 10.4.1: EV_SEPARATOR, four zero bytes, ends the pre-boot measurements of PCR 0 to 7."""
    return _Draft(EventType.EV_SEPARATOR, (bytes(4),), "separator", "firmware", bytes(4))


def ev_efi_gpt_event(gpt: GuidPartitionTable) -> _Draft:
    """PFP 10.4.1: UEFI_GPT_DATA: the 92-byte header, the number of used entries (u64), and these entries.

    edk2 SecurityPkg/Library/DxeTpm2MeasureBootLib/DxeTpm2MeasureBootLib.c, Tcg2MeasureGptTable(): once, for the disk
    the first image comes from.
    """
    data = gpt.header + len(gpt.entries).to_bytes(8, "little") + b"".join(entry.raw for entry in gpt.entries)
    return _Draft(EventType.EV_EFI_GPT_EVENT, (data,), "GUID partition table", "GPT of the disk", data)


def ev_efi_boot_services_application(view: StubView, section: PeSection | None) -> _Draft:
    """PFP 10.4.1: the Authenticode digest of an image that LoadImage() loads; here the UKI, or a section of it."""
    if section is None:
        spans: Message = view.uki.image.authenticode_spans()
        return _Draft(EventType.EV_EFI_BOOT_SERVICES_APPLICATION, spans, "UKI (Authenticode)", "UKI")
    start = section.content.start
    inner = parse_pe(view.uki.content(section), what=f"UKI section {section.name}", base=start)
    spans = tuple(span.shifted(start) for span in inner.authenticode_spans())
    return _Draft(
        EventType.EV_EFI_BOOT_SERVICES_APPLICATION, spans, "kernel (Authenticode)", f"UKI section {section.name}"
    )


def ev_ipl_section(section: PeSection) -> tuple[_Draft, _Draft]:
    """Systemd src/boot/stub.c, measure_sections(): "First measure the name of the section", with its NUL byte,
    "Then measure the data of the section", VirtualSize bytes; both as EV_IPL to PCR 11.
    """
    cause, data = f"UKI section {section.name}", f"{section.name}\0".encode("utf-16-le")
    name = section.name.encode("ascii") + b"\0"
    return (
        _Draft(EventType.EV_IPL, (name,), f"name of section {section.name}", cause, data),
        _Draft(EventType.EV_IPL, (section.content,), f"content of section {section.name}", cause, data),
    )


def ev_event_tag_load_options(options: bytes) -> _Draft:
    """Linux drivers/firmware/efi/libstub/efi-stub-helper.c: LOAD_OPTIONS_EVENT_TAG_ID 0x8F3B22ED, UTF-16LE with NUL."""
    name = "LOADED_IMAGE::LoadOptions"
    return _Draft(EventType.EV_EVENT_TAG, (options,), name, "UKI section .cmdline", _tagged(0x8F3B22ED, name))


def ev_event_tag_linux_initrd(initrd: Message, cause: str) -> _Draft:
    """Linux drivers/firmware/efi/libstub/efi-stub-helper.c: INITRD_EVENT_TAG_ID 0x8F3B22EC, as LoadFile2 returned it."""
    return _Draft(EventType.EV_EVENT_TAG, initrd, "Linux initrd", cause, _tagged(0x8F3B22EC, "Linux initrd"))


def _tagged(tag: int, text: str) -> bytes:
    """PFP 10.4.2.1, TCG_PCClientTaggedEvent: u32 tag, u32 size, data; here the text with its NUL."""
    data = text.encode("ascii") + b"\0"
    return tag.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data


def _linux_events(view: StubView) -> tuple[list[_Draft], tuple[str, ...]]:
    """What the kernel's EFI stub measures, and what is missing for it."""
    options = view.load_options()
    if options is None:
        return [], ("LOADED_IMAGE::LoadOptions: the UKI has no .cmdline, the boot option decides",)
    if view.open_console():
        return [], (f"LOADED_IMAGE::LoadOptions: {_stub_of(view)} adds a console= of the machine, the UKI has none",)
    events = [ev_event_tag_load_options(options)]
    if "noinitrd" in options.decode("utf-16-le").rstrip("\0").split():
        return events, ("Linux initrd: the command line says noinitrd",)
    if view.behaviour.adds_of_the_machine:
        return events, (f"Linux initrd: {_stub_of(view)} adds a secret of the machine's firmware to it",)
    initrd = view.initrd()
    if initrd is not None:
        handed = (".ucode", ".initrd", *dict(view.behaviour.packed))
        named = [name for name in handed if view.get(name)]
        events.append(ev_event_tag_linux_initrd(initrd, f"UKI section{'s'[: len(named) > 1]} {', '.join(named)}"))
    return events, ()


def _stub_of(view: StubView) -> str:
    return f"systemd-stub {view.uki.stub_version.text}"


def _predictions(
    uki: UnifiedKernelImage, drafts: list[tuple[Register, list[_Draft], tuple[str, ...]]]
) -> tuple[Prediction, ...]:
    wanted: dict[Message, set[Algorithm]] = {}
    for register, events, _ in drafts:
        for draft in events:
            wanted.setdefault(draft.message, set()).update(register.algorithms)
    digests = digest_messages(uki.data, wanted)
    return tuple(
        Prediction(register, tuple(_event(register, draft, digests) for draft in events), missing)
        for register, events, missing in drafts
    )


def _event(register: Register, draft: _Draft, digests: DigestTable) -> Event:
    return Event(
        register=register,
        event_type=draft.event_type,
        digests=tuple(digests[draft.message, algorithm] for algorithm in register.algorithms),
        description=draft.description,
        cause=draft.cause,
        data=draft.data,
    )

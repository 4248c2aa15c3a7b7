"""The events of a UKI's boot, one function for each, named after what the specification calls it.

Documents: PFP is the TCG PC Client Platform Firmware Profile 1.06; edk2 is tianocore/edk2 at c5aa7e7d; the stub's sources are named in
`stub_releases`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.pe import parse_pe
from teekit_verify.core.errors import printable
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.companions import CONFIG_PCR
from teekit_verify.prediction.stub_cmdline import utf16
from teekit_verify.prediction.stub_sections import in_memory
from teekit_verify.registers.events import Event, EventType

if TYPE_CHECKING:
    from teekit_verify.artifacts.gpt import GuidPartitionTable
    from teekit_verify.artifacts.pe import PeSection
    from teekit_verify.prediction.companions import Addon, Archive
    from teekit_verify.prediction.hashing import DigestTable, Message
    from teekit_verify.prediction.stub import StubView
    from teekit_verify.registers.registers import Register

LOAD_OPTIONS_TAG, INITRD_TAG = 0x8F3B22ED, 0x8F3B22EC
"""Linux drivers/firmware/efi/libstub/efistub.h: LOAD_OPTIONS_EVENT_TAG_ID, INITRD_EVENT_TAG_ID."""
_PROFILE_TAG, _INITRD_ADDON_TAG, _UCODE_ADDON_TAG = 0x13AED6DB, 0x49DFFE0F, 0xDAC08E1A
"""systemd src/fundamental/tpm2-pcr.h: UKI_PROFILE_EVENT_TAG_ID and its neighbours."""


@frozen
class Draft:
    """An event before its digest is known: `message` is what is measured."""

    event_type: EventType
    message: Message
    description: str
    cause: str
    data: bytes = b""


@frozen
class StubEvent:
    """What the stub measures, and into which PCR. `tagged`: with tpm_log_tagged_event()."""

    pcr_index: int
    draft: Draft
    tagged: bool = False


def is_of_linux(event: Event) -> bool:
    """Whether the kernel's EFI stub measured it, by its tag."""
    tags = (LOAD_OPTIONS_TAG, INITRD_TAG)
    return event.event_type == EventType.EV_EVENT_TAG and int.from_bytes(event.data[:4], "little") in tags


def ev_efi_action(text: bytes) -> Draft:
    """PFP 10.4.4: "EV_EFI_ACTION ... the digest is of the string", without a NUL.

    edk2 SecurityPkg/Tcg/Tcg2Dxe/Tcg2Dxe.c: OnReadyToBoot measures "Calling EFI Application from Boot Option" to PCR 4,
    OnExitBootServices its two strings to PCR 5.
    """
    return Draft(EventType.EV_EFI_ACTION, (text,), text.decode("ascii"), "firmware", text)


def ev_separator() -> Draft:
    """PFP 10.4.1: EV_SEPARATOR, four zero bytes, ends the pre-boot measurements of PCR 0 to 7."""
    return Draft(EventType.EV_SEPARATOR, (bytes(4),), "separator", "firmware", bytes(4))


def ev_efi_gpt_event(gpt: GuidPartitionTable) -> Draft:
    """PFP 10.4.1: UEFI_GPT_DATA: the 92-byte header, the number of used entries (u64), and these entries.

    edk2 SecurityPkg/Library/DxeTpm2MeasureBootLib/DxeTpm2MeasureBootLib.c, Tcg2MeasureGptTable(): once, for the disk
    the first image comes from.
    """
    data = gpt.header + len(gpt.entries).to_bytes(8, "little") + b"".join(entry.raw for entry in gpt.entries)
    return Draft(EventType.EV_EFI_GPT_EVENT, (data,), "GUID partition table", "GPT of the disk", data)


def ev_efi_boot_services_application(view: StubView, section: PeSection | None) -> Draft:
    """PFP 10.4.1: the Authenticode digest of an image that LoadImage() loads; here the UKI, or a section of it."""
    if section is None:
        spans: Message = view.uki.image.authenticode_spans()
        return Draft(EventType.EV_EFI_BOOT_SERVICES_APPLICATION, spans, "UKI (Authenticode)", "UKI")
    start = section.content.start
    inner = parse_pe(view.uki.content(section), what=f"UKI section {section.name}", base=start)
    spans = tuple(span.shifted(start) for span in inner.authenticode_spans())
    return Draft(
        EventType.EV_EFI_BOOT_SERVICES_APPLICATION, spans, "kernel (Authenticode)", f"UKI section {section.name}"
    )


def ev_ipl_section(view: StubView, section: PeSection) -> tuple[Draft, Draft]:
    """Systemd src/boot/stub.c, measure_sections(): "First measure the name of the section", with its NUL byte,
    "Then measure the data of the section", VirtualSize bytes; both as EV_IPL to PCR 11.
    """
    cause, data = f"UKI section {section.name}", f"{section.name}\0".encode("utf-16-le")
    name = section.name.encode("ascii") + b"\0"
    return (
        Draft(EventType.EV_IPL, (name,), f"name of section {section.name}", cause, data),
        Draft(EventType.EV_IPL, in_memory(section, view.uki), f"content of section {section.name}", cause, data),
    )


def ev_event_tag_load_options(options: bytes, cause: str) -> Draft:
    """Linux drivers/firmware/efi/libstub/efi-stub-helper.c: LOAD_OPTIONS_EVENT_TAG_ID 0x8F3B22ED, UTF-16LE with NUL."""
    name = "LOADED_IMAGE::LoadOptions"
    return Draft(EventType.EV_EVENT_TAG, (options,), name, cause, _tagged(LOAD_OPTIONS_TAG, name))


def ev_event_tag_linux_initrd(initrd: Message, cause: str) -> Draft:
    """Linux drivers/firmware/efi/libstub/efi-stub-helper.c: INITRD_EVENT_TAG_ID 0x8F3B22EC, as LoadFile2 returned it."""
    return Draft(EventType.EV_EVENT_TAG, initrd, "Linux initrd", cause, _tagged(INITRD_TAG, "Linux initrd"))


def ev_efi_addon(addon: Addon) -> Draft:
    """An addon is an image that LoadImage() loads, as the UKI is."""
    name = printable(addon.name)
    return Draft(
        EventType.EV_EFI_BOOT_SERVICES_APPLICATION, addon.image, f"addon {name} (Authenticode)", f"addon {name}"
    )


def ev_event_tag_profile(profile: int) -> StubEvent:
    """Systemd src/boot/stub.c, measure_profile(): the number in UTF-16, of all profiles but the first."""
    text = str(profile)
    data = _tagged_bytes(_PROFILE_TAG, utf16(text))
    draft = Draft(EventType.EV_EVENT_TAG, (utf16(text),), f"profile {profile}", "profile that is booted", data)
    return StubEvent(CONFIG_PCR, draft, tagged=True)


def ev_ipl_addon_cmdline(text: str) -> StubEvent:
    """Systemd src/boot/measure.c, tpm_log_load_options(): the text is what is measured, and what is logged."""
    raw = utf16(text)
    return StubEvent(CONFIG_PCR, Draft(EventType.EV_IPL, (raw,), "command line of addons", "addons", raw))


def ev_ipl_archive(archive: Archive) -> StubEvent:
    """Systemd src/boot/cpio.c, pack_cpio(): the archive as a whole."""
    name = archive.description
    draft = Draft(EventType.EV_IPL, (archive.content,), name, "files beside the UKI", utf16(name))
    return StubEvent(archive.pcr_index, draft)


def ev_event_tag_addon(addon: Addon, *, ucode: bool) -> StubEvent:
    """Systemd src/boot/stub.c, measure_and_append_initrd_addons(), measure_and_append_ucode_addons()."""
    tag, kind, content = (
        (_UCODE_ADDON_TAG, ".ucode", addon.ucode) if ucode else (_INITRD_ADDON_TAG, ".initrd", addon.initrd)
    )
    name = printable(addon.name)
    data = _tagged_bytes(tag, utf16(addon.name))
    draft = Draft(EventType.EV_EVENT_TAG, (content,), f"{kind} of addon {name}", f"addon {name}", data)
    return StubEvent(CONFIG_PCR, draft, tagged=True)


def _tagged(tag: int, text: str) -> bytes:
    """The text with its NUL, as Linux has it."""
    return _tagged_bytes(tag, text.encode("ascii") + b"\0")


def _tagged_bytes(tag: int, data: bytes) -> bytes:
    """PFP 10.4.2.1, TCG_PCClientTaggedEvent: u32 tag, u32 size, data."""
    return tag.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data


def event_of(register: Register, draft: Draft, digests: DigestTable) -> Event:
    """The event with its digests, one for each bank of the register."""
    return Event(
        register=register,
        event_type=draft.event_type,
        digests=tuple(digests[draft.message, algorithm] for algorithm in register.algorithms),
        description=draft.description,
        cause=draft.cause,
        data=draft.data,
    )

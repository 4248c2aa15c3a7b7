"""Registers of a TDX guest from digests of its image's parts: the "portable" measurements of Easy-TEE's attest.

Easy-TEE/attest (17d6d8b), crates/types/src/lib.rs (DcapImageHashes) and crates/measure/src/dcap: gcp.rs for a boot from a disk,
self_hosted.rs where QEMU starts the UKI (-kernel). Each digest is what one event extends; `pe_sections` is RTMR2 as the
stub leaves it, of stubs that measure their sections (256 and later). The format has a kernel that firmware measures, so
that it cannot say what stubs from 258 on do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.documents.model import RegisterValue
from teekit_verify.documents.register_values import register_value
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import Register, rtmr
from teekit_verify.registers.replay import extend, replay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.documents.model import PredictedEvent

_FIRMWARE, _UKI, _KERNEL, _GPT = "firmware", "UKI", "UKI section .linux", "GPT of the disk"
_CALLING, _SEPARATOR = b"Calling EFI Application from Boot Option", bytes(4)
_EXITS = (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")
_IMAGE, _TABLE = EventType.EV_EFI_BOOT_SERVICES_APPLICATION, EventType.EV_EFI_GPT_EVENT
_TAG, _SECTION = EventType.EV_EVENT_TAG, EventType.EV_IPL
_HINT = "Publish the registers themselves (measure --output), or boot the image as this format assumes."


@frozen
class ImageDigests:
    """SHA-384 of what each event measures. `gpt` is that of UEFI_GPT_DATA, `cmdline` that of UTF-16LE text with its NUL.

    `sections` is a register's value, None where the stub measures no section into the CC registers.
    """

    uki: Digest
    kernel: Digest
    cmdline: Digest
    initrd: Digest
    gpt: Digest
    sections: Digest | None = None

    def rtmr1_from_disk(self) -> RegisterValue:
        """Firmware that starts the UKI from a disk's partition table."""
        table = _event(_TABLE, self.gpt, "GUID partition table", _GPT)
        return register_value(rtmr(1), (*_start(), table, self._uki_event(), self._kernel_event(), *_exits()))

    def rtmr1_from_qemu(self) -> RegisterValue:
        """QEMU hands the UKI over (-kernel): it is loaded before the boot manager starts, and there is no disk."""
        return register_value(rtmr(1), (self._uki_event(), *_start(), self._kernel_event(), *_exits()))

    def rtmr2(self) -> RegisterValue:
        """Without a log where the digests of the sections' events are not given one by one."""
        tags = (
            _tag(self.cmdline, "LOADED_IMAGE::LoadOptions", ".cmdline"),
            _tag(self.initrd, "Linux initrd", ".initrd"),
        )
        if self.sections is None:
            return register_value(rtmr(2), tags)
        value = self.sections
        for tag in tags:
            value = extend(value, tag.digest(Algorithm.SHA384))
        return RegisterValue((value,), "", ())

    def _uki_event(self) -> Event:
        return _event(_IMAGE, self.uki, "UKI (Authenticode)", _UKI)

    def _kernel_event(self) -> Event:
        return _event(_IMAGE, self.kernel, "kernel (Authenticode)", _KERNEL)


def image_digests(registers: Mapping[Register, RegisterValue]) -> ImageDigests:
    """Those of predicted registers of a TDX guest without vTPM, which boots from a disk.

    Raises UnsupportedInputError where what was predicted is not what a verifier would compute from the digests.
    """
    boot, kernel = registers.get(rtmr(1)), registers.get(rtmr(2))
    if boot is None or kernel is None:
        raise TeekitError(
            "RTMR1 and RTMR2 were not predicted", hint="Leave out --platform, or choose gcp with --no-vtpm."
        )
    for register, value in ((rtmr(1), boot), (rtmr(2), kernel)):
        if value.values is None:
            raise UnsupportedInputError(
                f"{register} is not known, and portable measurements stand for one value: {value.missing}",
                hint="Give the disk that the image boots from, not the UKI alone.",
            )
    tags = _of_type(kernel, _TAG)
    sections = _of_type(kernel, _SECTION)
    found = ImageDigests(
        uki=_only(boot, _IMAGE, _UKI, "the UKI"),
        kernel=_only(boot, _IMAGE, _KERNEL, "a kernel that the firmware measures (systemd-stub up to 257)"),
        cmdline=_only(kernel, _TAG, "UKI section .cmdline", "a command line that the kernel measures"),
        initrd=_digest(tags[1]) if len(tags) == 2 else _lacks("an initrd that the kernel measures"),  # noqa: PLR2004
        gpt=_only(boot, _TABLE, _GPT, "the partition table of a disk"),
        sections=_replayed(sections) if sections else None,
    )
    for register, value, computed in ((rtmr(1), boot, found.rtmr1_from_disk()), (rtmr(2), kernel, found.rtmr2())):
        if computed.values != value.values:
            raise UnsupportedInputError(f"{register} does not follow from portable measurements", hint=_HINT)
    return found


def _only(value: RegisterValue, kind: EventType, cause: str, what: str) -> Digest:
    digests = [_digest(event) for event in _of_type(value, kind) if event.cause == cause]
    return digests[0] if len(digests) == 1 else _lacks(what)


def _lacks(what: str) -> Digest:
    raise UnsupportedInputError(f"portable measurements assume {what}, which this image does not have", hint=_HINT)


def _of_type(value: RegisterValue, kind: EventType) -> tuple[PredictedEvent, ...]:
    return tuple(event for event in value.events if event.type == kind)


def _digest(event: PredictedEvent) -> Digest:
    digest = event.digest(Algorithm.SHA384)
    assert digest is not None  # noqa: S101 - RTMRs have this bank alone
    return digest


def _replayed(events: Sequence[PredictedEvent]) -> Digest:
    return replay(RegisterValue(None, "", tuple(events)).as_events(rtmr(2)), Algorithm.SHA384)[rtmr(2)]


def _event(kind: EventType, digest: Digest, description: str, cause: str, register: Register | None = None) -> Event:
    return Event(register or rtmr(1), kind, (digest,), description, cause)


def _tag(digest: Digest, name: str, section: str) -> Event:
    return _event(_TAG, digest, name, f"UKI section {section}", rtmr(2))


def _start() -> tuple[Event, Event]:
    return (
        _event(EventType.EV_EFI_ACTION, Digest.of(Algorithm.SHA384, _CALLING), _CALLING.decode("ascii"), _FIRMWARE),
        _event(EventType.EV_SEPARATOR, Digest.of(Algorithm.SHA384, _SEPARATOR), "separator", _FIRMWARE),
    )


def _exits() -> tuple[Event, ...]:
    return tuple(
        _event(EventType.EV_EFI_ACTION, Digest.of(Algorithm.SHA384, text), text.decode("ascii"), _FIRMWARE)
        for text in _EXITS
    )

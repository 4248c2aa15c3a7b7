"""Predicts a direct boot on QEMU (-kernel, -initrd, -append): OVMF starts a Linux kernel without disk, boot loader or UKI.

Sources: QEMU hw/i386/x86-common.c, x86_load_linux() (04ddbb13); edk2 OvmfPkg/Library/GenericQemuLoadImageLib and
X86QemuLoadImageLib; the Linux/x86 boot protocol (Documentation/arch/x86/boot.rst). Order of the events: the log of a dstack
guest (tests/assets/eventlogs) and boots with a software TPM.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.artifacts.pe import parse_pe
from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.prediction.hashing import digest_messages
from teekit_verify.prediction.linux import kernel_behaviour
from teekit_verify.prediction.uki import Prediction
from teekit_verify.prediction.uki_events import (
    Draft,
    ev_efi_action,
    ev_event_tag_linux_initrd,
    ev_event_tag_load_options,
    ev_separator,
    event_of,
)
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.digest import Algorithm
    from teekit_verify.prediction.edk2 import Edk2
    from teekit_verify.prediction.hashing import Message
    from teekit_verify.registers.registers import Register

    _Plan = tuple[Register, list[Draft], tuple[str, ...]]

_WHAT = "Linux kernel"
_PROTOCOL, _OLDEST_PROTOCOL = 0x206, 0x20C
_SETUP_SECTORS, _VERSION_POINTER = 0x1F1, 0x20E
_MAX_HEADER_BYTES = 8192
_CMDLINE_ADDRESS, _REAL_MODE_ADDRESS = 0x20000, 0x10000
_ACPI_DATA_BYTES = 0x28000
"""QEMU hw/i386/pc.c, acpi_data_size: what it keeps free below the top of low memory, 128 KiB and 32 KiB."""
_LOW_MEMORY_HOLE_FROM, _LOW_MEMORY_BYTES = 0xB0000000, 0x80000000
_CAN_BE_LOADED_ABOVE_4G = 0x2
_MAX_CMDLINE_CHARACTERS = 1 << 16
_INITRD_FIRST_FROM = 202508


@dataclass(frozen=True, slots=True)
class DirectBoot:
    """What QEMU is given. `cmdline` is `-append`'s text; `initrd` is None without one.

    `patched_for_bytes`: QEMU writes into the header of the kernel that firmware loads, and the address of the initrd in
    it depends on the guest's memory in bytes. None where it does not: for confidential guests since QEMU 10.1
    (`if (!MACHINE(x86ms)->cgs ...)`), and where firmware takes the item etc/boot/kernel (edk2 since stable202502 with QEMU
    since 10.0).
    """

    kernel: bytes
    cmdline: str = ""
    initrd: bytes | None = None
    patched_for_bytes: int | None = None

    def loaded_kernel(self) -> bytes:
        """The kernel as firmware loads and measures it. Raises MalformedInputError, UnsupportedInputError."""
        require_bzimage(self.kernel)
        if self.patched_for_bytes is None:
            return self.kernel
        return patched_kernel(
            self.kernel, self.cmdline, None if self.initrd is None else len(self.initrd), self.patched_for_bytes
        )


def require_bzimage(kernel: bytes) -> None:
    """Raises MalformedInputError for what is no bzImage, UnsupportedInputError for a boot protocol before 2.12 (2012)."""
    reader = Reader(memoryview(kernel), _WHAT)
    reader.take(0x202, "boot sector")
    if bytes(reader.take(4, "header magic")) != b"HdrS":
        raise MalformedInputError(_WHAT, field="header magic", offset=0x202, problem="expected b'HdrS'")
    protocol = reader.u16("boot protocol")
    if protocol < _OLDEST_PROTOCOL:
        raise UnsupportedInputError(f"the kernel has boot protocol {protocol:#x}, older than 0x20c (Linux 3.8)")
    reader.take(0x268 - reader.position, "setup header")
    if _setup_bytes(kernel) > len(kernel):
        problem = f"{_setup_bytes(kernel)} bytes of setup code, the file has {len(kernel)}"
        raise MalformedInputError(_WHAT, field="setup sectors", offset=_SETUP_SECTORS, problem=problem)


def _setup_bytes(kernel: bytes) -> int:
    return ((kernel[_SETUP_SECTORS] or 4) + 1) * 512


def kernel_release(kernel: bytes) -> str | None:
    """`uname -r`, from the text that the header's kernel_version points to; None where there is none."""
    (pointer,) = struct.unpack_from("<H", kernel, _VERSION_POINTER)
    text = kernel[pointer + 0x200 :][:256].split(b"\0")[0].decode("ascii", "replace") if pointer else ""
    return text.split(" ")[0] or None


def patched_kernel(kernel: bytes, cmdline: str, initrd_bytes: int | None, memory_bytes: int) -> bytes:
    """The kernel with what QEMU writes into its header, on a q35 machine with so much memory.

    Raises UnsupportedInputError for an initrd that does not fit, and for `vga=`, which QEMU also writes there.
    """
    if "vga=" in cmdline:
        raise UnsupportedInputError(
            "QEMU writes the video mode of vga= into the kernel it hands over: this is not predicted",
            hint="Leave vga= out of the command line.",
        )
    patched = bytearray(kernel)
    struct.pack_into("<I", patched, 0x228, _CMDLINE_ADDRESS)
    patched[0x210] = 0xB0  # type_of_loader: QEMU
    patched[0x211] |= 0x80  # loadflags: CAN_USE_HEAP
    struct.pack_into("<H", patched, 0x224, _CMDLINE_ADDRESS - _REAL_MODE_ADDRESS - 0x200)
    if initrd_bytes is not None:
        address = _initrd_address(kernel, initrd_bytes, memory_bytes)
        struct.pack_into("<II", patched, 0x218, address, initrd_bytes)
    header_bytes = min(_MAX_HEADER_BYTES, _setup_bytes(kernel))
    return bytes(patched[:header_bytes]) + kernel[header_bytes:]


def _initrd_address(kernel: bytes, initrd_bytes: int, memory_bytes: int) -> int:
    """As high as it may be below 4 GiB and below the ACPI tables, at a page."""
    (flags,) = struct.unpack_from("<H", kernel, 0x236)
    (own_limit,) = struct.unpack_from("<I", kernel, 0x22C)
    highest: int = 0xFFFFFFFF if flags & _CAN_BE_LOADED_ABOVE_4G else own_limit
    low_bytes = _LOW_MEMORY_BYTES if memory_bytes >= _LOW_MEMORY_HOLE_FROM else memory_bytes
    highest = min(highest, low_bytes - _ACPI_DATA_BYTES - 1)
    if initrd_bytes >= highest:
        raise UnsupportedInputError(
            f"an initrd of {initrd_bytes} bytes does not fit into {memory_bytes} bytes of memory"
        )
    return highest - initrd_bytes & ~0xFFF


def load_options(boot: DirectBoot, edk2: Edk2) -> bytes:
    """UTF-16LE with NUL. edk2 a2ac0fea49 (stable202508) moved its `initrd=initrd` from behind the command line before it.

    Raises UnsupportedInputError for a command line that is not ASCII, or too long.
    """
    if not boot.cmdline.isascii() or len(boot.cmdline) > _MAX_CMDLINE_CHARACTERS:
        raise UnsupportedInputError("expected a command line of at most 65536 ASCII characters")
    text = boot.cmdline
    if boot.initrd:
        text = f"initrd=initrd {text}" if edk2.release >= _INITRD_FIRST_FROM else f"{text} initrd=initrd"
    return (text + "\0").encode("utf-16-le")


def predict_direct_boot(boot: DirectBoot, edk2: Edk2, *, vtpm: bool = False) -> tuple[Prediction, ...]:
    """RTMR1 and RTMR2 of a TDX guest (with a vTPM beside it, or not), PCR 4 and 9 of a guest with a TPM only.

    Raises MalformedInputError or UnsupportedInputError for a kernel that QEMU would not start so, or we do not know.
    """
    kernel = memoryview(boot.loaded_kernel())
    spans = parse_pe(kernel, what=_WHAT).authenticode_spans()
    behaviour = kernel_behaviour(kernel_release(boot.kernel))
    image = Draft(EventType.EV_EFI_BOOT_SERVICES_APPLICATION, spans, "kernel (Authenticode)", _kernel_cause(boot))
    separator, start = ev_separator(), ev_efi_action(b"Calling EFI Application from Boot Option")
    exits = [
        ev_efi_action(b"Exit Boot Services Invocation"),
        ev_efi_action(b"Exit Boot Services Returned with Success"),
    ]
    tags = _linux_events(boot, edk2)
    unknown = ("EV_EVENT_TAG of the kernel: what its version measures is not known",)
    to_cc = tags if behaviour.measures_to_cc and not vtpm else []
    no_cc = unknown if behaviour.measures_to_cc is None and not vtpm else ()
    separators = [] if edk2.has_second_separator else [separator]
    plans: list[_Plan] = [
        (pcr(4), [image, start, separator], ()),
        (pcr(9), tags if behaviour.measures_to_tcg2 else [], () if behaviour.measures_to_tcg2 else unknown),
        (rtmr(1), [image, start, *separators, *exits], ()),
        (rtmr(2), to_cc, no_cc),
    ]
    return _predictions(kernel, plans)


def _linux_events(boot: DirectBoot, edk2: Edk2) -> list[Draft]:
    """Linux drivers/firmware/efi/libstub/efi-stub-helper.c: LoadOptions, then the initrd as LoadFile2 returned it."""
    events = [ev_event_tag_load_options(load_options(boot, edk2), "command line (-append)")]
    if boot.initrd and "noinitrd" not in boot.cmdline.split():
        events.append(ev_event_tag_linux_initrd((boot.initrd,), "initrd (-initrd)"))
    return events


def _kernel_cause(boot: DirectBoot) -> str:
    if boot.patched_for_bytes is None:
        return "kernel (-kernel)"
    return f"kernel (-kernel), its header as QEMU writes it for {boot.patched_for_bytes >> 20} MiB of memory"


def _predictions(kernel: memoryview, plans: Sequence[_Plan]) -> tuple[Prediction, ...]:
    wanted: dict[Message, set[Algorithm]] = {}
    for register, drafts, _ in plans:
        for draft in drafts:
            wanted.setdefault(draft.message, set()).update(register.algorithms)
    digests = digest_messages(kernel, wanted)
    return tuple(
        Prediction(register, tuple(event_of(register, draft, digests) for draft in drafts), missing)
        for register, drafts, missing in plans
    )

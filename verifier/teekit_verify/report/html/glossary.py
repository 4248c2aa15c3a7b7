"""Words of the trade for somebody who meets them for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.prediction.causes import CauseKind

if TYPE_CHECKING:
    from teekit_verify.prediction.causes import Cause

PARTS = {
    ".linux": "the kernel",
    ".initrd": "the files that the system runs from",
    ".cmdline": "the kernel's command line",
    ".osrel": "the image's name and version",
    ".uname": "the kernel's version",
    ".sbat": "which boot loaders are revoked",
    "UKI": "the boot file as a whole",
    "GPT": "the partition table of the disk",
}
"""Parts of an image, as the cause of an event names them (UAPI specification "Unified Kernel Image", its list of sections)."""

REGISTERS = {
    "MRTD": "the firmware",
    "RTMR0": "the firmware's settings, and the machine's hardware",
    "RTMR1": "what the firmware starts: boot file and kernel; the partition table",
    "RTMR2": "the boot file's sections, command line, initrd",
    "RTMR3": "left to programs that run later",
    "PCR2": "programs that the firmware loads",
    "PCR4": "what the firmware starts: boot file and kernel",
    "PCR5": "the partition table, and how the firmware boots",
    "PCR9": "command line and initrd",
    "PCR11": "the boot file's sections",
}
"""What goes into a register (UEFI 2.10 section 38.4.1; TCG PC Client Platform Firmware Profile 1.06 section 3.3.4; UAPI's TPM2 PCR registry)."""

TERMS = (
    (
        "build A, build B",
        "The same source, built twice on one host, each time from nothing and under other conditions.",
    ),
    (
        "digest",
        "A fingerprint of bytes (here SHA-256 or SHA-384). One changed bit gives another digest; equal digests mean equal bytes.",
    ),
    (
        "register (MRTD, RTMR, PCR)",
        (
            "A place in the hardware, or in a TPM, that software cannot set: it can only extend it. A machine signs its registers, "
            "and so proves what it booted."
        ),
    ),
    (
        "event",
        (
            "One thing that is measured during boot: its digest is mixed into a register. The same events in the same order "
            "give the same value."
        ),
    ),
    ("predicted", "Computed from the bytes of the image alone. No machine was booted for it."),
    (
        "kind of machine (tdx, uefi-vtpm, gcp/...)",
        (
            "Also called platform. The same image gives other registers on another kind. `tdx` has Intel TDX, `vtpm` says that "
            "there is a virtual TPM, others are a cloud's machine types."
        ),
    ),
    (
        "UKI",
        "Unified kernel image: one file with all that is booted, in sections: kernel (.linux), files (.initrd), command line (.cmdline).",
    ),
    ("reference", "The file with the values that the publisher says the image has."),
    ("inputs", "Everything that goes into a build: the files of the source, the packages, the tools."),
)
"""(word, what it means here)."""


def gloss(cause: Cause) -> str:
    """Sections, say, in plain words; empty if there are none for it."""
    match cause.kind:
        case CauseKind.UKI:
            return PARTS["UKI"]
        case CauseKind.GPT:
            return PARTS["GPT"]
        case CauseKind.SECTION:
            return " and ".join(PARTS[name] for name in cause.what if name in PARTS)
        case CauseKind.FIRMWARE | CauseKind.OTHER | CauseKind.UNKNOWN:
            return ""

"""QEMU: TDX guests, and what holds for any UEFI machine with a TPM or any TDX guest."""

from __future__ import annotations

from teekit_verify.prediction.platforms.base import Platform, by_image, by_image_beside_vtpm, unknown, zero
from teekit_verify.registers.registers import MRTD, pcr, rtmr

_FIRMWARE = "MRTD and RTMR0 are decided by firmware and machine: see the platforms gcp and qemu"

QEMU = Platform(
    "qemu",
    vtpm=False,
    rules={
        MRTD: unknown("decided by the firmware: give --firmware"),
        rtmr(0): unknown("decided by firmware and machine: give --firmware, --edk2 and --memory"),
        rtmr(1): by_image,
        rtmr(2): by_image,
        rtmr(3): zero,
    },
)

UEFI_VTPM = Platform("uefi-vtpm", vtpm=True, rules={pcr(index): by_image for index in (4, 5, 9, 11)})
TDX = Platform("tdx", vtpm=False, rules={rtmr(1): by_image, rtmr(2): by_image}, note=_FIRMWARE)
TDX_VTPM = Platform(
    "tdx-vtpm",
    vtpm=True,
    # Firmware that has both measures images and GPT into the RTMRs only (measurement.boot): no PCR 4 and 5 here.
    rules={pcr(9): by_image, pcr(11): by_image, rtmr(1): by_image, rtmr(2): by_image_beside_vtpm},
    note=_FIRMWARE,
)

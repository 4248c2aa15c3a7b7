"""Google Cloud confidential VMs with TDX: edk2 TDVF, measuring into RTMRs, and usually a vTPM beside them."""

from __future__ import annotations

from dataclasses import replace

from teekit_verify.prediction.platforms.base import (
    Platform,
    Rule,
    Subject,
    by_image,
    by_image_beside_vtpm,
    candidate,
    unknown,
    zero,
)
from teekit_verify.prediction.uki import Prediction
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr

_MRTD = unknown("decided by Google's firmware: give --machine, and --firmware for one release alone")
_RTMR0 = unknown("decided by Google's firmware and the machine type: give --machine")
_ONE_LOG = "one public TPM log of a GCE TDX machine shows this, which is too little to rely on"
"""Dstack-TEE/dstack, dstack/cc-eventlog/samples/tpm_eventlog.bin at 312dc605: firmware "GCE Virtual Firmware v2"."""
_IMAGE_TYPES = (EventType.EV_EFI_GPT_EVENT, EventType.EV_EFI_BOOT_SERVICES_APPLICATION)


def _without_images(register: Register, subject: Subject) -> Prediction:
    """PCR 4 and 5 there: the events of the firmware alone."""
    events = tuple(event for event in subject.image[register].events if event.event_type not in _IMAGE_TYPES)
    return Prediction(register, events)


def _images(register: Register, subject: Subject) -> Prediction:
    """PCR 2 there: separator, GPT, UKI, kernel. It looks as if the firmware passed the number of the CC register (2 is
    RTMR1) where the TPM's is asked for.
    """
    table, images = subject.image[pcr(5)], subject.image[pcr(4)]
    separators = [event for event in images.events if event.event_type == EventType.EV_SEPARATOR]
    measured = [event for event in (*table.events, *images.events) if event.event_type in _IMAGE_TYPES]
    events = tuple(replace(event, register=register) for event in (*separators, *measured))
    return Prediction(register, events, table.missing + images.missing)


_VTPM: dict[Register, Rule] = {
    pcr(2): candidate(_images, f"GPT, UKI and kernel measured here instead of into PCR 4 and 5: {_ONE_LOG}"),
    pcr(4): candidate(_without_images, f"without UKI and kernel, which are in PCR 2: {_ONE_LOG}"),
    pcr(5): candidate(_without_images, f"without the GPT, which is in PCR 2: {_ONE_LOG}"),
    pcr(9): by_image,
    pcr(11): by_image,
}

GCP = Platform(
    "gcp",
    vtpm=True,
    rules={MRTD: _MRTD, rtmr(0): _RTMR0, rtmr(1): by_image, rtmr(2): by_image_beside_vtpm, rtmr(3): zero, **_VTPM},
)
GCP_NO_VTPM = Platform(
    "gcp-no-vtpm",
    vtpm=False,
    rules={MRTD: _MRTD, rtmr(0): _RTMR0, rtmr(1): by_image, rtmr(2): by_image, rtmr(3): zero},
)

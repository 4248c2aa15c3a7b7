"""Azure confidential VMs with TDX: the guest runs above a paravisor (OpenHCL) that owns the TDX registers."""

from __future__ import annotations

from teekit_verify.prediction.platforms.base import Platform, by_image, unknown
from teekit_verify.registers.registers import MRTD, pcr, rtmr

_MRTD = unknown("belongs to the paravisor (OpenHCL), whose image Azure does not publish")
_RTMR = unknown("belongs to the paravisor (OpenHCL), not to the guest; zero in all Azure quotes seen")

AZURE = Platform(
    "azure",
    vtpm=True,
    rules={
        MRTD: _MRTD,
        rtmr(0): _RTMR,
        rtmr(1): _RTMR,
        rtmr(2): _RTMR,
        rtmr(3): _RTMR,
        pcr(4): by_image,
        pcr(9): by_image,
        pcr(11): by_image,
    },
    note="MRTD and RTMRs belong to Azure's paravisor: the guest is measured into the vTPM only",
)
"""PCR 4, 9 and 11 are what verifiers of Azure guests look at (measurements.json of Flashbots)."""

"""Where guests run. A new platform is a file here and a line in PLATFORMS."""

from teekit_verify.prediction.platforms.azure import AZURE
from teekit_verify.prediction.platforms.base import Platform, Subject, subject_of
from teekit_verify.prediction.platforms.gcp import GCP, GCP_NO_VTPM
from teekit_verify.prediction.platforms.qemu import QEMU, TDX, TDX_VTPM, UEFI_VTPM

__all__ = ["IMAGE_PLATFORMS", "PLATFORMS", "Platform", "Subject", "subject_of"]

IMAGE_PLATFORMS = (UEFI_VTPM, TDX, TDX_VTPM)
"""Kinds of machines, with the registers that the image alone decides."""

PLATFORMS = (*IMAGE_PLATFORMS, GCP, GCP_NO_VTPM, AZURE, QEMU)

"""Releases of edk2, and what their OVMF measures differently."""

from __future__ import annotations

import re
from dataclasses import dataclass

from teekit_verify.core.errors import UnsupportedInputError

FIRST_RELEASE, LAST_RELEASE = 202308, 202608
"""Before 935343cf16 (stable202302) ACPI tables were not measured, and before stable202308 64-bit BARs had other places;
what comes after the last was not read. Of 202608, its tree at c5aa7e7d was read (6 August 2026): TdTcg2Dxe, fw_cfg, ACPI and boot options measure
as in 202605.
"""
_SECOND_SEPARATOR_UNTIL, _FW_CFG_FROM, _SMBIOS_FROM = 202411, 202505, 202505


@dataclass(frozen=True, slots=True)
class Edk2:
    """A release of edk2, by the number in the name of its tag: edk2-stable202502 is 202502."""

    release: int

    def __post_init__(self) -> None:
        if not FIRST_RELEASE <= self.release <= LAST_RELEASE:
            raise UnsupportedInputError(
                f"edk2-stable{self.release} is not known: RTMR0 is predicted for {FIRST_RELEASE} to {LAST_RELEASE}"
            )

    @classmethod
    def parse(cls, text: str) -> Edk2:
        """`edk2-stable202502`, `202502`, or a Debian version such as `2025.02-8`. Raises UnsupportedInputError."""
        match = re.fullmatch(r"(?:edk2-)?(?:stable)?([0-9]{4})\.?([0-9]{2})(?:-.*)?", text)
        if match is None:
            raise UnsupportedInputError(
                f"not a release of edk2: {text[:40]!r}", hint="Write it like edk2-stable202502 or 2025.02-8."
            )
        return cls(int(match.group(1) + match.group(2)))

    @property
    def has_second_separator(self) -> bool:
        """Before efaf8931bb (stable202411) RTMR0 got the separator that belongs into RTMR1."""
        return self.release < _SECOND_SEPARATOR_UNTIL

    @property
    def measures_fw_cfg(self) -> bool:
        """Since be529ef3c9 (stable202505): OvmfPkg/Library/QemuFwCfgLib/QemuFwCfgCacheInit.c, mCacheFwCfgList."""
        return self.release >= _FW_CFG_FROM

    @property
    def may_measure_smbios(self) -> bool:
        """OVMF has SmbiosMeasurementDxe since cd76265f1a (stable202505), if it was built with it."""
        return self.release >= _SMBIOS_FROM

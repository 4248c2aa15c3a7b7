"""TD attributes and XFAM: one table of what the bits mean, for those who show them and those who refuse some.

Intel TDX module ABI specification (348551-007, TDX module 1.5.x and 2.0), ATTRIBUTES and XFAM; the same bits are in Linux, arch/x86/include/asm/shared/tdx.h
(TDX_ATTR_..., TDX_TD_ATTR_... since the bits of the SEAM attributes have names too), and in Intel's own module (intel/tdx-module, db57c638, of 2.0:
include/tdx_api_defs.h, td_param_attributes_t; src/common/data_structures/td_control_structures.h). That module lets a TD have of them
DEBUG, PMT_PROF, ICSSD, LASS, SEPT_VE_DISABLE, MIGRATABLE, PKS, TPA and PERFMON, and every XFAM bit here but APX (0x6DBE7); TD_CTLS are not attested.
Its TDREPORT has the versions 0 and 1 (with service TDs), as bodies of quotes of version 5 have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DEBUG_BITS = 0xFF
"""TUD, the TD under debug: any of these makes the TD untrusted."""
SEPT_VE_DISABLE, MIGRATABLE = 28, 29
ATTRIBUTES: Mapping[int, str] = {
    0: "DEBUG",
    4: "HGS_PLUS_PROF",
    5: "PERF_PROF",
    6: "PMT_PROF",
    16: "ICSSD",
    27: "LASS",
    SEPT_VE_DISABLE: "SEPT_VE_DISABLE",
    MIGRATABLE: "MIGRATABLE",
    30: "PKS",
    31: "KL",
    62: "TPA",
    63: "PERFMON",
}
KNOWN_ATTRIBUTES = DEBUG_BITS | sum(1 << bit for bit in ATTRIBUTES if not DEBUG_BITS >> bit & 1)
"""Every other bit is reserved, and zero in a TD that the module has built."""

XFAM: Mapping[int, str] = {
    0: "FP",
    1: "SSE",
    2: "AVX",
    5: "AVX-512 opmask",
    6: "AVX-512 ZMM_Hi256",
    7: "AVX-512 Hi16_ZMM",
    8: "PT",
    9: "PK",
    11: "CET_U",
    12: "CET_S",
    14: "ULI",
    15: "LBR",
    17: "AMX XTILECFG",
    18: "AMX XTILEDATA",
    19: "APX",
}
XFAM_FIXED_1 = 0b11
"""X87 and SSE are always on."""
KNOWN_XFAM = sum(1 << bit for bit in XFAM)


def attribute_names(bits: int) -> tuple[str, ...]:
    """Those that are set, unknown ones as `bit 7`."""
    return _names(bits, ATTRIBUTES)


def xfam_names(bits: int) -> tuple[str, ...]:
    """Likewise the features of XFAM."""
    return _names(bits, XFAM)


def _names(bits: int, table: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(table.get(bit, f"bit {bit}") for bit in range(64) if bits >> bit & 1)

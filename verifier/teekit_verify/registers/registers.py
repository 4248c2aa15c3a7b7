"""Measurement registers, and the only conversion between their names and the integers of the specifications."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import TeekitError

PCR_COUNT = 24
RTMR_COUNT = 4


class RegisterKind(Enum):
    """The kinds of registers, by the names that they begin with."""

    PCR = "PCR"
    MRTD = "MRTD"
    RTMR = "RTMR"


@dataclass(frozen=True, slots=True, order=True)
class Register:
    """One measurement register: `PCR n` (0 to 23), `MRTD`, or `RTMR n` (0 to 3)."""

    name: str

    def __post_init__(self) -> None:
        match = re.fullmatch(r"MRTD|PCR([0-9]|1[0-9]|2[0-3])|RTMR[0-3]", self.name)
        if match is None:
            raise TeekitError(
                f"no such measurement register: {self.name[:40]!r}", hint="Use PCR0..PCR23, MRTD or RTMR0..RTMR3."
            )

    @property
    def kind(self) -> RegisterKind:
        return RegisterKind(self.name.rstrip("0123456789"))

    @property
    def index(self) -> int:
        """The number after the name; 0 for MRTD."""
        return int(self.name.removeprefix(self.kind.value) or "0")

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """The banks we predict: TDX registers are SHA-384 only, PCRs in SHA-256 and SHA-384."""
        if self.kind is RegisterKind.PCR:
            return (Algorithm.SHA256, Algorithm.SHA384)
        return (Algorithm.SHA384,)

    def __str__(self) -> str:
        return self.name


MRTD = Register("MRTD")


def pcr(index: int) -> Register:
    """PCR `index`. Raises TeekitError unless it is 0 to 23."""
    return Register(f"PCR{index}")


def rtmr(index: int) -> Register:
    """RTMR `index`. Raises TeekitError unless it is 0 to 3."""
    return Register(f"RTMR{index}")


def from_cc_mr_index(index: int) -> Register:
    """CC measurement register index -> register: 0 is MRTD, i + 1 is RTMR[i] (UEFI 2.10, 38.4.1)."""
    if index == 0:
        return MRTD
    return rtmr(index - 1)

"""What the writers of other people's formats share: the registers of one platform, as far as they are known.

Such files accept any listed value of each register by itself. So nothing is written where values belong together, or where
what the firmware boots would be left out: a verifier would accept what nobody predicted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.registers.registers import RegisterKind, pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import Measurements, RegisterValue
    from teekit_verify.registers.registers import Register

    Registers = Mapping[Register, RegisterValue]

_BOOTED = {RegisterKind.RTMR: (rtmr(1), rtmr(2)), RegisterKind.PCR: (pcr(4), pcr(11))}


def only_tdx_platform(measurements: Measurements) -> tuple[str, Registers]:
    """The one platform that TDX guests are measured on, with its MRTD and RTMRs, or on Azure its PCRs.

    Raises TeekitError if there is another number of them.
    """
    found = {
        name: registers
        for name, registers in measurements.platforms.items()
        if any(register.kind is not RegisterKind.PCR for register in registers)
    }
    if len(found) != 1:
        names = ", ".join(found) or ", ".join(measurements.platforms)
        raise TeekitError(
            f"this format is for one kind of TDX machine, but these were measured: {names}",
            hint="Choose one with --platform.",
        )
    ((name, registers),) = found.items()
    of_guest = RegisterKind.PCR if name.partition("/")[0] == "azure" else RegisterKind.RTMR
    kept = {
        register: value
        for register, value in registers.items()
        if register.kind is of_guest or (of_guest is RegisterKind.RTMR and register.kind is not RegisterKind.PCR)
    }
    for register in _BOOTED[of_guest]:
        if register not in kept or not digests_of(name, register, kept[register]):
            why = kept[register].missing if register in kept else "it is not measured there"
            raise UnsupportedInputError(
                f"{name} {register}: is not known, and readers of this format would not check it: {why}",
                hint="Give the disk that the image boots from, not the UKI alone.",
            )
    return name, kept


def digests_of(platform: str, register: Register, value: RegisterValue) -> tuple[Digest, ...]:
    """The values it may have in its first bank; none if that is not known. Raises UnsupportedInputError for values that belong
    together with those of other registers.
    """
    choices = [item.register for item in value.alternatives] or [value]
    if any(item.groups for item in value.alternatives):
        raise UnsupportedInputError(
            f"{platform} {register}: its values belong together with those of other registers, which this format cannot express",
            hint="Leave out --machine, or give --firmware so that one value is left.",
        )
    found = [choice.values[0] for choice in choices if choice.values]
    return tuple(dict.fromkeys(found)) if len(found) == len(choices) else ()

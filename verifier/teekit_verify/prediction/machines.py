"""The registers that firmware and machine decide, on Google Cloud and on QEMU: several values may be acceptable.

Rules. What the customer chooses is asked for; what the cloud chooses gives an alternative each, and values that occur together are one
group. What is on no record and in no file is missing, and the register is open.
Non-rules: which of the alternatives is likely.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from teekit_verify.artifacts.tdvf import open_tdvf
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.documents import model
from teekit_verify.documents.register_values import register_value
from teekit_verify.prediction import qemu_rtmr0
from teekit_verify.prediction.firmware import measure_firmware
from teekit_verify.prediction.gcp_facts import load_gcp
from teekit_verify.prediction.gcp_releases import mrtds, releases, rtmr0s, rtmr1s, without_separator
from teekit_verify.prediction.platforms.gcp import GCP, GCP_NO_VTPM
from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.registers.registers import MRTD, Register, rtmr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from teekit_verify.prediction.edk2 import Edk2
    from teekit_verify.prediction.platforms import Platform

Registers = Mapping[Register, model.RegisterValue]

_SECURE_BOOT = model.RegisterValue(
    None, "the firmware has Secure Boot keys: a boot with Secure Boot on is not predicted", ()
)
_UNITS = {"M": 20, "G": 30}


class Machines(Protocol):
    """Machines of one platform, whose firmware is known or on record."""

    @property
    def platform(self) -> Platform: ...

    def registers(self, of_image: Registers) -> Iterator[tuple[str, dict[Register, model.RegisterValue]]]:
        """For each machine its name in documents, and the registers that the image does not decide alone; `of_image` are
        those of the platform.
        """
        ...


@frozen
class GcpMachines:
    """Machine types by name. Without `firmware`, every one on record counts; `disks` counts the boot disk too.

    That a vTPM changes nothing in MRTD, RTMR0 and RTMR1 is assumed: the machines whose values are known to follow from
    what is on record had none, as their RTMR2 shows.
    """

    names: tuple[str, ...]
    firmware: Path | None = None
    disks: int = 1
    platform: Platform = GCP

    def registers(self, of_image: Registers) -> Iterator[tuple[str, dict[Register, model.RegisterValue]]]:
        """(`gcp/<machine>` or so, MRTD, RTMR0 and RTMR1). Raises UnsupportedInputError for a machine that is not on record."""
        facts = load_gcp()
        known = releases(facts, self.firmware)
        for name in dict.fromkeys(self.names):
            found = rtmr0s(known, facts, facts.machine(name), disks=self.disks)
            yield (
                f"{self.platform.name}/{name}",
                {
                    MRTD: one_of(mrtds(known), "the firmware"),
                    rtmr(0): one_of(found, "the firmware and machine"),
                    rtmr(1): one_of(rtmr1s(known, of_image[rtmr(1)]), "the firmware"),
                },
            )


@frozen
class QemuMachine:
    """A TDX guest of QEMU, that boots a disk or has none. What is None was not given, and leaves RTMR0 open."""

    firmware: Path
    memory_bytes: int | None = None
    edk2: Edk2 | None = None
    tables: qemu_rtmr0.MachineTables | None = None
    has_disks: bool = True

    @property
    def platform(self) -> Platform:
        return QEMU

    def registers(self, of_image: Registers) -> Iterator[tuple[str, dict[Register, model.RegisterValue]]]:
        """(`qemu`, MRTD, RTMR0 and what the firmware adds to RTMR1). Raises TeekitError for what is not TDX firmware."""
        values = tuple(
            model.AcceptableValue(f"page order {order.value}", model.RegisterValue((value,), "", ()))
            for order, value in measure_firmware(self.firmware).mrtd.items()
        )
        found = {MRTD: one_of(values, "the page order of QEMU and KVM")}
        with open_tdvf(self.firmware) as firmware:
            _, keys = qemu_rtmr0.files_and_keys(firmware)
        if keys.on:
            found |= {rtmr(0): _SECURE_BOOT, rtmr(1): _SECURE_BOOT}
        else:
            found[rtmr(0)] = self._rtmr0()
            if self.has_disks and self.edk2 is not None and self.edk2.has_second_separator:
                found[rtmr(1)] = without_separator(of_image[rtmr(1)])
        yield QEMU.name, found

    def _rtmr0(self) -> model.RegisterValue:
        if self.memory_bytes is None or self.edk2 is None:
            wanted = "the guest's memory and the release of edk2 that its firmware was built from"
            return model.RegisterValue(None, f"depends on {wanted}: give --memory and --edk2", ())
        with open_tdvf(self.firmware) as firmware:
            known = qemu_rtmr0.firmware_of_file(firmware, self.edk2)
        found = qemu_rtmr0.predict_rtmr0(self.memory_bytes, known, tables=self.tables, direct=not self.has_disks)
        return register_value(rtmr(0), found.events, missing="; ".join(found.missing))


def parse_memory(text: str) -> int:
    """`2G` or `2048M`, in bytes. Raises TeekitError."""
    match = re.fullmatch(r"([0-9]{1,9})([MG])", text)
    if match is None:
        raise TeekitError(
            f"--memory: not an amount of memory: {printable(text[:40])}", hint="Write it like 2G or 2048M."
        )
    return int(match.group(1)) << _UNITS[match.group(2)]


def one_of(values: Sequence[model.AcceptableValue], decides: str) -> model.RegisterValue:
    """A register that holds one of these values; `decides` is what nobody tells us. One value is simply the value."""
    if len(values) == 1:
        return values[0].register
    if not values:
        return model.RegisterValue(None, f"depends on {decides}, which is not known or cannot be used there", ())
    missing = f"depends on {decides}: one of {len(values)} alternatives"
    return model.RegisterValue(None, missing, (), tuple(values))


def gcp_machines(
    platforms: Sequence[Platform], names: Sequence[str], *, firmware: Path | None = None, disks: int | None = None
) -> GcpMachines:
    """The machines that a user asked for: with a vTPM, if that is left open. Raises TeekitError where Google Cloud is not
    among the platforms.
    """
    for platform in (GCP, GCP_NO_VTPM):
        if platform in platforms:
            return GcpMachines(tuple(names), firmware, 1 if disks is None else disks, platform)
    raise TeekitError(
        "machine types are only known for Google Cloud", hint="Leave out --machine, or give --platform gcp with it."
    )


def on_record(platform_names: Iterable[str]) -> tuple[GcpMachines, ...]:
    """The machine types of documents' platforms, as far as there are facts about them, for each kind of platform."""
    wanted = [name.partition("/") for name in platform_names if "/" in name]
    known = {fact.name for fact in load_gcp().machines} if wanted else set()
    found = []
    for platform in (GCP, GCP_NO_VTPM):
        names = tuple(name for kind, _, name in wanted if kind == platform.name and name in known)
        if names:
            found.append(GcpMachines(names, platform=platform))
    return tuple(found)

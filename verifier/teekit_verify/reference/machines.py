"""The registers that firmware and machine decide, for machine types of Google Cloud: several values may be acceptable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.measurement.platforms.gcp import GCP
from teekit_verify.measurement.registers import MRTD, rtmr
from teekit_verify.reference import model
from teekit_verify.reference.measure_firmware import acceptable_mrtds, acceptable_rtmr0s, gcp_mrtds, gcp_rtmr0
from teekit_verify.reference.platform_facts import load_gcp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from teekit_verify.measurement.platforms import Platform
    from teekit_verify.measurement.registers import Register

_PREFIX = f"{GCP.name}/"


@dataclass(frozen=True, slots=True)
class GcpMachines:
    """Machine types by name. Without `firmware`, every one on record counts; `disks` counts the boot disk too."""

    names: tuple[str, ...]
    firmware: Path | None = None
    disks: int = 1

    def registers(self) -> Iterator[tuple[str, dict[Register, model.RegisterValue]]]:
        """(`gcp/<machine>`, MRTD and RTMR0). Raises UnsupportedInputError for a machine that is not on record."""
        facts = load_gcp()
        for name in dict.fromkeys(self.names):
            rtmr0 = gcp_rtmr0(facts, name, self.firmware, disks=self.disks)
            yield (
                _PREFIX + name,
                {
                    MRTD: one_of(acceptable_mrtds(gcp_mrtds(facts, self.firmware)), "the firmware"),
                    rtmr(0): one_of(acceptable_rtmr0s(rtmr0), "the firmware and machine"),
                },
            )


def one_of(values: Sequence[model.AcceptableValue], decides: str) -> model.RegisterValue:
    """A register that holds one of these values; `decides` is what nobody tells us. One value is simply the value."""
    if len(values) == 1:
        return values[0].register
    missing = f"depends on {decides}: one of {len(values)} alternatives"
    return model.RegisterValue(None, missing, (), tuple(values))


def for_platforms(
    platforms: Sequence[Platform], names: Sequence[str], *, firmware: Path | None = None, disks: int | None = None
) -> GcpMachines | None:
    """The machines that a user asked for; None if none. Raises TeekitError for what does not go together."""
    if not names:
        if firmware is not None or disks is not None:
            raise TeekitError("firmware and disks are those of a machine", hint="Give --machine as well.")
        return None
    if GCP not in platforms:
        raise TeekitError(
            "machine types are known for Google Cloud, with a vTPM",
            hint="Leave out --machine, or give --platform gcp without --no-vtpm.",
        )
    return GcpMachines(tuple(names), firmware, 1 if disks is None else disks)


def on_record(platform_names: Iterable[str]) -> GcpMachines | None:
    """The machine types of documents' platforms, as far as there are facts about them; None if there are none."""
    wanted = [name.removeprefix(_PREFIX) for name in platform_names if name.startswith(_PREFIX)]
    known = {fact.name for fact in load_gcp().machines} if wanted else set()
    names = tuple(name for name in wanted if name in known)
    return GcpMachines(names) if names else None

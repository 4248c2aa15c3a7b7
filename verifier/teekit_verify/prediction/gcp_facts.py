"""What only a cloud's operator knows of its machines, as it was recorded from real ones: `reference/platforms/*.json`.

Every fact names its source. `seen` is the day it was seen on a machine, or first published for want of that. docs/reference-format.md does not cover these
files: they are data of this project, not something that others publish.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import AfterValidator, ConfigDict, Field
from teekit_verify.documents import codec, fields
from teekit_verify.prediction.gcp_known import GCP_FACTS
from teekit_verify.prediction.gcp_rtmr0 import AcpiDigests, GcpFirmware, GcpMachine
from teekit_verify.prediction.rtmr0_events import RECORDED
from teekit_verify.prediction.tdhob import GIB, MemoryRange

if TYPE_CHECKING:
    from collections.abc import Collection

    from teekit_verify.core.digest import Digest

GCP_SCHEMA: Literal["teekit-verify/gcp-facts/v1"] = "teekit-verify/gcp-facts/v1"
_STRICT = ConfigDict(extra="forbid", strict=True)
_MANY = Field(max_length=1000)


Day = Annotated[dt.date, Field(strict=False)]


@frozen
class SectionFact:
    """Guest physical addresses of a TDVF section, in bytes."""

    __pydantic_config__: ClassVar = _STRICT
    address: fields.Size
    size_bytes: fields.Size


@frozen
class SectionsFact:
    """The TDVF sections of Google's firmware, in the order of its metadata; `cfv` and `td_hob` are positions from 0."""

    __pydantic_config__: ClassVar = _STRICT
    ranges: Annotated[tuple[SectionFact, ...], Field(min_length=1, max_length=64)]
    cfv: Annotated[int, Field(ge=0, lt=64)]
    td_hob: Annotated[int, Field(ge=0, lt=64)]
    source: fields.Text


@frozen
class MachineFact:
    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    memory_gib: Annotated[int, Field(ge=1, le=65536)]
    numa_nodes: Annotated[int, Field(ge=1, le=64)]
    source: fields.Text


@frozen
class AcpiFact:
    """The digests of the three ACPI blobs one machine type was seen with. They follow from machine and VMM alone."""

    __pydantic_config__: ClassVar = _STRICT
    machine: fields.Name
    label: fields.Name
    seen: Day | None
    loader: fields.Sha384
    rsdp: fields.Sha384
    tables: fields.Sha384
    source: fields.Text


@frozen
class FirmwareFact:
    """A firmware release. `firmware` is the digest of its file, `cfv` that of the configuration volume in it; what was
    not seen is None. `second_separator`: see `measurement.gcp_rtmr0.predict_rtmr0`. `acpi` are the labels of the sets of
    ACPI tables that machines were seen with that run it, or that were published for it.
    """

    __pydantic_config__: ClassVar = _STRICT
    label: fields.Name
    seen: Day | None
    firmware: fields.Sha384 | None
    mrtd: fields.Sha384 | None
    cfv: fields.Sha384 | None
    second_separator: bool
    acpi: Annotated[tuple[fields.Name, ...], Field(max_length=100), fields.unique(lambda label: label, "ACPI set")]
    source: fields.Text


def _positions_exist(sections: SectionsFact) -> SectionsFact:
    if max(sections.cfv, sections.td_hob) >= len(sections.ranges):
        raise ValueError("'cfv' and 'td_hob' must be positions in 'ranges'")
    return sections


@frozen
class GcpFacts:
    """`reference/platforms/gcp.json`."""

    __pydantic_config__: ClassVar = _STRICT
    schema: Literal["teekit-verify/gcp-facts/v1"]
    sections: Annotated[SectionsFact, AfterValidator(_positions_exist)]
    machines: Annotated[tuple[MachineFact, ...], _MANY, fields.unique(lambda fact: fact.name, "machine")]
    acpi: Annotated[
        tuple[AcpiFact, ...], _MANY, fields.unique(lambda fact: f"{fact.machine}: {fact.label}", "ACPI set")
    ]
    firmware: Annotated[tuple[FirmwareFact, ...], _MANY, fields.unique(lambda fact: fact.label, "firmware")]

    def machine(self, name: str) -> GcpMachine:
        """Raises UnsupportedInputError for a machine type that is not on record."""
        for fact in self.machines:
            if fact.name == name:
                return GcpMachine(fact.name, fact.memory_gib * GIB, fact.numa_nodes)
        raise UnsupportedInputError(
            f"the machine type '{printable(name[:80])}' is not on record",
            hint=f"Name one of {', '.join(fact.name for fact in self.machines)}.",
        )

    def acpi_of(self, machine: str, labels: Collection[str] | None = None) -> tuple[AcpiDigests, ...]:
        """The sets of ACPI digests that this machine type was seen with: those of these labels, or (None) all."""
        return tuple(
            AcpiDigests(fact.label, fact.loader, fact.rsdp, fact.tables)
            for fact in self.acpi
            if fact.machine == machine and (labels is None or fact.label in labels)
        )

    def by_file(self, digest: Digest) -> FirmwareFact | None:
        """The release whose file has this SHA-384."""
        return next((fact for fact in self.firmware if fact.firmware == digest), None)

    def by_mrtd(self, mrtd: Digest) -> FirmwareFact | None:
        """The release of firmware with this MRTD."""
        return next((fact for fact in self.firmware if fact.mrtd == mrtd), None)

    def recorded(self, fact: FirmwareFact | None) -> GcpFirmware:
        """What RTMR0 needs of a firmware that is not at hand; without a configuration volume for None."""
        ranges = tuple(MemoryRange(row.address, row.size_bytes) for row in self.sections.ranges)
        cause = f"{RECORDED}: {fact.label}" if fact else RECORDED
        cfv_digest = fact.cfv if fact else None
        return GcpFirmware(cause, ranges, ranges[self.sections.td_hob], ranges[self.sections.cfv], cfv_digest)


def load_gcp(path: Path | None = None) -> GcpFacts:
    """The facts of a checkout; by default the one this program runs from. Raises TeekitError."""
    place = path or GCP_FACTS
    if not place.is_file():
        raise TeekitError(
            f"there are no recorded facts of Google Cloud: no file {place}",
            hint="Run teekit-verify from a checkout of its repository.",
        )
    facts = codec.parse(GcpFacts, GCP_SCHEMA, codec.read_bounded(place), str(place))
    known = {fact.label for fact in facts.acpi}
    for release in facts.firmware:
        if strange := set(release.acpi) - known:
            label, name = printable(min(strange)), printable(release.label)
            raise TeekitError(f"{place}: firmware: '{name}' names '{label}', ACPI tables that no machine has")
    return facts

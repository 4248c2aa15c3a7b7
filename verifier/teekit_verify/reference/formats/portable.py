"""What `attest measure` prints: digests of an image's parts for any TDX machine, or registers of one kind of machine.

Easy-TEE/attest (17d6d8b), crates/types/src/lib.rs, MeasurementOutput: `kind` is `portable` (digests, from which a verifier
computes RTMR1 and RTMR2, and PCRs on Azure), `dcap` (RTMR1 and RTMR2; of which kind of machine is not said) or `azure`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Literal

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.documents.model import AcceptableValue
from teekit_verify.prediction.platforms.azure import AZURE
from teekit_verify.prediction.platforms.gcp import GCP_NO_VTPM
from teekit_verify.prediction.platforms.qemu import QEMU, TDX
from teekit_verify.prediction.portable import ImageDigests, image_digests
from teekit_verify.reference.formats.base import (
    STRICT,
    UNMENTIONED,
    Format,
    HexSha256,
    HexSha384,
    Source,
    match,
    one_of,
)
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import Measurements, ReferenceRegister, RegisterValue
    from teekit_verify.registers.registers import Register

    Registers = dict[Register, ReferenceRegister]

NAME = "portable"
KINDS = ("portable", "dcap", "azure")
_PCRS = (4, 9, 11)


@frozen
class ImageFields:
    """DcapImageHashes; `pe_sections` came with attest's support of systemd-stub 256."""

    __pydantic_config__: ClassVar = STRICT
    uki_authenticode: HexSha384
    kernel_authenticode: HexSha384
    cmdline_hash: HexSha384
    initrd_hash: HexSha384
    gpt_disk_guid_hash: HexSha384
    pe_sections: HexSha384 | None = None

    def digests(self) -> ImageDigests:
        return ImageDigests(
            self.uki_authenticode,
            self.kernel_authenticode,
            self.cmdline_hash,
            self.initrd_hash,
            self.gpt_disk_guid_hash,
            self.pe_sections,
        )

    def on_gcp(self) -> Registers:
        """Of a guest that boots from a disk: gcp.rs."""
        digests = self.digests()
        return {rtmr(1): _only(digests.rtmr1_from_disk()), rtmr(2): _only(digests.rtmr2())}

    def on_qemu(self) -> Registers:
        """Of a guest that QEMU starts with -kernel: self_hosted.rs."""
        digests = self.digests()
        return {rtmr(1): _only(digests.rtmr1_from_qemu()), rtmr(2): _only(digests.rtmr2())}


@frozen
class _Azure:
    __pydantic_config__: ClassVar = STRICT
    pcr4: HexSha256
    pcr9: HexSha256
    pcr11: HexSha256


@frozen
class Portable:
    __pydantic_config__: ClassVar = STRICT
    kind: Literal["portable"]
    dcap: ImageFields
    azure: _Azure | None = None


@frozen
class AzureRegisters(_Azure):
    __pydantic_config__: ClassVar = STRICT
    kind: Literal["azure"] = "azure"


@frozen
class DcapRegisters:
    __pydantic_config__: ClassVar = STRICT
    kind: Literal["dcap"]
    rtmr1: HexSha384
    rtmr2: HexSha384


Output = Portable | AzureRegisters | DcapRegisters
FIELDS: dict[str, type[Output]] = {"portable": Portable, "azure": AzureRegisters, "dcap": DcapRegisters}


def _recognises(source: Source) -> bool:
    found = source.json
    return isinstance(found, dict) and found.get("kind") in KINDS and "attestation_type" not in found


def _read(source: Source) -> Sequence[ReferenceValues]:
    assert isinstance(source.json, dict)  # noqa: S101 - recognised
    return values_of(source.parse(FIELDS[source.json["kind"]]), "image of attest's measurements")


def values_of(found: Output, name: str) -> Sequence[ReferenceValues]:
    """Of one output. What the image decides on Azure and Google Cloud has to match all at once; QEMU is another boot of it."""
    if isinstance(found, AzureRegisters):
        return (ReferenceValues(name, {AZURE.name: _pcrs(found)}, unmentioned=UNMENTIONED),)
    if isinstance(found, DcapRegisters):
        registers = {rtmr(1): match(NAME, found.rtmr1), rtmr(2): match(NAME, found.rtmr2)}
        return (ReferenceValues(name, {TDX.name: registers}, unmentioned=UNMENTIONED),)
    clouds = {GCP_NO_VTPM.name: found.dcap.on_gcp()}
    if found.azure is not None:
        clouds[AZURE.name] = _pcrs(found.azure)
    started = f"{name}, started by QEMU with -kernel"
    return (
        ReferenceValues(name, clouds, unmentioned=UNMENTIONED),
        ReferenceValues(started, {QEMU.name: found.dcap.on_qemu()}, unmentioned=UNMENTIONED),
    )


def _pcrs(found: _Azure) -> Registers:
    values: tuple[Digest, ...] = (found.pcr4, found.pcr9, found.pcr11)
    return {pcr(index): match(NAME, value) for index, value in zip(_PCRS, values, strict=True)}


def _only(value: RegisterValue) -> ReferenceRegister:
    return one_of([AcceptableValue(NAME, value)])


def write(measurements: Measurements) -> bytes:
    """For attest: the digests as Google Cloud's guest without vTPM measures them, and Azure's PCRs where all are known.

    Raises UnsupportedInputError for an image that the format cannot express.
    """
    azure = azure_pcrs(measurements)
    document: dict[str, object] = {"kind": "portable"}
    if azure:
        document["azure"] = {f"pcr{index}": digest.hex for index, digest in azure.items()}
    document["dcap"] = image_fields(measurements)
    return json.dumps(document, indent=2).encode() + b"\n"


def image_fields(measurements: Measurements) -> dict[str, str]:
    """DcapImageHashes of the measured image, `pe_sections` only where there is one."""
    registers = measurements.platforms.get(GCP_NO_VTPM.name)
    if registers is None:
        raise TeekitError(f"{GCP_NO_VTPM.name} was not measured", hint="Leave out --platform and --vtpm.")
    found = image_digests(registers)
    names = {
        "uki_authenticode": found.uki,
        "kernel_authenticode": found.kernel,
        "cmdline_hash": found.cmdline,
        "initrd_hash": found.initrd,
        "gpt_disk_guid_hash": found.gpt,
        "pe_sections": found.sections,
    }
    return {name: digest.hex for name, digest in names.items() if digest is not None}


def azure_pcrs(measurements: Measurements) -> dict[int, Digest]:
    """PCR 4, 9 and 11 in SHA-256; empty unless all of them are known."""
    registers = measurements.platforms.get(AZURE.name, {})
    found = {}
    for index in _PCRS:
        value = registers.get(pcr(index))
        if value is None or not value.values:
            return {}
        found[index] = value.values[0]
    return found


FORMAT = Format("portable measurements (attest measure)", _recognises, _read)

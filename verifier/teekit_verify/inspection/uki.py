"""What is in a UKI, as values for the presenters. It states facts and judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.frozen import frozen
from teekit_verify.inspection.host_inputs import unmeasured_inputs

if TYPE_CHECKING:
    from teekit_verify.artifacts.uki import UnifiedKernelImage
    from teekit_verify.inspection.host_inputs import UnmeasuredInput


@frozen
class SectionFacts:
    """One PE section, in file order. `size_bytes` is its VirtualSize, and the digest covers as many bytes."""

    name: str
    size_bytes: int
    sha256: Digest


@frozen
class UkiFacts:
    """Texts are None when the UKI has no such section. The Authenticode digests leave out checksum and signatures."""

    name: str
    size_bytes: int
    sha256: Digest
    authenticode_sha256: Digest
    authenticode_sha384: Digest
    stub_version: str
    kernel_release: str | None
    cmdline: str | None
    os_release: str | None
    sections: tuple[SectionFacts, ...]
    unmeasured_inputs: tuple[UnmeasuredInput, ...] = ()


def uki_facts(name: str, uki: UnifiedKernelImage) -> UkiFacts:
    """`name` is that of its file."""
    return UkiFacts(
        name=name,
        size_bytes=len(uki.data),
        sha256=Digest.of(Algorithm.SHA256, uki.data),
        authenticode_sha256=_authenticode(uki, Algorithm.SHA256),
        authenticode_sha384=_authenticode(uki, Algorithm.SHA384),
        stub_version=uki.stub_version.text,
        kernel_release=uki.kernel_release(),
        cmdline=uki.text(".cmdline"),
        os_release=uki.text(".osrel"),
        sections=tuple(
            SectionFacts(section.name, section.virtual_size, Digest.of(Algorithm.SHA256, uki.content(section)))
            for section in uki.sections
        ),
        unmeasured_inputs=unmeasured_inputs(uki),
    )


def _authenticode(uki: UnifiedKernelImage, algorithm: Algorithm) -> Digest:
    spans = uki.image.authenticode_spans()
    return Digest.of_parts(algorithm, (uki.data[span.start : span.stop] for span in spans))

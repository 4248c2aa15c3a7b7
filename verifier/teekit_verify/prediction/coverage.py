"""Which bytes of a UKI no register depends on, and why.

Rules. A byte is covered if the Authenticode digest of the UKI is of it, which is in PCR 4 and RTMR1 of every machine.
Non-rules: whether such bytes do harm. They are shown, and a digest of the whole file covers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from teekit_verify.artifacts.pe import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.uki import UnifiedKernelImage


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Bytes of the file that may change without changing a predicted register."""

    span: Span
    reason: str


def unmeasured(uki: UnifiedKernelImage) -> tuple[Unmeasured, ...]:
    """What the Authenticode digest of the UKI leaves out: everything else is in PCR 4 and RTMR1. In file order.

    Parts of the headers decide which bytes are hashed: changing those changes the digest or makes parsing fail.
    """
    image = uki.image
    known = [(image.checksum, "PE CheckSum field: no part of an Authenticode digest")]
    if image.certificate_entry:
        known.append((image.certificate_entry, "certificate table entry: no part of an Authenticode digest"))
    if image.certificates:
        known.append((image.certificates, "certificate table: holds signatures of the Authenticode digest"))
    return tuple(
        Unmeasured(piece, reason)
        for gap in _gaps(image.authenticode_spans(), image.size_bytes)
        for piece, reason in _split(gap, known)
    )


def _gaps(hashed: tuple[Span, ...], size_bytes: int) -> Iterator[Span]:
    position = 0
    for span in (*sorted(hashed), Span(size_bytes, size_bytes)):
        if span.start > position:
            yield Span(position, span.start)
        position = max(position, span.stop)


def _split(gap: Span, known: list[tuple[Span, str]]) -> Iterator[tuple[Span, str]]:
    """Cut a gap at the edges of the parts whose reason is known."""
    edges = {gap.start, gap.stop} | {
        edge for span, _ in known for edge in (span.start, span.stop) if gap.start < edge < gap.stop
    }
    ordered = sorted(edges)
    for start, stop in pairwise(ordered):
        reasons = [reason for span, reason in known if span.start <= start and stop <= span.stop]
        yield Span(start, stop), reasons[0] if reasons else "between sections: no part of an Authenticode digest"

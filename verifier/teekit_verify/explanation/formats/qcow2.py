"""Disks in qcow2 files: their headers, and the disk that each holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts import qcow2
from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.magic import QCOW2_MAGIC
from teekit_verify.explanation.formats.compressed import laid_out, recompressed
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.artifacts.qcow2 import Qcow2
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_COMPRESSIONS = ("zlib", "zstd")


def is_qcow2(beginning: bytes) -> bool:
    return beginning.startswith(QCOW2_MAGIC)


def compare_qcow2s(examination: Examination, pair: Pair) -> Difference | None:
    """None if the disks are equal and a snapshot may be what differs. Raises TeekitError for what is damaged or not read."""
    headers = [qcow2.read_header(blob) for blob in (pair.a, pair.b)]
    one, other = (_disk(examination, blob, header) for blob, header in zip((pair.a, pair.b), headers, strict=True))
    children = list(_facts(*headers))
    if first_difference(one, other) is not None:
        children.append(examination.compare(pair.inner("disk", one, other)))
    if children:
        return Difference(pair.name, Kind.CONTENT, "qcow2 disk", *pair.sizes, children=tuple(children))
    if any(header.snapshots for header in headers):
        return None
    # Packed in another way, the same disk hardly ever takes as many bytes.
    return laid_out(pair) if pair.a.size_bytes == pair.b.size_bytes else recompressed(pair, pair.name)


def _disk(examination: Examination, blob: Blob, header: Qcow2) -> Blob:
    return examination.spool().keep_sparse(header.size_bytes, qcow2.clusters(blob, header))


def _facts(one: Qcow2, other: Qcow2) -> Iterator[Difference]:
    for name, left, right in (
        ("qcow2 version", str(one.version), str(other.version)),
        ("size of the disk", f"{one.size_bytes} bytes", f"{other.size_bytes} bytes"),
        ("size of a cluster", f"{one.cluster_bytes} bytes", f"{other.cluster_bytes} bytes"),
        ("compression", _COMPRESSIONS[one.compression], _COMPRESSIONS[other.compression]),
        ("snapshots", str(one.snapshots), str(other.snapshots)),
    ):
        if left != right:
            yield Difference(name, Kind.METADATA, "the headers differ", left, right)

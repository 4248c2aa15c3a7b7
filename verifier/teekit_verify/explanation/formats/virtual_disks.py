"""Disks in VHDX and VMDK files and dynamic VHDs: their headers, and the disk that each holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.dynamic_vhd import DynamicVhd, is_dynamic_vhd, open_dynamic_vhd
from teekit_verify.artifacts.fields import Field, field_of
from teekit_verify.artifacts.magic import VHDX_MAGIC, VMDK_MAGIC
from teekit_verify.artifacts.vhdx import Vhdx, open_vhdx
from teekit_verify.artifacts.virtual_disk import pieces_of
from teekit_verify.artifacts.vmdk import Vmdk, open_vmdk
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats.compressed import laid_out
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_MAX_DISK_BYTES = 64 << 30
_Disk = Vhdx | DynamicVhd | Vmdk
_KINDS = ((Vhdx, "VHDX disk"), (Vmdk, "VMDK disk"), (DynamicVhd, "dynamic VHD"))
_VMDK_NAMES = {
    "CID": Field.VMDK_CONTENT_ID,
    "ddb.longContentID": Field.VMDK_LONG_ID,
    "ddb.uuid": Field.VMDK_DISK_ID,
}
_VHD_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def is_vhdx(beginning: bytes) -> bool:
    return beginning.startswith(VHDX_MAGIC)


def is_vmdk(beginning: bytes) -> bool:
    return beginning.startswith(VMDK_MAGIC)


def compare_virtual_disks(examination: Examination, pair: Pair) -> Difference | None:
    """Two of one kind. Raises TeekitError for what is damaged or not read."""
    one, other = (_opened(blob) for blob in (pair.a, pair.b))
    disks = [_disk(examination, side) for side in (one, other)]
    children = list(_fields(pair, _facts(one), _facts(other)))
    if first_difference(*disks) is not None:
        children.append(examination.compare(pair.inner("disk", *disks)))
    kind = next(kind for known, kind in _KINDS if isinstance(one, known))
    if children:
        return Difference(pair.name, Kind.CONTENT, kind, *pair.sizes, children=tuple(children))
    return laid_out(pair)


def _opened(blob: Blob) -> _Disk:
    beginning = blob.read(0, 8)
    if is_vmdk(beginning):
        return open_vmdk(blob)
    return open_dynamic_vhd(blob) if is_dynamic_vhd(beginning) else open_vhdx(blob)


def _disk(examination: Examination, side: _Disk) -> Blob:
    if side.size_bytes > _MAX_DISK_BYTES:
        raise UnsupportedInputError(f"a disk of {side.size_bytes} bytes, more than this program reads")
    return examination.spool().keep_sparse(side.size_bytes, pieces_of(side))


def _facts(side: _Disk) -> dict[str, str]:
    facts = {"size of the disk": f"{side.size_bytes} bytes", "size of a block": f"{side.block_bytes} bytes"}
    if isinstance(side, Vmdk):
        return facts | {_VMDK_NAMES.get(name, f"VMDK {name}"): value for name, value in side.descriptor.items()}
    if isinstance(side, Vhdx):
        return facts | {
            "sectors": f"{side.sector_bytes} bytes, physically {side.physical_bytes}",
            Field.VHDX_DISK_ID: str(side.disk_id),
            Field.VHDX_FILE_WRITE: str(side.file_write),
            Field.VHDX_DATA_WRITE: str(side.data_write),
            "VHDX creator": side.creator,
        }
    footer = side.footer
    return facts | {
        Field.VHD_TIME: f"{_VHD_EPOCH + timedelta(seconds=footer.timestamp):%Y-%m-%d %H:%M:%S} UTC",
        Field.VHD_ID: str(footer.unique_id),
        "VHD creator": footer.creator,
        "VHD geometry": f"{footer.geometry.cylinders}/{footer.geometry.heads}/{footer.geometry.sectors}",
    }


def _fields(pair: Pair, one: dict[str, str], other: dict[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys([*one, *other]):
        a, b = one.get(name, ""), other.get(name, "")
        if a != b:
            causes = causes_of([Sighting((*pair.path, name), where=field_of(name), a=a, b=b)])
            yield Difference(str(name), Kind.METADATA, "the headers differ", a, b, causes)

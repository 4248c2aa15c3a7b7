"""Whether the log of XFS has to be replayed: no, if the newest record is that of unmounting (fs/xfs/libxfs/xfs_log_format.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from teekit_verify.artifacts.blob import Blob

_MAGIC = b"\xfe\xed\xba\xbe"
_SECTOR_BYTES, _HEADER_COVERS = 512, 32 << 10
_UNMOUNT = 0x20
_PIECE_BYTES = 1 << 20
_MAX_LOG_BYTES = 2 << 30


def is_clean(log: Blob) -> bool:
    """The record with the highest sequence number (cycle and block) counts; a log without records was never written."""
    newest, place = -1, -1
    for start in range(0, min(log.size_bytes, _MAX_LOG_BYTES), _PIECE_BYTES):
        piece = log.read(start, _PIECE_BYTES)
        at = piece.find(_MAGIC)
        while at >= 0:
            number = int.from_bytes(piece[at + 16 : at + 24], "big")
            if at % _SECTOR_BYTES == 0 and number > newest:
                newest, place = number, start + at
            at = piece.find(_MAGIC, at + 1)
    return place < 0 or _is_unmount(log, place)


def _is_unmount(log: Blob, place: int) -> bool:
    """An operation header follows: transaction, length, client, flags."""
    header = log.read(place, _SECTOR_BYTES)
    covered = int.from_bytes(header[320:324], "big")
    sectors = max(1, -(-covered // _HEADER_COVERS)) if int.from_bytes(header[8:12], "big") == 2 else 1  # noqa: PLR2004
    operation = log.read(place + sectors * _SECTOR_BYTES, 16)
    return len(operation) == 16 and bool(operation[9] & _UNMOUNT)  # noqa: PLR2004

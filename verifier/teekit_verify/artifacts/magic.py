r"""What a file is, by its two ends: the one place where what a guest may boot from is told apart.

    UKI                 .efi
    raw disk            GPT (sectors of 512 or 4096 bytes), MBR or bare FAT, one volume with `\EFI\BOOT\BOOTX64.EFI`
    fixed VHD           the same, with a footer (Azure)
    .tar.gz             the same, as `disk.raw` in an archive (Google Cloud)
    qcow2, VHDX, VHD    the same, in blocks that lie anywhere in the file
    packed              any of these, compressed or in an archive

It imports no reader of a format: those who read import from here, so that a UKI is measured without the readers of disks.
"""

from __future__ import annotations

import zlib
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import UnsupportedInputError

if TYPE_CHECKING:
    from teekit_verify.core.files import OpenedInput


class ArtifactKind(Enum):
    """What a file is, by its content. The value is for people."""

    UKI = "UKI"
    RAW = "raw disk"
    VHD = "fixed VHD"
    TAR_GZ = "tar.gz of a raw disk"
    QCOW2 = "qcow2 disk"
    VHDX = "VHDX disk"
    DYNAMIC_VHD = "dynamic VHD"
    PACKED = "compressed file or archive"


class Compression(Enum):
    """The value is for people."""

    ZSTD = "zstd"
    GZIP = "gzip"
    XZ = "xz"
    BZIP2 = "bzip2"
    LZ4 = "lz4"
    LZ4_LEGACY = "lz4 (legacy)"
    LZMA = "lzma"
    LZO = "lzo"


PE_MAGIC = b"MZ"
QCOW2_MAGIC = b"QFI\xfb"
VHDX_MAGIC = b"vhdxfile"
VMDK_MAGIC = b"KDMV"
VHD_COOKIE, VHD_FOOTER_BYTES = b"conectix", 512
GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
AR_MAGIC = b"!<arch>\n"
GPT_MAGIC, SECTOR_SIZES = b"EFI PART", (512, 4096)
GOOGLE_MEMBER = "disk.raw"
"""What a disk is called in an archive for Google Cloud."""
TDVF_FOOTER = bytes.fromhex("de82b596b21ff745baeaa366c55a082d")
"""96b582de-1fb2-45f7-baea-a366c55a082d, the GUID that ends OVMF's table, as it lies in the file."""
BYTES_AFTER_TDVF_TABLE = 32
"""The reset vector's last bytes; the table ends where they start."""
COMPRESSION_MAGIC_BYTES = 6
_KINDS = {
    PE_MAGIC: ArtifactKind.UKI,
    QCOW2_MAGIC: ArtifactKind.QCOW2,
    VHDX_MAGIC: ArtifactKind.VHDX,
    VHD_COOKIE: ArtifactKind.DYNAMIC_VHD,
}
_COMPRESSIONS = {
    b"\x28\xb5\x2f\xfd": Compression.ZSTD,
    GZIP_MAGIC: Compression.GZIP,
    b"\xfd7zXZ\0": Compression.XZ,
    b"BZh": Compression.BZIP2,
    b"\x04\x22\x4d\x18": Compression.LZ4,
    b"\x02\x21\x4c\x18": Compression.LZ4_LEGACY,
    b"\x5d\0\0": Compression.LZMA,
    b"\x89LZO\0\r": Compression.LZO,
}
_PACKED_WITH = {Compression.GZIP, Compression.XZ, Compression.ZSTD, Compression.BZIP2, Compression.LZ4}
"""Those whose magic number nothing else begins with by chance."""
_BOOT_SECTOR_MAGIC = b"\x55\xaa"
_TAR_BLOCK_BYTES = 512
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
FORMATS_HINT = "Name a UKI (.efi), or a disk: raw, .vhd, .vhdx, .qcow2, a .tar.gz with a disk.raw, or one of these compressed or in an archive."


def is_firmware(file: OpenedInput) -> bool:
    """Whether the file ends as OVMF does: with the GUIDed table's footer."""
    return file.tail[-BYTES_AFTER_TDVF_TABLE - 16 :][:16] == TDVF_FOOTER


def artifact_kind(file: OpenedInput) -> ArtifactKind:
    """Raises UnsupportedInputError for what is none."""
    if not file.head:
        raise UnsupportedInputError(f"{file.path} is empty", hint=FORMATS_HINT)
    kind = _kind_of(file.head)
    if kind in {None, ArtifactKind.RAW} and file.tail[-VHD_FOOTER_BYTES:].startswith(VHD_COOKIE):
        return ArtifactKind.VHD
    if kind is not None:
        return kind
    if file.head.startswith(VMDK_MAGIC):
        raise UnsupportedInputError(
            f"{file.path} is a VMDK disk, which is not supported", hint="Convert it with `qemu-img convert -O raw`."
        )
    raise UnsupportedInputError(
        f"{file.path} is neither a UKI (it does not begin with 'MZ') nor a disk image", hint=FORMATS_HINT
    )


def is_bootable(head: bytes) -> bool:
    """Whether a file that begins so may be one that a guest boots from, packed or not."""
    return _kind_of(head) is not None


def _kind_of(head: bytes) -> ArtifactKind | None:
    for magic, kind in _KINDS.items():
        if head.startswith(magic):
            return kind
    if is_google_archive(head):
        return ArtifactKind.TAR_GZ
    if packed_with(head) is not None or is_archive(head):
        return ArtifactKind.PACKED
    return ArtifactKind.RAW if sector_bytes(head) is not None or is_mbr(head) or is_fat(head) else None


def is_google_archive(head: bytes) -> bool:
    """Whether gzip data begins with a tar header of GOOGLE_MEMBER, or (also in damaged data) cannot be told from that by its beginning."""
    if not head.startswith(GZIP_MAGIC):
        return False
    state = zlib.decompressobj(_GZIP_WINDOW)
    try:
        header = state.decompress(head, _TAR_BLOCK_BYTES)
    except zlib.error:
        return True
    return (len(header) < _TAR_BLOCK_BYTES and not state.eof) or header.startswith(GOOGLE_MEMBER.encode() + b"\0")


def packed_with(head: bytes) -> Compression | None:
    """The compression of a whole file, of those that an image is published in."""
    found = compression_of(head[:COMPRESSION_MAGIC_BYTES])
    return found if found in _PACKED_WITH else None


def compression_of(beginning: bytes) -> Compression | None:
    """By the first COMPRESSION_MAGIC_BYTES bytes; None if they are of no known format."""
    return next((found for magic, found in _COMPRESSIONS.items() if beginning.startswith(magic)), None)


def is_archive(head: bytes) -> bool:
    """A tar or zip file."""
    return head.startswith(ZIP_MAGIC) or is_tar(head)


def is_tar(beginning: bytes) -> bool:
    """By the magic number that tar has had since POSIX."""
    return beginning[257:262] == b"ustar"


def sector_bytes(beginning: bytes) -> int | None:
    """Of a disk with a GPT, from its first 5 KiB."""
    return next((size for size in SECTOR_SIZES if beginning[size : size + 8] == GPT_MAGIC), None)


def is_mbr(beginning: bytes) -> bool:
    """Whether the first sector has partitions, and is no boot sector of a file system."""
    rows = [beginning[at : at + 16] for at in range(446, 510, 16)]
    used = [row for row in rows if any(row)]
    return (
        beginning[510:512] == _BOOT_SECTOR_MAGIC
        and bool(used)
        and all(row[0] in {0, 0x80} and row[4] and row[8:12] != bytes(4) and row[12:16] != bytes(4) for row in used)
    )


def is_fat(beginning: bytes) -> bool:
    """A boot sector with the fields of fatgen103; whether they hold together is seen when it is opened."""
    return (
        beginning[510:512] == _BOOT_SECTOR_MAGIC
        and beginning[:1] in {b"\xeb", b"\xe9"}
        and b"FAT" in {beginning[54:57], beginning[82:85]}
    )

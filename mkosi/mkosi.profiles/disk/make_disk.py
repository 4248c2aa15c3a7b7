"""The disk images of the clouds, made of the UKI in $OUTPUTDIR: make_disk.py gcp | azure.

gcp     NAME.tar.gz: `disk.raw` in an archive of GNU's old format, compressed by gzip without name and time
azure   NAME.vhd: a fixed virtual hard disk, sparse where the disk is empty; AZURE_DISK_GIB is its size

Both have a size that is a multiple of 1 GiB, and both are a function of the UKI's bytes and of nothing else.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import layout

_VHD_FOOTER = ">8sIIQI4sI4sQQHBBII16sB427x"
_NO_MORE_HEADERS = (1 << 64) - 1


def make_raw(uki: Path, image: Path, disk_gib: str) -> int:
    """Write the raw disk; its size in bytes."""
    disk_bytes = int(disk_gib) * layout.GIB if disk_gib else None
    sizes = layout.geometry(uki.stat().st_size, multiple_bytes=layout.GIB, disk_bytes=disk_bytes)
    with image.open("xb") as stream:
        stream.truncate(sizes.disk_bytes)
    for command in layout.commands(uki, image, sizes):
        subprocess.run(command.argv, input=command.stdin, check=True, env=os.environ | layout.ENVIRONMENT)
    return sizes.disk_bytes


def make_gcp(uki: Path) -> None:
    """Where the holes are is found by reading, so that it does not depend on the file system."""
    image = uki.with_name("disk.raw")
    make_raw(uki, image, "")
    archive = ["tar", "--create", "--format=oldgnu", "--sparse", "--hole-detection=raw", "--mtime=@0", "--mode=0644"]
    archive += ["--owner=root:0", "--group=root:0", "--directory", str(uki.parent), image.name]
    with (
        uki.with_suffix(".tar.gz").open("wb") as target,
        subprocess.Popen(archive, stdout=subprocess.PIPE) as tar,
    ):
        subprocess.run(["gzip", "--no-name", "--stdout"], stdin=tar.stdout, stdout=target, check=True)
    if tar.returncode != 0:
        sys.exit(f"make_disk: tar failed with exit status {tar.returncode}")
    image.unlink()


def make_azure(uki: Path) -> None:
    image = uki.with_suffix(".vhd")
    disk_bytes = make_raw(uki, image, os.environ.get("AZURE_DISK_GIB", ""))
    with image.open("ab") as stream:
        stream.write(vhd_footer(disk_bytes))


def vhd_footer(disk_bytes: int) -> bytes:
    """Microsoft, "Virtual Hard Disk Image Format Specification" 1.0, "Hard Disk Footer Format", with a fixed time and UUID."""
    cylinders, heads, sectors = chs(disk_bytes // layout.SECTOR_BYTES)

    def packed(checksum: int) -> bytes:
        sizes = (disk_bytes, disk_bytes, cylinders, heads, sectors)
        # "qem2" is how qemu-img marks disks whose size is what counts, and not the geometry, which cannot express it.
        about = (b"conectix", 2, 0x10000, _NO_MORE_HEADERS, 0, b"qem2", 0x10000, b"Wi2k")
        return struct.pack(_VHD_FOOTER, *about, *sizes, 2, checksum, UUID(layout.DISK_GUID).bytes, 0)

    return packed(~sum(packed(0)) & 0xFFFFFFFF)


def chs(total: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors per track for a number of sectors: the specification's appendix "CHS Calculation"."""
    total = min(total, 65535 * 16 * 255)
    if total >= 65535 * 16 * 63:
        return total // 255 // 16, 16, 255
    heads = max((total // 17 + 1023) // 1024, 4)
    if heads <= 16 and total // 17 < heads * 1024:
        return total // 17 // heads, heads, 17
    sectors = 31 if total // 31 < 16 * 1024 else 63
    return total // sectors // 16, 16, sectors


if __name__ == "__main__":
    (output,) = Path(os.environ["OUTPUTDIR"]).glob("*.efi")
    {"gcp": make_gcp, "azure": make_azure}[sys.argv[1]](output)

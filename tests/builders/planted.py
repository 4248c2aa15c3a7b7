"""What a host plants beside an image: credentials, and disks that systemd would look for."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING

from builders import preload
from builders.tools import require
from teekit_verify.boot import qemu

if TYPE_CHECKING:
    from pathlib import Path

LOADED = "planted-by-library"
# systemd.system-credentials(7): tmpfiles.extra is lines of tmpfiles.d, and "w" writes into a file that exists.
_CREDENTIAL = "w /dev/console - - - - planted-by-{}\\n\n"
_ROOT_X86_64 = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"  # Discoverable Partitions Specification


def credentials(folder: Path) -> list[str]:
    """Words for QEMU: the same credential by SMBIOS and by fw_cfg."""
    by_smbios = b64encode(_CREDENTIAL.format("smbios").encode()).decode()
    (folder / "credential").write_text(_CREDENTIAL.format("fw-cfg"))
    return [
        *("-smbios", f"type=11,value=io.systemd.credential.binary:tmpfiles.extra={by_smbios}"),
        *("-fw_cfg", f"name=opt/io.systemd.credentials/tmpfiles.extra,file={folder / 'credential'}"),
    ]


def disks(folder: Path) -> list[str]:
    """Words for QEMU: a shared library as a disk, and a root partition that systemd's discovery would mount, with a file system in it."""
    library, root = folder / "library.raw", folder / "root.raw"
    library.write_bytes(preload.library(LOADED).ljust(1 << 20, b"\0"))
    with root.open("xb") as stream:
        stream.truncate(64 << 20)
    script = f'label: gpt\nstart=2048, type={_ROOT_X86_64}, name="root"\n'
    subprocess.run([require("sfdisk"), "--quiet", root], input=script.encode(), check=True)
    argv = [require("mke2fs"), "-q", "-t", "ext4", "-L", "root", "-E", f"offset={1 << 20}", str(root), "32M"]
    subprocess.run(argv, check=True, capture_output=True)
    words = []
    for disk in (library, root):
        words += ["-drive", f"if=virtio,format=raw,snapshot=on,file={qemu.value(disk)}"]
    return words

"""What the host can say to a machine that boots a UKI, and no register measures: found in its initrd, kernel and command line.

Facts only, each with the file that shows it; whether they matter is for who reads them. The absence of a fact says nothing of
what is not in the initrd: a root file system on a disk is not looked into.

Sources: systemd src/basic/efivars.c, systemd_efi_options_variable() ("SystemdOptions", read where Secure Boot is off),
src/gpt-auto-generator/gpt-auto-generator.c, and src/core/import-creds.c, which takes none from SMBIOS and fw_cfg in a confidential
VM, so these are not among them; Linux Documentation/admin-guide/kernel-parameters.txt, "efi=", "noefi".
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.compressed import Budget, Decompressed
from teekit_verify.artifacts.initrd import MAX_UNPACKED_BYTES, read_initrd
from teekit_verify.artifacts.kernel import parse_bzimage
from teekit_verify.artifacts.magic import COMPRESSION_MAGIC_BYTES, compression_of
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict
from teekit_verify.inspection.command_line import has_no_efi_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.artifacts.cpio import CpioReader
    from teekit_verify.artifacts.uki import UnifiedKernelImage

_OPTIONS_VARIABLE = b"SystemdOptions-8cf2644b-4b0b-428f-9387-6d876050dc67"
_EFIVARFS = b"\0efivarfs\0"
_MAX_KERNEL_BYTES = 1 << 30
_PIECE_BYTES = 1 << 20
_GENERATOR = "systemd-gpt-auto-generator"
_AGENTS = frozenset(
    {"cloud-init", "ignition", "afterburn", "waagent", "google_guest_agent", "qemu-ga", "vmtoolsd", "ec2-metadata"}
)
"""Programs that do what a host's metadata or agent channel says, by the names of their files."""


class HostInput(Enum):
    """One way in. The value is its name in JSON."""

    EFI_OPTIONS = "efi-options"
    """systemd takes the EFI variable SystemdOptions for more kernel command line wherever Secure Boot is off."""
    DISK_DISCOVERY = "disk-discovery"
    """systemd mounts partitions of any disk by their type (gpt-auto-generator)."""
    HOST_CONFIGURATION = "host-configuration"
    """An agent in the initrd takes configuration or commands from the host."""
    NOT_READ = "not-read"
    """The initrd or kernel could not be read, so nothing is known of it."""


@frozen
class UnmeasuredInput:
    """`where` is the file of the initrd, or the section, that shows it; `detail` what exactly was found there."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    kind: HostInput
    where: str
    detail: str


@dataclass(slots=True)
class _Seen:
    """What the initrd has, by path without the leading slash; links to /dev/null are masks."""

    reads_options: str = ""
    efivarfs_module: str = ""
    generator: str = ""
    is_masked: bool = False
    agents: tuple[str, ...] = ()


def unmeasured_inputs(uki: UnifiedKernelImage) -> tuple[UnmeasuredInput, ...]:
    """Reads the whole initrd and kernel, which takes a second for 100 MB. Never raises: what cannot be read is NOT_READ."""
    seen, found = _Seen(), []
    try:
        _look_into_initrd(uki, seen)
    except TeekitError as error:
        found.append(UnmeasuredInput(HostInput.NOT_READ, ".initrd", error.message))
    if seen.reads_options and not has_no_efi_variables(uki.text(".cmdline")):
        found += _efi_options(uki, seen)
    if seen.generator and not seen.is_masked and not _is_off(uki.text(".cmdline")):
        found.append(UnmeasuredInput(HostInput.DISK_DISCOVERY, seen.generator, ""))
    found += [UnmeasuredInput(HostInput.HOST_CONFIGURATION, path, "") for path in seen.agents]
    return tuple(found)


def _is_off(cmdline: str | None) -> bool:
    """systemd-gpt-auto-generator(8): "systemd.gpt_auto=" takes a boolean."""
    words = (cmdline or "").rstrip("\0\n").split()
    return bool({"systemd.gpt_auto=0", "systemd.gpt_auto=no", "rd.systemd.gpt_auto=0"} & set(words))


def _efi_options(uki: UnifiedKernelImage, seen: _Seen) -> Iterator[UnmeasuredInput]:
    """A systemd that asks, and a kernel that can answer: by a module, or built in."""
    if seen.efivarfs_module:
        yield UnmeasuredInput(HostInput.EFI_OPTIONS, seen.reads_options, seen.efivarfs_module)
        return
    try:
        if _kernel_has_efivarfs(uki):
            yield UnmeasuredInput(HostInput.EFI_OPTIONS, seen.reads_options, ".linux")
    except TeekitError as error:
        yield UnmeasuredInput(HostInput.NOT_READ, ".linux", error.message)


def _look_into_initrd(uki: UnifiedKernelImage, seen: _Seen) -> None:
    for section in uki.named(".initrd")[:1]:
        with tempfile.TemporaryFile() as file:
            file.write(uki.content(section))
            file.flush()
            for _, entry, reader in read_initrd(Blob.of(file.fileno()), budget=Budget(MAX_UNPACKED_BYTES)):
                _note(entry.name.lstrip("./"), reader, seen)


def _note(path: str, reader: CpioReader, seen: _Seen) -> None:
    name = path.rpartition("/")[2]
    if name.startswith("efivarfs.ko"):
        seen.efivarfs_module = path
    elif name == _GENERATOR and path.startswith(("usr/lib/", "lib/")):
        seen.generator = path
    elif name == _GENERATOR:  # one of /etc or /run comes first; systemd.generator(7)
        seen.is_masked = b"".join(reader.content()) in {b"", b"/dev/null"}
    elif name in _AGENTS and "bin" in path.split("/"):
        seen.agents = (*seen.agents, path)
    elif _is_systemd(path, name) and _contains(reader.content(), _OPTIONS_VARIABLE):
        seen.reads_options = path


def _is_systemd(path: str, name: str) -> bool:
    return name.startswith("libsystemd-shared-") or path.endswith("lib/systemd/systemd")


def _kernel_has_efivarfs(uki: UnifiedKernelImage) -> bool:
    """Whether the file system's name stands in the kernel proper: it does where it is built in, and not for a module."""
    (section,) = uki.named(".linux")[:1]
    with tempfile.TemporaryFile() as file:
        file.write(uki.content(section))
        file.flush()
        return _contains(_kernel_proper(Blob.of(file.fileno())), _EFIVARFS)


def _kernel_proper(bzimage: Blob) -> Iterator[bytes]:
    payload = parse_bzimage(bzimage).payload
    packed = bzimage.part(payload.start, payload.size_bytes)
    compression = compression_of(packed.read(0, COMPRESSION_MAGIC_BYTES))
    if compression is None:
        raise UnsupportedInputError("the kernel's payload is compressed in a way that is not supported")
    stream = Decompressed(packed, 0, compression, Budget(_MAX_KERNEL_BYTES), "kernel payload")
    while piece := stream.read(_PIECE_BYTES):
        yield piece


def _contains(pieces: Iterable[bytes], wanted: bytes) -> bool:
    tail = b""
    for piece in pieces:
        if wanted in tail + piece:
            return True
        tail = (tail + piece)[-len(wanted) :]
    return False

"""Unified kernel images (UAPI group specification "Unified Kernel Image"): a systemd-stub with its payload sections."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from teekit_verify.artifacts import mapped
from teekit_verify.artifacts.pe import MACHINE_X86_64, PeImage, PeSection, Span, parse_pe
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.files import open_input
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.core.files import OpenedInput

_MAX_TEXT_BYTES = 1 << 20
_MAX_MAGIC_BYTES = 512
_MAGIC = re.compile(rb"#### LoaderInfo: systemd-stub (?P<text>(?P<major>\d{1,4})[ -~]*) ####\0*")
_SETUP_MAGIC = Span(0x202, 0x206)
_MAX_BANNER_BYTES = 256


@frozen
class StubVersion:
    """The version a systemd-stub prints in its .sdmagic section: 257 and "257.13-1~deb13u1"."""

    major: int
    text: str


@frozen
class UnifiedKernelImage:
    """A UKI over a buffer (usually a mapped file). `sections` keeps the order of the file, duplicates included."""

    data: memoryview
    image: PeImage
    stub_version: StubVersion

    @property
    def sections(self) -> tuple[PeSection, ...]:
        return self.image.sections

    def named(self, name: str) -> tuple[PeSection, ...]:
        """All non-empty sections of that name, in file order."""
        return tuple(row for row in self.sections if row.name == name and row.virtual_size)

    def content(self, section: PeSection) -> memoryview:
        """The section's bytes as the running stub sees them (VirtualSize bytes, without file padding)."""
        span = section.content
        return self.data[span.start : span.stop]

    def text(self, name: str) -> str | None:
        """The first section of that name as text, to look at (.osrel, .cmdline, .uname); None if there is none."""
        for section in self.named(name):
            return _text(self.content(section))
        return None

    def kernel_release(self) -> str | None:
        """Of the first kernel in the file, to look at: which one is started, the stub decides (measurement.stub)."""
        kernels, names = self.named(".linux"), self.named(".uname")
        return kernel_release(self.content(kernels[0]), self.content(names[0]) if names else None) if kernels else None


def kernel_release(kernel: memoryview, uname: memoryview | None) -> str | None:
    """`uname -r`: from the bzImage setup header of a kernel, else from the content of .uname, else None.

    Linux Documentation/arch/x86/boot.rst: "kernel_version: Pointer to kernel version string" at 0x20e, less 0x200.
    """
    if bytes(kernel[_SETUP_MAGIC.start : _SETUP_MAGIC.stop]) == b"HdrS":
        start = int.from_bytes(kernel[0x20E:0x210], "little") + 0x200
        banner = bytes(kernel[start : start + _MAX_BANNER_BYTES]).split(b"\0", 1)[0]
        if banner[:1].isdigit():
            return banner.decode("latin-1").split(" ", 1)[0]
    return None if uname is None else _text(uname)


def _text(content: memoryview) -> str:
    return bytes(content[:_MAX_TEXT_BYTES]).rstrip(b"\0").decode("utf-8", "replace")


def parse_uki(data: bytes | memoryview, *, what: str = "UKI") -> UnifiedKernelImage:
    """A UKI from its bytes. Raises MalformedInputError, or UnsupportedInputError for addons and foreign stubs."""
    view = data if isinstance(data, memoryview) else memoryview(data)
    image = parse_pe(view, what=what)
    if image.machine != MACHINE_X86_64:
        raise UnsupportedInputError(f"{what}: machine type {image.machine:#x} is not x86-64")
    names = {row.name for row in image.sections if row.virtual_size}
    if ".linux" not in names:
        kind = "a UKI addon" if names & {".cmdline", ".initrd", ".ucode", ".dtb"} else "not a UKI"
        raise UnsupportedInputError(
            f"{what}: no .linux section: this is {kind}", hint="Give the UKI that holds the kernel."
        )
    return UnifiedKernelImage(view, image, _stub_version(view, image, what))


@contextmanager
def open_uki(path: Path) -> Iterator[UnifiedKernelImage]:
    """Map a UKI file read-only; the image must not be used after the `with` block."""
    with open_input(path) as file, uki_in(file) as uki:
        yield uki


@contextmanager
def uki_in(file: OpenedInput) -> Iterator[UnifiedKernelImage]:
    """The same of an opened file."""
    if not 0 < file.size_bytes <= mapped.MAX_UKI_BYTES:
        problem = f"{file.size_bytes} bytes is not 1 byte to 4 GiB"
        raise MalformedInputError(str(file.path), field="file size", offset=0, problem=problem)
    with mapped.whole(file) as view:
        yield parse_uki(view, what=str(file.path))


def _stub_version(data: memoryview, image: PeImage, what: str) -> StubVersion:
    """Systemd src/boot/stub.c: DECLARE_NOALLOC_SECTION(".sdmagic", "#### LoaderInfo: systemd-stub " GIT_VERSION " ####")."""
    found = [row for row in image.sections if row.name == ".sdmagic"]
    if len(found) != 1:
        raise UnsupportedInputError(
            f"{what}: expected one .sdmagic section, found {len(found)}: the version of systemd-stub is unknown",
            hint="Build the UKI with an unmodified systemd-stub.",
        )
    span = found[0].content
    text = bytes(data[span.start : min(span.stop, span.start + _MAX_MAGIC_BYTES)])
    match = _MAGIC.fullmatch(text)
    if match is None:
        raise UnsupportedInputError(
            f"{what}: .sdmagic does not name a systemd-stub version: {printable(text[:80].decode('latin-1'))}",
            hint="Build the UKI with an unmodified systemd-stub.",
        )
    return StubVersion(int(match["major"]), match["text"].decode("ascii"))

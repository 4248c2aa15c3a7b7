"""What takes the space in a UKI: its sections, and the folders of its initrd. Sizes only, each of something that is there."""

from __future__ import annotations

import tempfile
from collections import Counter
from typing import TYPE_CHECKING, Annotated, ClassVar

from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.compressed import Budget
from teekit_verify.artifacts.initrd import MAX_UNPACKED_BYTES, read_initrd
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict, Field

if TYPE_CHECKING:
    from teekit_verify.artifacts.pe import PeSection
    from teekit_verify.artifacts.uki import UnifiedKernelImage

_INITRD = ".initrd"
_DEPTH = 3
_MOST_FOLDERS = 24
MOST_SECTIONS = 96
_Size = Annotated[int, Field(ge=0, le=2**63 - 1)]


@frozen
class FolderSpace:
    """A folder of the initrd, without a leading slash ("" is its root), and how much its files have unpacked, links counted once."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    name: str
    size_bytes: _Size


@frozen
class SectionSpace:
    """A section, and how much of the file it has. `folders` are the largest of an initrd, the largest first; the rest is left out."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    name: str
    size_bytes: _Size
    folders: Annotated[tuple[FolderSpace, ...], Field(max_length=_MOST_FOLDERS)] = ()


def space_of(uki: UnifiedKernelImage) -> tuple[SectionSpace, ...]:
    """In file order. Never raises: an initrd that cannot be read has no folders."""
    return tuple(
        SectionSpace(section.name, section.virtual_size, _folders(uki, section) if section.name == _INITRD else ())
        for section in uki.sections[:MOST_SECTIONS]
    )


def _folders(uki: UnifiedKernelImage, section: PeSection) -> tuple[FolderSpace, ...]:
    sizes: Counter[str] = Counter()
    try:
        with tempfile.TemporaryFile() as file:
            file.write(uki.content(section))
            file.flush()
            for _, entry, _ in read_initrd(Blob.of(file.fileno()), budget=Budget(MAX_UNPACKED_BYTES)):
                sizes[_folder(entry.name)] += entry.size_bytes
    except (TeekitError, OSError):
        return ()
    largest = sorted((item for item in sizes.items() if item[1]), key=lambda item: (-item[1], item[0]))
    return tuple(FolderSpace(name, size) for name, size in largest[:_MOST_FOLDERS])


def _folder(name: str) -> str:
    r"""At most three levels of what a file is in; bytes that are no UTF-8 as `\udcff`."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    return "/".join(parts[:-1][:_DEPTH]).encode("utf-8", "backslashreplace").decode()

"""The entries of an archive, as the comparers of archives pass them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.artifacts.cpio import CpioEntry
    from teekit_verify.artifacts.initrd import Member

Key = tuple[str, int]
"""A path, and which of the entries with that path it is: an archive may have several."""


@frozen
class Scanned:
    """An entry, the digest of its content, its member, and its place among all entries that were read.

    Of files with hard links, the content is that of the last one, at `content_place`.
    """

    entry: CpioEntry
    digest: bytes
    member: Member
    place: int
    content_place: int

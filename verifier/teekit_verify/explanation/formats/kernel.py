"""The Linux kernel: its banner, and the kernel proper inside the compressed payload of a bzImage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.kernel import parse_bzimage
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.known_files import KERNEL_VERSION
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats.compressed import recompressed, unpacked
from teekit_verify.explanation.tree import Cause, Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.artifacts.kernel import BzImage
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_NUMBER = Cause("kernel build number", "the count of builds in one folder", "Set KBUILD_BUILD_VERSION.")
_SIZE_BYTES = 4
_BANNER = re.compile(
    r"(?P<release>\S+) \((?P<user>[^@)]*)@?(?P<host>[^)]*)\) #(?P<number>[0-9]+)(?P<rest>.*)", re.DOTALL
)


def is_kernel(beginning: bytes) -> bool:
    return beginning[0x202:0x206] == b"HdrS"


def compare_kernels(examination: Examination, pair: Pair) -> Difference | None:
    """Raises TeekitError for damaged headers."""
    one, other = parse_bzimage(pair.a), parse_bzimage(pair.b)
    children = [*_banner(examination, pair, one, other), *_payload(examination, pair, one, other)]
    if not children:
        return None
    return Difference(pair.name, Kind.CONTENT, "Linux kernel", children=tuple(children))


def _banner(examination: Examination, pair: Pair, one: BzImage, other: BzImage) -> Iterator[Difference]:
    if one.banner == other.banner:
        return
    causes: tuple[Cause, ...] = ()
    parts = [_BANNER.fullmatch(image.banner) for image in (one, other)]
    if parts[0] and parts[1]:
        left, right = parts[0].groupdict(), parts[1].groupdict()
        sightings = [
            Sighting(pair.path, a=f"{before[0]}{left[name]}{before[1]}", b=f"{before[0]}{right[name]}{before[1]}")
            for name, before in (("user", ("", "@-")), ("host", ("-@", "")), ("rest", ("", "")))
            if left[name] != right[name]
        ]
        first = (KERNEL_VERSION,) if left["release"] != right["release"] else ()
        number = (_NUMBER,) if left["number"] != right["number"] else ()
        causes = (*first, *causes_of(sightings, examination.conditions), *number)
    yield Difference("kernel banner", Kind.CONTENT, "the kernels call themselves", one.banner, other.banner, causes)


def _payload(examination: Examination, pair: Pair, one: BzImage, other: BzImage) -> Iterator[Difference]:
    left = pair.a.part(one.payload.start, one.payload.size_bytes)
    right = pair.b.part(other.payload.start, other.payload.size_bytes)
    if first_difference(left, right) is None:
        return
    contents = [_unpacked(examination, blob) for blob in (left, right)]
    if first_difference(*contents) is None:
        yield recompressed(pair, "kernel payload")
    else:
        yield examination.compare(pair.inner("kernel payload (vmlinux)", *contents))


def _unpacked(examination: Examination, payload: Blob) -> Blob:
    """Linux scripts/Makefile.lib, size_append: all but gzip are followed by the unpacked size, 4 bytes little-endian."""
    try:
        content = unpacked(examination, payload, "kernel payload")
    except MalformedInputError:
        before = payload.part(0, payload.size_bytes - _SIZE_BYTES)
        content = unpacked(examination, before, "kernel payload")
        said = int.from_bytes(payload.read(before.size_bytes, _SIZE_BYTES), "little")
        if said != content.size_bytes:
            raise
    return content

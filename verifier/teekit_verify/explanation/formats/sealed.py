"""What cannot be looked into because it is digests, or encrypted: dm-verity trees and LUKS volumes, by their headers.

Sources: cryptsetup lib/verity/verity.c (struct verity_sb) and its wiki, "DMVerity"; LUKS1 On-Disk Format Specification
1.2.3, 2.1; LUKS2 On-Disk Format Specification 1.1.2, 2.1.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.fields import Field, field_of
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

VERITY_MAGIC, _VERITY_BYTES = b"verity\0\0", 512
LUKS_MAGIC = b"LUKS\xba\xbe"
_MAX_SALT_BYTES = 256
_LUKS1, _LUKS1_BYTES, _LUKS2_BYTES, _LUKS2_FIELDS = 1, 592, 4096, 512
_MAX_LUKS_HEADER_BYTES = 4 << 20


def is_verity(beginning: bytes) -> bool:
    return beginning.startswith(VERITY_MAGIC)


def is_luks(beginning: bytes) -> bool:
    return beginning.startswith(LUKS_MAGIC)


def compare_verities(examination: Examination, pair: Pair) -> Difference | None:
    """The tree is a function of salt, parameters and the data partition: it is not looked into."""
    del examination
    children = list(_changed(pair, *map(_verity, (pair.a, pair.b))))
    rests = [blob.part(_VERITY_BYTES, blob.size_bytes) for blob in (pair.a, pair.b)]
    if first_difference(*rests) is not None:
        reason = " and from what differs in the superblock" if children else ", which differs"
        causes = causes_of([Sighting(pair.path, where=Field.VERITY_TREE)])
        what = f"follows from the data partition{reason}"
        children.append(Difference("hash tree", Kind.CONTENT, what, *pair.sizes, causes=causes))
    return _whole(pair, "dm-verity hash tree", children)


def _verity(blob: Blob) -> dict[str, str]:
    raw = blob.read(0, _VERITY_BYTES).ljust(_VERITY_BYTES, b"\0")
    version, kind = struct.unpack_from("<II", raw, 8)
    data_block, hash_block, blocks, salt_bytes = struct.unpack_from("<IIQH", raw, 64)
    return {
        Field.UUID: str(UUID(bytes=raw[16:32])),
        Field.SALT: raw[88 : 88 + min(salt_bytes, _MAX_SALT_BYTES)].hex(),
        "algorithm": _text(raw[32:64]),
        "size of the data": f"{blocks} blocks of {data_block} bytes",
        "format": f"version {version}, type {kind}, hash blocks of {hash_block} bytes",
        "rest of the superblock": (raw[82:88] + raw[88 + min(salt_bytes, _MAX_SALT_BYTES) :]).hex().rstrip("0"),
    }


def compare_lukses(examination: Examination, pair: Pair) -> Difference | None:
    del examination
    one, other = (_luks(blob) for blob in (pair.a, pair.b))
    children = list(_changed(pair, one, other))
    starts = [_luks_end(blob) for blob in (pair.a, pair.b)]
    headers = [blob.part(0, start) for blob, start in zip((pair.a, pair.b), starts, strict=True)]
    data = [blob.part(start, blob.size_bytes) for blob, start in zip((pair.a, pair.b), starts, strict=True)]
    slots = "keys, wrapped by a passphrase and a random salt, and what the header says of them"
    sealed = "not compared: it is encrypted, so that equal files need not have equal bytes"
    for name, kind, what, parts in (
        ("key slots", Kind.CONTENT, slots, headers),
        ("encrypted data", Kind.NOT_COMPARED, sealed, data),
    ):
        if first_difference(*parts) is not None:
            causes = causes_of([Sighting(pair.path, where=Field.LUKS)])
            children.append(Difference(name, kind, what, causes=causes))
    return _whole(pair, "LUKS volume", children)


def _luks(blob: Blob) -> dict[str, str]:
    raw = blob.read(0, _LUKS1_BYTES).ljust(_LUKS1_BYTES, b"\0")
    version = int.from_bytes(raw[6:8], "big")
    facts = {"version": str(version), Field.UUID: _text(raw[168:208])}
    if version == _LUKS1:
        facts["cipher"] = f"{_text(raw[8:40])}-{_text(raw[40:72])}, {_text(raw[72:104])}"
        facts[Field.VOLUME_SALT] = raw[132:164].hex()
        facts["rounds"] = str(int.from_bytes(raw[164:168], "big"))
    else:
        facts["label"] = _text(raw[24:72])
        facts["sequence number"] = str(int.from_bytes(raw[16:24], "big"))
        facts[Field.HEADER_SALT] = raw[104:168].hex()
        facts["subsystem"] = _text(raw[208:256])
    return facts


def _luks_end(blob: Blob) -> int:
    """Where encrypted data may begin: LUKS1 says it, in LUKS2 both headers come first."""
    raw = blob.read(0, 112).ljust(112, b"\0")
    if int.from_bytes(raw[6:8], "big") == _LUKS1:
        return min(int.from_bytes(raw[104:108], "big") * 512, blob.size_bytes)
    return min(2 * int.from_bytes(raw[8:16], "big"), _MAX_LUKS_HEADER_BYTES, blob.size_bytes)


def _changed(pair: Pair, one: dict[str, str], other: dict[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys([*one, *other]):
        a, b = one.get(name, ""), other.get(name, "")
        if a != b:
            yield Difference(
                str(name),
                Kind.METADATA,
                "differs",
                a,
                b,
                causes_of([Sighting(pair.path, where=field_of(name), a=a, b=b)]),
            )


def _whole(pair: Pair, what: str, children: list[Difference]) -> Difference | None:
    return Difference(pair.name, Kind.CONTENT, what, *pair.sizes, children=tuple(children)) if children else None


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")

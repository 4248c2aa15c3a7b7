"""Digests that know their algorithm, so that SHA-256 and SHA-384 values are never compared with each other."""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING, BinaryIO, Protocol

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CHUNK_BYTES = 1 << 20


class Algorithm(Enum):
    """Digest algorithms of TCG event logs. The value is hashlib's name."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"
    SM3 = "sm3"

    @property
    def size_bytes(self) -> int:
        """The length of a digest: 20, 32, 48 or 64."""
        return _SIZES[self]

    @property
    def tcg_id(self) -> int:
        """TPM_ALG_ID (TCG Algorithm Registry, table 3)."""
        return _TCG_IDS[self]


_SIZES = {Algorithm.SHA1: 20, Algorithm.SHA256: 32, Algorithm.SHA384: 48, Algorithm.SHA512: 64, Algorithm.SM3: 32}
_TCG_IDS = {
    Algorithm.SHA1: 0x4,
    Algorithm.SHA256: 0xB,
    Algorithm.SHA384: 0xC,
    Algorithm.SHA512: 0xD,
    Algorithm.SM3: 0x12,
}


class _State(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


class _Sm3:
    """SM3 by the cryptography library: hashlib has it only where its OpenSSL was built with it."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives import hashes

        self._hash = hashes.Hash(hashes.SM3())

    def update(self, data: bytes | memoryview, /) -> None:
        self._hash.update(bytes(data))

    def digest(self) -> bytes:
        return self._hash.copy().finalize()


def _state(algorithm: Algorithm) -> _State:
    return _Sm3() if algorithm is Algorithm.SM3 else hashlib.new(algorithm.value, usedforsecurity=False)


@frozen
class Digest:
    """A digest of `algorithm.size_bytes` bytes."""

    algorithm: Algorithm
    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != self.algorithm.size_bytes:
            raise TeekitError(
                f"a {self.algorithm.value} digest has {self.algorithm.size_bytes} bytes, found {len(self.value)}"
            )

    @classmethod
    def of(cls, algorithm: Algorithm, data: bytes | memoryview) -> Digest:
        """The digest of bytes in memory."""
        return cls.of_parts(algorithm, (data,))

    @classmethod
    def of_parts(cls, algorithm: Algorithm, parts: Iterable[bytes | memoryview]) -> Digest:
        """The digest of the parts' concatenation, without joining them."""
        state = _state(algorithm)
        for part in parts:
            state.update(part)
        return cls(algorithm, state.digest())

    @classmethod
    def from_hex(cls, algorithm: Algorithm, text: str) -> Digest:
        """Raises TeekitError for what is not hexadecimal, or has another length than the algorithm's digests."""
        try:
            return cls(algorithm, bytes.fromhex(text))
        except ValueError as error:
            raise TeekitError(f"not a hexadecimal {algorithm.value} digest: {text[:140]!r}") from error

    @classmethod
    def zero(cls, algorithm: Algorithm) -> Digest:
        """What a measurement register holds after reset."""
        return cls(algorithm, bytes(algorithm.size_bytes))

    @property
    def hex(self) -> str:
        return self.value.hex()

    def __str__(self) -> str:
        return f"{self.algorithm.value}:{self.hex}"


def digest_stream(algorithm: Algorithm, stream: BinaryIO) -> Digest:
    """The digest of what is left in `stream`, read in pieces of 1 MiB."""
    state = _state(algorithm)
    while chunk := stream.read(_CHUNK_BYTES):
        state.update(chunk)
    return Digest(algorithm, state.digest())


def digest_file(path: Path, algorithm: Algorithm = Algorithm.SHA256) -> Digest:
    """The digest of a file of any size. Raises OSError: a file that somebody else named is opened with `core.files`."""
    with path.open("rb") as stream:
        return digest_stream(algorithm, stream)

"""Sigsum proofs, format version 2 (sigsum-go, doc/sigsum-proof.md): that a message is in a log, and which witnesses saw the log's tree.

The format is that of Sigsum's own tools: ASCII lines `key=value` in a fixed order, an empty line between the parts, hexadecimal digits in
either case, decimal numbers below 2**63 without leading zeros.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from teekit_verify.core.errors import MalformedInputError, TeekitError, printable

MAX_PROOF_BYTES = 1 << 16
_VERSION = "2"
_MAX_COSIGNATURES = 256
_MAX_PATH = 63
"""Trees have fewer than 2**63 leaves."""
_HASH_BYTES, _SIGNATURE_BYTES = 32, 64
_NUMBER = re.compile("0|[1-9][0-9]{0,18}")
_HEXADECIMAL = re.compile("([0-9a-fA-F]{2})*")


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness (by the SHA-256 of its key) says that it saw the tree head; `timestamp` in seconds since 1970."""

    key_hash: bytes
    timestamp: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class LogProof:
    """`log` and `submitter` are SHA-256s of public keys. `size` is at least 1; for 1 the index is 0, and `path` empty."""

    log: bytes
    submitter: bytes
    leaf_signature: bytes
    size: int
    root_hash: bytes
    tree_head_signature: bytes
    cosignatures: tuple[Cosignature, ...]
    index: int
    path: tuple[bytes, ...]


def parse_proof(data: bytes, what: str) -> LogProof:
    """`what` names the file in errors. Nothing in it is checked yet. Raises TeekitError, with the line's key and offset."""
    if len(data) > MAX_PROOF_BYTES:
        raise TeekitError(
            f"{what}: is too large for a Sigsum proof: expected up to {MAX_PROOF_BYTES} bytes",
            hint="Name what sigsum-submit wrote.",
        )
    lines = _Lines(data, what)
    version = lines.value("version")
    if version != _VERSION:
        raise lines.malformed(f"expected {_VERSION}, found {printable(version[:80])!r}")
    log = lines.digest("log")
    submitter, signature = lines.items("leaf", 2)
    leaf = lines.digits(submitter, _HASH_BYTES), lines.digits(signature, _SIGNATURE_BYTES)
    lines.empty()
    size = lines.number("size")
    if size < 1:
        raise lines.malformed("expected at least 1, found 0: an empty tree holds nothing")
    root_hash = lines.digest("root_hash")
    head = lines.digits(lines.value("signature"), _SIGNATURE_BYTES)
    cosignatures = _cosignatures(lines)
    index, path = _inclusion(lines) if size > 1 else (0, ())
    lines.end()
    return LogProof(log, *leaf, size, root_hash, head, cosignatures, index, path)


def _cosignatures(lines: _Lines) -> tuple[Cosignature, ...]:
    found: dict[bytes, Cosignature] = {}
    while lines.next_is("cosignature"):
        witness, time, signature = lines.items("cosignature", 3)
        key_hash = lines.digits(witness, _HASH_BYTES)
        if key_hash in found:
            raise lines.malformed("a second one by the same witness")
        if len(found) == _MAX_COSIGNATURES:
            raise lines.malformed(f"expected at most {_MAX_COSIGNATURES}")
        found[key_hash] = Cosignature(key_hash, lines.decimal(time), lines.digits(signature, _SIGNATURE_BYTES))
    return tuple(found.values())


def _inclusion(lines: _Lines) -> tuple[int, tuple[bytes, ...]]:
    lines.empty()
    index = lines.number("leaf_index")
    path = [lines.digest("node_hash")]
    while lines.next_is("node_hash"):
        if len(path) == _MAX_PATH:
            raise lines.malformed(f"expected at most {_MAX_PATH}")
        path.append(lines.digest("node_hash"))
    return index, tuple(path)


class _Lines:
    """The lines one by one. Each ends with a newline, the last one too: a proof that was cut off is none."""

    def __init__(self, data: bytes, what: str) -> None:
        self.what, self.field, self.offset = what, "line", 0
        if not data.isascii():
            self.offset = next(place for place, byte in enumerate(data) if byte > 127)  # noqa: PLR2004
            raise self.malformed("is not ASCII")
        *self.lines, rest = data.decode("ascii").split("\n")
        self.at, self.next_offset = 0, 0
        if rest or not self.lines:
            self.offset = len(data) - len(rest)
            raise self.malformed("expected a newline at the end, found none: was it cut off?")

    def malformed(self, problem: str) -> MalformedInputError:
        return MalformedInputError(
            self.what, field=self.field, offset=self.offset, problem=problem, hint="Fetch the proof again."
        )

    def next_is(self, key: str) -> bool:
        return self.at < len(self.lines) and self.lines[self.at].startswith(f"{key}=")

    def _line(self, field: str) -> str:
        self.field, self.offset = field, self.next_offset
        if self.at == len(self.lines):
            raise self.malformed("expected a line, found the end")
        line = self.lines[self.at]
        self.at += 1
        self.next_offset += len(line) + 1
        return line

    def empty(self) -> None:
        if line := self._line("separator"):
            raise self.malformed(f"expected an empty line, found {printable(line[:80])!r}")

    def end(self) -> None:
        if self.at < len(self.lines):
            line = self._line("end")
            raise self.malformed(f"expected nothing more, found {printable(line[:80])!r}")

    def value(self, key: str) -> str:
        line = self._line(key)
        found, separator, value = line.partition("=")
        if not separator or found != key:
            raise self.malformed(f"expected {key}=, found {printable(line[:80])!r}")
        return value

    def items(self, key: str, count: int) -> list[str]:
        items = self.value(key).split(" ")
        if len(items) != count:
            raise self.malformed(f"expected {count} items with one space in between, found {len(items)}")
        return items

    def digest(self, key: str) -> bytes:
        return self.digits(self.value(key), _HASH_BYTES)

    def number(self, key: str) -> int:
        return self.decimal(self.value(key))

    def digits(self, text: str, size_bytes: int) -> bytes:
        if len(text) != 2 * size_bytes or not _HEXADECIMAL.fullmatch(text):
            raise self.malformed(f"expected {2 * size_bytes} hexadecimal digits, found {printable(text[:80])!r}")
        return bytes.fromhex(text)

    def decimal(self, text: str) -> int:
        if not _NUMBER.fullmatch(text) or int(text) >= 1 << 63:
            raise self.malformed(f"expected a number below 2**63, found {printable(text[:80])!r}")
        return int(text)

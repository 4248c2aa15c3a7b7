"""Policy files of Sigsum (sigsum-go, doc/policy.md): which logs are known, and which witnesses must have seen a tree head.

A policy is pinned like a key: whoever writes it decides what counts as logged. Names are octets to the format, so they are compared
octet by octet; only ASCII space and tab separate the items of a line, and a comment has its line to itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from teekit_verify.core.errors import MalformedInputError, TeekitError, printable
from teekit_verify.core.files import read_bounded

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

MAX_POLICY_BYTES = 1 << 16
_MAX_LINES = 1000
_MAX_OF_A_KIND = 256
"""The format asks for 32 logs, witnesses and groups at least."""
_KEY = re.compile(rb"[0-9a-fA-F]{64}")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_THRESHOLD = re.compile(rb"[1-9][0-9]{0,3}")
_NONE = b"none"


@dataclass(frozen=True, slots=True)
class Group:
    """Has witnessed what `threshold` or more of its members have; members are witnesses, or groups defined before it."""

    name: bytes
    threshold: int
    members: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """`logs`: public keys (Ed25519, 32 bytes) by their SHA-256. `witnesses`: name and public key by its SHA-256.

    `groups` are in the order of their definitions. `quorum` is the name of a witness or group, or `none`.
    """

    logs: Mapping[bytes, bytes]
    witnesses: Mapping[bytes, tuple[bytes, bytes]]
    groups: tuple[Group, ...]
    quorum: bytes

    def met(self, cosigned: Collection[bytes]) -> bool:
        """Whether the witnesses with these key hashes are enough."""
        seen = {name: key_hash in cosigned for key_hash, (name, _) in self.witnesses.items()} | {_NONE: True}
        for group in self.groups:
            seen[group.name] = sum(seen[member] for member in group.members) >= group.threshold
        return seen[self.quorum]


def load_policy(path: Path) -> LogPolicy:
    """Raises TeekitError, as `parse_policy` does and for a file that cannot be read."""
    return parse_policy(read_bounded(path, MAX_POLICY_BYTES, "a log policy"), str(path))


def parse_policy(data: bytes, what: str) -> LogPolicy:
    """`what` names the file in errors. Raises TeekitError, for too much, or for a line (with its offset) that is not what it should be."""
    if len(data) > MAX_POLICY_BYTES or data.count(b"\n") >= _MAX_LINES:
        raise TeekitError(
            f"{what}: is too large for a log policy: expected up to {MAX_POLICY_BYTES} bytes and {_MAX_LINES} lines",
            hint="Name a policy file of Sigsum's.",
        )
    reading = _Policy(what)
    offset = 0
    for line in data.split(b"\n"):
        reading.line(line, offset)
        offset += len(line) + 1
    return reading.finished(len(data))


class _Policy:
    """What the lines read so far have defined. A name can be used as a member once: a witness contributes in one way only."""

    def __init__(self, what: str) -> None:
        self.what, self.offset, self.keyword = what, 0, ""
        self.logs: dict[bytes, bytes] = {}
        self.witnesses: dict[bytes, tuple[bytes, bytes]] = {}
        self.groups: list[Group] = []
        self.names: set[bytes] = {_NONE}
        self.used: set[bytes] = {_NONE}
        self.quorum: bytes | None = None

    def line(self, line: bytes, offset: int) -> None:
        self.offset, self.keyword = offset, "line"
        if found := _CONTROL.search(line):
            raise self.malformed(f"has the control character {found[0][0]:#04x}")
        keyword, *items = re.split(rb"[ \t]+", line.strip(b" \t"))
        if not keyword or keyword.startswith(b"#"):
            return
        readers = {b"log": self._log, b"witness": self._witness, b"group": self._group, b"quorum": self._quorum}
        if keyword not in readers:
            raise self.malformed(f"expected log, witness, group or quorum, found {_text(keyword)!r}")
        self.keyword = keyword.decode()
        readers[keyword](items)

    def finished(self, size_bytes: int) -> LogPolicy:
        if self.quorum is None:
            self.offset, self.keyword = size_bytes, "quorum"
            raise self.malformed("expected one line, found none")
        return LogPolicy(self.logs, self.witnesses, tuple(self.groups), self.quorum)

    def malformed(self, problem: str) -> MalformedInputError:
        hint = "Correct the policy; its format is Sigsum's."
        return MalformedInputError(self.what, field=self.keyword, offset=self.offset, problem=problem, hint=hint)

    def _log(self, items: list[bytes]) -> None:
        self._require_items(items, 1, 2, "a public key and perhaps an address")
        key = self._key(items[0])
        key_hash = sha256(key).digest()
        self._require_new(key_hash not in self.logs, items[0], len(self.logs))
        self.logs[key_hash] = key

    def _witness(self, items: list[bytes]) -> None:
        self._require_items(items, 2, 3, "a name, a public key and perhaps an address")
        name, key = items[0], self._key(items[1])
        key_hash = sha256(key).digest()
        self._require_new(key_hash not in self.witnesses, items[1], len(self.witnesses))
        self._define(name)
        self.witnesses[key_hash] = name, key

    def _group(self, items: list[bytes]) -> None:
        self._require_items(items, 3, _MAX_OF_A_KIND, "a name, a threshold and members")
        name, wanted, *members = items
        words = {b"any": 1, b"all": len(members)}
        threshold = words.get(wanted, int(wanted) if _THRESHOLD.fullmatch(wanted) else 0)
        if not 1 <= threshold <= len(members):
            raise self.malformed(f"threshold: expected any, all or 1 to {len(members)}, found {_text(wanted)!r}")
        self._require_new(name not in self.names, name, len(self.groups))
        for member in members:
            self._use(member)
        self._define(name)
        self.groups.append(Group(name, threshold, tuple(members)))

    def _quorum(self, items: list[bytes]) -> None:
        self._require_items(items, 1, 1, "the name of a witness or a group")
        if self.quorum is not None:
            raise self.malformed("expected one line, found another")
        if items[0] not in self.names:
            raise self.malformed(f"{_text(items[0])!r} is not defined above")
        self.quorum = items[0]

    def _require_items(self, items: list[bytes], fewest: int, most: int, wanted: str) -> None:
        if not fewest <= len(items) <= most:
            raise self.malformed(f"expected {wanted}, found {len(items)} items")

    def _key(self, text: bytes) -> bytes:
        if not _KEY.fullmatch(text):
            raise self.malformed(f"expected a public key of 64 hexadecimal digits, found {_text(text)!r}")
        return bytes.fromhex(text.decode())

    def _define(self, name: bytes) -> None:
        self._require_new(name not in self.names, name, 0)
        self.names.add(name)

    def _require_new(self, new: bool, item: bytes, count: int) -> None:  # noqa: FBT001
        if not new:
            raise self.malformed(f"{_text(item)!r} occurs twice")
        if count >= _MAX_OF_A_KIND:
            raise self.malformed(f"expected at most {_MAX_OF_A_KIND} of them")

    def _use(self, member: bytes) -> None:
        if member not in self.names:
            raise self.malformed(f"{_text(member)!r} is not defined above")
        if member in self.used:
            raise self.malformed(f"{_text(member)!r} cannot be a member, or not once more")
        self.used.add(member)


def _text(name: bytes) -> str:
    return name_text(name[:80])


def name_text(name: bytes) -> str:
    """A name as it can be shown."""
    return printable(name.decode("utf-8", "backslashreplace"))

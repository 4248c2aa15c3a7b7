"""The choice of sections against a port of systemd's pe.c, over made-up section tables:

    python tests/fuzz/stub_oracle.py --count 100000 [--seed N]

Every UKI is judged for every kind of stub. Ours may refuse what the port would measure; it may not say anything else.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
from dataclasses import dataclass, replace
from pathlib import Path

if __name__ == "__main__":
    _TESTS = Path(__file__).parents[1]
    sys.path[:0] = [str(_TESTS), str(_TESTS.parent / "verifier")]
    sys.path.remove(str(_TESTS / "fuzz"))

from builders.pe import MEMORY_ALIGNMENT, Row, build_pe, section_table_offset
from builders.systemd_pe import StubFailsError, measured_by
from builders.uki import kernel, magic
from teekit_verify.artifacts.pe import PeSection
from teekit_verify.artifacts.pe_relocations import relocated
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.core.errors import TeekitError
from teekit_verify.prediction.stub import StubView, stub_view
from teekit_verify.prediction.stub_releases import BEHAVIOURS
from teekit_verify.prediction.stub_sections import in_memory

_NAMES = (
    *(".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrsig", ".pcrpkey"),
    *(".profile", ".profile", ".profile", ".cmdline", ".linux", ".hwids"),
)
_ODD_NAMES = (".linux2", ".cmdlin", ".cmdline", ".CMDLINE", ".initrd1", ".dtbauto", ".profil", ".uname\0x", "linux", "")
_KERNEL = kernel()


@dataclass
class Counts:
    """`agreed` and `refused` are judgements, one for each stub that a UKI was judged for; so is `both_fail`."""

    agreed: int = 0
    refused: int = 0
    both_fail: int = 0


class DifferenceError(Exception):
    """Ours says something else than the port; the message has what is needed to make the UKI again."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.SystemRandom().getrandbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}")  # noqa: T201
    counts = run(seed, arguments.count)
    print(f"{arguments.count} UKIs, no difference: {counts}")  # noqa: T201
    return 0


def run(seed: int, count: int) -> Counts:
    """Raises DifferenceError at the first difference."""
    chance, counts = random.Random(seed), Counts()  # noqa: S311 - test data
    for number in range(count):
        major = chance.choice(tuple(BEHAVIOURS))
        data = make_uki(chance, major)
        judge(data, major, chance.choice((0, 0, 0, 1, 2)) if major > 256 else 0, counts, f"seed {seed}, UKI {number}")
    return counts


def judge(data: bytes, major: int, profile: int, counts: Counts, where: str) -> None:
    try:
        expected = measured_by(major, BEHAVIOURS[major].sections, data, profile)
    except StubFailsError:
        expected = {}
    try:
        view = stub_view(parse_uki(data), profile)
        found = {section.name: _measured(view, section) for section in view.chosen} if view.linux else {}
    except TeekitError:
        counts.refused += bool(expected)
        counts.both_fail += not expected
        return
    if found != expected:
        raise DifferenceError(
            f"{where}, stub {major}, profile {profile}: ours {sorted(found)}, port {sorted(expected)}"
        )
    counts.agreed += 1


def make_uki(chance: random.Random, major: int) -> bytes:
    """Rows with names that repeat, begin alike or are empty, of any sizes; now and then placed over one another."""
    rows = [Row(".text", b"stub"), Row(".sdmagic", magic(str(major)))]
    rows += [_row(chance) for _ in range(chance.choice((0, 2, 5, 9, 14)))]
    if chance.random() < 0.9:
        rows.insert(chance.randrange(2, len(rows) + 1), Row(".linux", _KERNEL))
    if chance.random() < 0.02:
        rows += [Row(".more", b"")] * chance.choice((80, 100))
    if chance.random() < 0.1:
        place = chance.randrange(len(rows))
        rows[place] = replace(rows[place], at=chance.choice((0, 0x200, 0x1000, 0x2000, 0x2010, 0x3000)))
    if chance.random() < 0.1:
        rows = _with_magic_over_sbat(chance, rows)
    data = bytearray(build_pe(rows))
    for number, row in enumerate(rows):
        if row.name.startswith(".") and chance.random() < 0.05 and number > 1:
            _spoil(chance, data, section_table_offset() + 40 * number)
    return bytes(data)


def _measured(view: StubView, section: PeSection) -> bytes:
    return b"".join(bytes(view.uki.data[span.start : span.stop]) for span in in_memory(section, view.uki))


def _with_magic_over_sbat(chance: random.Random, rows: list[Row]) -> list[Row]:
    """As ukify of Red Hat's 252 leaves them; now and then the other way round."""
    kept = [row for row in rows if row.name not in {".sbat", ".sdmagic"}]
    version = next(row for row in rows if row.name == ".sdmagic")
    sbat = Row(".sbat", chance.randbytes(100), at=0x400000)
    pair = [sbat, replace(version, at=0x400000 + chance.choice((0, 1, 50, 96, 99, 100, 200)))]
    return [*kept[:1], *(pair if chance.random() < 0.8 else pair[::-1]), *kept[1:], Row(".end", b"e", at=0x500000)]


def _row(chance: random.Random) -> Row:
    name = chance.choice(_NAMES if chance.random() < 0.85 else _ODD_NAMES)
    content = chance.randbytes(chance.choice((0, 0, 1, 7, 30, 600)))
    if name.startswith(".linux") and chance.random() < 0.5:
        content = _KERNEL
    size = None if chance.random() < 0.8 else chance.choice((0, 0, max(0, len(content) - 1), len(content) + 1))
    return Row(name, content, virtual_size=size)


def _spoil(chance: random.Random, data: bytearray, row: int) -> None:
    """Another size, address or place in the file, which may reach anywhere."""
    field = chance.choice((8, 12, 16, 20))
    old = struct.unpack_from("<I", data, row + field)[0]
    new = chance.choice((0, old ^ 0x200, max(0, old - 1), old + 1, MEMORY_ALIGNMENT, 512))
    struct.pack_into("<I", data, row + field, new)


def no_relocations(data: bytes) -> bool:
    """The port applies none, so the made-up UKIs have none."""
    uki = parse_uki(data)
    return not list(relocated(uki.data, uki.image))


if __name__ == "__main__":
    sys.exit(main())

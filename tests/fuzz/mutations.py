"""Changed copies of seeds, for where no coverage guides the search. The same random source gives the same inputs."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

_INTEGER_SIZES = (1, 2, 4, 8)
_MAX_CHANGES = 6

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1 << 31, 1 << 63, 1 << 64, 10**400, 0.5, 1e308, float("inf"), float("nan")),
    *("", "0", "0x", "-", "zz", "\0", "\x1b[2J", "\ud800", "\uffff" * 100, "a" * 5000, "/../..", "é"),
    *([], {}, [[]], {"": None}, [0] * 100),
)
"""Values that a field's reader may not have thought of."""

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, with one to six changes; JSON is every other time changed as values."""
    seed = chance.choice(seeds)
    if _is_json(seed) and chance.random() < 0.5:
        return _changed_json(chance, seed)
    data = bytearray(seed)
    for _ in range(chance.randint(1, _MAX_CHANGES)):
        chance.choice(MUTATIONS)(chance, data, seeds)
    return bytes(data)


def _is_json(data: bytes) -> bool:
    if not data.startswith((b"{", b"[")):
        return False
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _changed_json(chance: random.Random, seed: bytes) -> bytes:
    """Other values in one or two places, some of which no field has; also in JSON that is a text in JSON."""
    document = {"": json.loads(seed)}
    for _ in range(chance.randint(1, 2)):
        _change_value(chance, document)
    return json.dumps(document[""]).encode()


def _change_value(chance: random.Random, parent: Any) -> None:
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        key = chance.choice(keys)
        value = parent[key]
        if isinstance(value, str) and _is_json(value.encode("utf-8", "replace")) and chance.random() < 0.9:
            parent[key] = _changed_json(chance, value.encode()).decode()
            return
        if not (isinstance(value, dict | list) and value) or chance.random() < 0.1:
            break
        parent = value
    if key == "" or chance.random() < 0.8:
        parent[key] = copy.deepcopy(chance.choice((*ODD_VALUES, value, [value], {"a": value}, f"{value}0"[:1000])))
    else:
        del parent[key]


def _place(chance: random.Random, data: bytearray) -> int:
    """An offset; every other time one near a byte that is not zero, for disks are mostly zeros. Headers come first."""
    if not data:
        return 0
    if chance.random() < 0.3:
        return chance.randrange(min(len(data), 1024))
    place = chance.randrange(len(data))
    if chance.random() < 0.7:
        for _ in range(64):
            if data[place]:
                break
            place = chance.randrange(len(data))
    return place


def _flip(chance: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if data:
        data[_place(chance, data)] ^= 1 << chance.randrange(8)


def _cut(chance: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    if chance.random() < 0.3:
        del data[_place(chance, data) :]
    else:
        _flip(chance, data, _seeds)


def _integer(chance: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    """A field of 1, 2, 4 or 8 bytes: zero, its greatest value, about half of it, or something small, in either order."""
    size = chance.choice(_INTEGER_SIZES)
    place = _place(chance, data) // size * size
    top = (1 << 8 * size) - 1
    value = chance.choice((0, 1, top, top - 1, top >> 1, (top >> 1) + 1, chance.randrange(min(top, 4096) + 1)))
    if place + size <= len(data):
        data[place : place + size] = value.to_bytes(size, chance.choice(("little", "big")))


def _splice(chance: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """Some bytes of another seed, over what was there or between it."""
    other = chance.choice(seeds)
    start = chance.randrange(len(other) + 1)
    piece = other[start : start + chance.randint(1, 512)]
    place = _place(chance, data)
    replaced = len(piece) if chance.random() < 0.7 else 0
    data[place : place + replaced] = piece


def _repeat(chance: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    place = _place(chance, data)
    piece = bytes(data[place : place + chance.randint(1, 128)])
    data[place:place] = piece * chance.choice((1, 2, 8))


def _remove(chance: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    place = _place(chance, data)
    del data[place : place + chance.randint(1, 64)]


MUTATIONS: tuple[Mutation, ...] = (_flip, _flip, _integer, _integer, _integer, _cut, _splice, _repeat, _remove)

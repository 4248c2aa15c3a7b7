"""Every fuzz entry point with a few hundred mutated inputs, always the same: that the entry points work, and a first net."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from builders.work import TooMuchWorkError, bounded_calls
from fuzz import oracle
from fuzz.mutations import mutate
from fuzz.oracle import FindingError, bounded_memory, check
from fuzz.targets import TARGETS
from teekit_verify.core.errors import TeekitError

_INPUTS = 200
_MOST_CALLS = 3_000_000  # the promise of two seconds, counted: the machine may be busy
_HANG_SECONDS = 120


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_well_formed(name: str) -> None:
    for seed in TARGETS[name].seeds():
        assert check(TARGETS[name].run, seed, seconds=_HANG_SECONDS)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_inputs_are_taken_or_refused(name: str) -> None:
    target, chance = TARGETS[name], random.Random(7)  # noqa: S311 - test data
    seeds = target.seeds()
    with bounded_memory():
        for number in range(_INPUTS):
            data = mutate(chance, seeds)
            with bounded_calls(_MOST_CALLS):
                check(target.run, target.mend(data) if target.mend and number % 2 else data, seconds=_HANG_SECONDS)


def test_what_escapes_is_found() -> None:
    def entry(data: bytes) -> None:
        raise ValueError(data)

    with pytest.raises(ValueError, match="broken"):
        check(entry, b"broken")


def test_a_slow_entry_point_is_found() -> None:
    """Also where it swallows every exception."""

    def slow(_data: bytes) -> None:
        while True:
            with suppress(Exception):
                sum(range(1000))

    with pytest.raises(FindingError, match=r"took more than 0\.05 s of processor time"):
        check(slow, b"", seconds=0.05)
    with pytest.raises(TooMuchWorkError, match="more than 10000 calls"), bounded_calls(10_000):
        check(slow, b"", seconds=_HANG_SECONDS)


def test_a_written_file_is_found(tmp_path: Path) -> None:
    def entry(data: bytes) -> None:
        (tmp_path / "extracted").write_bytes(data)

    with pytest.raises(FindingError, match=r"touched the outside: .*open.*extracted"):
        check(entry, b"")


def test_too_much_memory_is_found() -> None:
    def entry(data: bytes) -> None:
        data.ljust(2 * oracle.MAX_BYTES)

    with bounded_memory(), pytest.raises(MemoryError):
        check(entry, b"")


@pytest.mark.parametrize(
    ("message", "problem"), [("a\x1b[31m", "with control characters"), ("x" * 10_001, "of 10001 characters")]
)
def test_a_message_that_is_not_fit_to_show_is_found(message: str, problem: str) -> None:
    def entry(_data: bytes) -> None:
        error = TeekitError("")
        error.message = message  # as no constructor leaves it
        raise error

    with pytest.raises(FindingError, match=f"a message {problem}"):
        check(entry, b"")

"""Every fuzz entry point with a few hundred mutated inputs, always the same: that the entry points work, and a first net."""

from __future__ import annotations

import random

import pytest

from fuzz.mutations import mutate
from fuzz.oracle import bounded_memory, check
from fuzz.targets import TARGETS

_INPUTS = 200


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_well_formed(name: str) -> None:
    for seed in TARGETS[name].seeds():
        assert check(TARGETS[name].run, seed)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_inputs_are_taken_or_refused(name: str) -> None:
    target, chance = TARGETS[name], random.Random(7)  # noqa: S311 - test data
    seeds = target.seeds()
    with bounded_memory():
        for number in range(_INPUTS):
            data = mutate(chance, seeds)
            check(target.run, target.mend(data) if target.mend and number % 2 else data)

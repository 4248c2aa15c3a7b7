"""A few hundred of tests/fuzz/stub_oracle.py's made-up UKIs, and that a wrong choice would be found."""

from __future__ import annotations

import random

import pytest

from fuzz.stub_oracle import DifferenceError, make_uki, no_relocations, run
from teekit_verify.prediction import stub_sections


def test_ours_is_what_systemds_code_chooses() -> None:
    seed = random.SystemRandom().getrandbits(32)
    print(f"python tests/fuzz/stub_oracle.py --seed {seed} --count 600")  # noqa: T201 - shown where the test fails
    counts = run(seed, 600)
    assert counts.agreed > 150
    assert counts.agreed > counts.refused


def test_the_made_up_ukis_have_no_relocations() -> None:
    assert no_relocations(make_uki(random.Random(3), 257))  # noqa: S311 - test data


def test_an_empty_section_that_counts_as_none_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    first = stub_sections._first
    monkeypatch.setattr(stub_sections, "_first", lambda rows, names: first([r for r in rows if r.virtual_size], names))
    with pytest.raises(DifferenceError, match="seed 1, UKI"):
        run(1, 2000)


def test_names_compared_whole_before_257_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_name(rows, names):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return {row.name: row for row in rows if row.name in names and row.virtual_size}

    monkeypatch.setattr("teekit_verify.prediction.stub.by_last_prefix", by_name)
    with pytest.raises(DifferenceError, match=r"stub 25[2-6], profile 0"):
        run(1, 2000)

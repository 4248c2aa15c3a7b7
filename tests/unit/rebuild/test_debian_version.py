"""Debian's order of versions, judged by dpkg itself."""

from __future__ import annotations

import subprocess
from itertools import pairwise, product

import pytest

from builders.tools import require
from teekit_verify.rebuild.debian_version import DebianVersion

VERSIONS = (
    *("0", "1.0", "0:1.0", "1.0-0", "01.0", "1.0-1", "1.0-1+b1", "1.0-1+deb13u1", "1.0-1~bpo13+1", "1.0-01"),
    *("1.0~", "1.0~~", "1.0~~a", "1.0~a", "1.0a", "1.0+", "1.0.", "1.0.1", "1.0-a", "1-1-1", "1-1.0-1", "a", "z", "Z"),
    *("1.9", "1.10", "1.10.0", "1:0.1", "2:0", "10:0", "09:0", "10000000000000000000000", "9999999999999999999999"),
    *("3.5.7-1~deb13u3", "3.5.9-1~deb13u1", "1:4.17.4-2+deb13u1", "2.41-12+deb13u5", "6.12.118+1"),
)


def test_as_dpkg_compares_them() -> None:
    dpkg, wrong = require("dpkg"), []
    for one, other in product(VERSIONS, VERSIONS):
        found = "lt" if DebianVersion(one) < DebianVersion(other) else "ge"
        if DebianVersion(one) == DebianVersion(other):
            found = "eq"
        if subprocess.run([dpkg, "--compare-versions", one, found, other], check=False).returncode:
            wrong.append(f"{one} {found} {other}")
    assert wrong == []


def test_the_order_that_the_policy_gives() -> None:
    """Debian Policy 5.6.12: "the following parts are in sorted order from earliest to latest: ~~, ~~a, ~, the empty part, a"."""
    for lower, higher in pairwise(f"1{part}" for part in ("~~", "~~a", "~", "", "a")):
        assert DebianVersion(lower) < DebianVersion(higher)


def test_epochs_come_first_and_numbers_are_numbers() -> None:
    assert DebianVersion("9.9") < DebianVersion("1:0.1")
    assert DebianVersion("1.9") < DebianVersion("1.10")
    assert DebianVersion("1" * 5000) < DebianVersion("2" * 5000)  # int() refuses more than 4300 digits


def test_equal_versions_may_be_written_in_several_ways() -> None:
    assert DebianVersion("0:1.0-0") == DebianVersion("1.0")
    with pytest.raises(TypeError, match="may be equal"):
        hash(DebianVersion("1.0"))

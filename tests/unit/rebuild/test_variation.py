"""What differs between build A and build B, by the names that reprotest uses (reprotest(1), VARIATIONS)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from teekit_verify.rebuild.variation import conditions

if TYPE_CHECKING:
    import pytest

# Those of reprotest's that we vary under the same name; "locales" and "timezone" are set through the environment.
REPROTEST = {"build_path", "domain_host", "environment", "home", "locales", "num_cpus", "timezone", "umask"}


def test_everything_differs_but_what_the_host_has_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for processors, same in (({0, 1, 5}, set[str]()), ({3}, {"num_cpus"})):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, found=processors: found)
        first, second = (varied.described() for varied in conditions())
        assert set(first) == set(second) == REPROTEST
        assert {name for name in first if first[name] == second[name]} == same


def test_only_the_processors_we_may_use_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 2})
    first, second = conditions()
    assert (first.num_cpus, second.num_cpus) == ((2, 7), (2,))


def test_variables_are_what_reaches_the_build() -> None:
    first, second = conditions()
    assert first.variables() == {
        "PATH": "/usr/sbin:/usr/bin",
        "HOME": "/home/first",
        "TZ": "GMT+12",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    assert set(second.variables()) - set(first.variables()) == {"SOURCE_DATE_EPOCH", "TEEKIT_VARIATION"}
    assert len({varied.umask for varied in (first, second)}) == 2

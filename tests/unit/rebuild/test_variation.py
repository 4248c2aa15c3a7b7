"""What differs between build A and build B, by the names that reprotest uses (reprotest(1), VARIATIONS)."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import variation
from teekit_verify.rebuild.variation import Conditions, Variations, conditions

if TYPE_CHECKING:
    from collections.abc import Iterable

# reprotest(1), VARIATIONS, of version 0.7.33.
REPROTEST = {
    *("aslr", "build_path", "domain_host", "environment", "exec_path", "fileordering", "home", "kernel", "locales"),
    *("num_cpus", "time", "timezone", "umask", "user_group"),
}
IMPOSSIBLE = {"time", "kernel", "download_cache"}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, with three processors."""
    become(monkeypatch, user=0, processors={1, 0, 5})


def become(monkeypatch: pytest.MonkeyPatch, *, user: int, processors: Iterable[int]) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(processors))
    monkeypatch.setattr(os, "geteuid", lambda: user)


def different(varied: Variations) -> set[str]:
    first, second = varied.first.described(), varied.second.described()
    assert list(first) == list(second) == [field.name for field in fields(Conditions)]
    return {name for name in first if first[name] != second[name]}


@pytest.mark.usefixtures("host")
def test_reprotests_names_are_varied_or_said_not_to_be() -> None:
    varied = conditions()
    assert different(varied) | varied.off.keys() == REPROTEST | {"download_cache"}
    assert not different(varied) & varied.off.keys()
    assert set(varied.off) == IMPOSSIBLE
    assert all(len(reason) > 20 for reason in varied.off.values())


@pytest.mark.parametrize(
    ("user", "processors", "name", "reason"),
    [
        (0, {3}, "num_cpus", "there is only one processor"),
        (1000, {0, 1}, "user_group", "only root may choose the ids that a build has on the host"),
    ],
)
def test_what_this_host_cannot_vary(
    monkeypatch: pytest.MonkeyPatch, user: int, processors: set[int], name: str, reason: str
) -> None:
    become(monkeypatch, user=user, processors=processors)
    varied = conditions()
    assert name not in different(varied)
    assert varied.off[name] == reason
    for asked in ("all", f"+{name}"):
        with pytest.raises(TeekitError) as caught:
            conditions(asked)
        assert caught.value.message == f"{name} cannot be varied: {reason}"
        assert caught.value.hint == f"Leave it out: --vary {asked},-{name}."
        assert different(conditions(f"{asked},-{name}"))


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("none", set[str]()),
        ("default", REPROTEST - IMPOSSIBLE),
        ("all", REPROTEST - IMPOSSIBLE),
        ("none,+umask,+aslr", {"umask", "aslr"}),
        ("-home,-locales", REPROTEST - IMPOSSIBLE - {"home", "locales"}),
        ("all,-home,+home,-time", REPROTEST - IMPOSSIBLE),
    ],
)
def test_vary(asked: str, expected: set[str]) -> None:
    varied = conditions(asked)
    assert different(varied) == expected
    assert {name for name, reason in varied.off.items() if reason == "not asked for"} == (
        REPROTEST - IMPOSSIBLE - expected
    )


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    "asked", ["", "some", "none,umask", "+", "+nonsense", "default,,+umask", "+umask,none", "\x1b[2J"]
)
def test_vary_asked_wrongly(asked: str) -> None:
    with pytest.raises(TeekitError) as caught:
        conditions(asked)
    assert caught.value.message.startswith("--vary does not know '")
    assert "\x1b" not in caught.value.message
    assert caught.value.hint is not None
    assert "build_path, domain_host, timezone" in caught.value.hint


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("name", sorted(IMPOSSIBLE))
def test_what_is_never_varied_says_why(name: str) -> None:
    with pytest.raises(TeekitError) as caught:
        conditions(f"+{name}")
    assert caught.value.message == f"{name} cannot be varied: {variation.NEVER[name]}"


@pytest.mark.usefixtures("host")
def test_only_the_processors_we_may_use_are_used() -> None:
    varied = conditions()
    assert (varied.first.num_cpus, varied.second.num_cpus) == ((0, 1, 5), (0,))


@pytest.mark.usefixtures("host")
def test_variables_are_what_reaches_the_build() -> None:
    varied = conditions()
    assert varied.first.variables() == {
        "PATH": "/usr/sbin:/usr/bin",
        "HOME": "/home/first",
        "TZ": "GMT+12",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    assert set(varied.second.variables()) - set(varied.first.variables()) == {"SOURCE_DATE_EPOCH", "TEEKIT_VARIATION"}


def test_a_run_repeats_its_conditions() -> None:
    assert conditions() == conditions()

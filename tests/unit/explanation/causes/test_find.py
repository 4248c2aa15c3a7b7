"""The table of culprits as a whole: `test_planted.py` and its neighbours have an example of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from teekit_verify.explanation.causes import clocks, identifiers, marks
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.known import BYTES, FIELDS, TEXTS
from teekit_verify.explanation.causes.known_files import FILES, KERNEL_VERSION
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats import kernel

TESTS = Path(__file__).parents[1]
DOCS = Path(__file__).parents[4] / "docs" / "explaining.md"
CAUSES = {row.cause for table in (FIELDS, FILES, TEXTS, BYTES) for row in table} | {KERNEL_VERSION, kernel._NUMBER}


def test_every_cause_is_documented_and_has_an_example() -> None:
    documented = DOCS.read_text(encoding="utf-8")
    examples = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    for cause in CAUSES:
        assert re.search(rf"[| ]{re.escape(cause.name)}[,| ]", documented), cause.name
        assert re.search(rf'"(?:[^"]*, )?{re.escape(cause.name)}[",]', examples), cause.name


def test_causes_are_told_as_what_is_usual() -> None:
    for cause in CAUSES:
        assert cause.advice.endswith("."), cause
        assert not cause.usually.endswith("."), cause


@pytest.mark.parametrize(
    ("recognise", "a", "b"),
    [
        (clocks.only_times_differ, "v 1.2.3", "v 1.2.4"),
        (clocks.only_times_differ, "at 05:10 by a", "at 05:11 by b"),
        (marks.paths_differ, "see /etc/x/a", "see README"),
        (marks.users_differ, "a@host", "a@other"),
        (marks.hosts_differ, "a@host", "b@host"),
        (marks.job_counts_differ, "make -j4 all", "make -j4 some"),
        (marks.job_counts_differ, "version 4", "version 5"),
        (marks.umasks_differ, "umask 022", "umask unset"),
        (marks.time_zones_differ, "in UTC", "in 2026"),
        (identifiers.random_ids_differ, "commit", "commix"),
        (marks.variables_differ, "name=1", "name=2"),
        (marks.variables_differ, "A=1", "B=1"),
        (marks.only_processes_differ, "[17] same", "[17] same"),
        (marks.paths_differ, "/usr/bin/foo", "/usr/sbin/foo"),
        (clocks.only_hours_differ, "at 05:10", "at 07:11"),
        (clocks.only_hours_differ, "2026-11-20 05:00:01", "2026-11-23 08:00:01"),
        (clocks.only_times_differ, "Linux build 6.7.13-generic", "Linux build 6.3.25-generic"),
        (clocks.only_times_differ, "IMAGE_VERSION=2.13.12", "IMAGE_VERSION=2.13.14"),
        (marks.home_paths_differ, "root:x:0:0:one:/root:/bin/sh", "root:x:0:0:two:/root:/bin/sh"),
        (marks.cpu_features_differ, "CFLAGS=-march=skylake -g", "CFLAGS=-march=znver3 -O2"),
        (
            identifiers.random_ids_differ,
            "/usr/lib/x86_64-linux-gnu/libfoo.so.1",
            "/usr/lib/x86_64-linux-gnu/libfoo.so.2",
        ),
    ],
)
def test_what_is_not_recognised(recognise: object, a: str, b: str) -> None:
    assert callable(recognise)
    assert not recognise(a, b)


@pytest.mark.parametrize(
    ("recognise", "a", "b"),
    [
        (marks.cpu_features_differ, "gcc -O2 -march=skylake-avx512 x.c", "gcc -O2 -march=znver3 x.c"),
        (marks.cpu_features_differ, "gcc -mtune=native", "gcc -mtune=x86-64-v3"),
        (clocks.only_times_differ, "am 23.11.26 gebaut", "am 24.11.26 gebaut"),
        (clocks.only_times_differ, "on 11/23/26", "on 11/24/26"),
        (clocks.only_hours_differ, "2026-11-30 23:00:01", "2026-12-01 01:00:01"),
        (marks.home_paths_differ, "PATH=/usr/bin:/home/one/bin", "PATH=/usr/bin:/home/two/bin"),
    ],
)
def test_what_is_recognised(recognise: object, a: str, b: str) -> None:
    assert callable(recognise)
    assert recognise(a, b)


def test_a_time_of_which_one_side_happens_to_be_printable() -> None:
    assert clocks.times_in_bytes_differ(b"\x74\xce\x0f\x69", b"\x28\x40\x68\x6a")  # 2025-11-06 and 2026-07-28


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (b"\x01\0\0\0", b"\x02\0\0\0"),  # the year 1970
        (b"aaaa", b"aaab"),  # text
        (b"\x11\x22\x33\x61", b"\x11\x22\x33\x41"),  # years apart
        (b"\x11\x22\x33", b"\x12\x22\x33"),  # too short
    ],
)
def test_bytes_that_are_no_times(a: bytes, b: bytes) -> None:
    assert not clocks.times_in_bytes_differ(a, b)


def test_at_most_three_causes_each_once() -> None:
    places = [("x", f"built by {user}@{host} at {time}") for user, host, time in (("a", "x", "05:10"),) * 3]
    sightings = [Sighting((place,), a=text, b=text.replace("a@", "b@")) for place, text in places]
    sightings += [Sighting(("x",), a=text, b=text.replace("@x", "@y")) for _, text in places]
    sightings += [Sighting(("x",), a="05:10", b="05:11"), Sighting(("x",), a="-j1", b="-j2")]
    assert [cause.name for cause in causes_of(sightings)] == ["user name", "host name", "time stamp"]


def test_a_path_with_a_leading_dot_or_slash() -> None:
    for path in ("./var/log/x", "/var/log/x", "var/log/x"):
        assert [cause.name for cause in causes_of([Sighting((path,))])] == ["log file"]


def test_only_what_is_looked_at_has_a_cause() -> None:
    """Texts are cut at 2000 characters: where they are equal up to there, nothing is known."""
    assert causes_of([Sighting(("etc/x",), a="x " * 2000 + "1", b="x " * 2000 + "2", is_text=True)]) == ()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("MaxSessions=4", "MaxSessions=8"),
        ("listen 8080;", "listen 9090;"),
        ("version = 1.2.3", "version = 1.2.4"),
        ("ExecStart=/usr/bin/foo --x", "ExecStart=/usr/sbin/foo --x"),
        ("include /etc/nginx/a.conf", "include /etc/nginx/b.conf"),
        ("root:x:0:0:root:/root:/bin/bash", "root:x:0:0:root:/var/empty:/bin/bash"),
        ("app:x:998:998::/:/sbin/nologin", "app:x:997:997::/:/sbin/nologin"),
        ("Maintainer: alice@example.org", "Maintainer: bob@example.org"),
        ("timeout = 30s", "timeout = 60s"),
        ("VERSION_ID=12", "VERSION_ID=13"),
        ("DEBUG=0", "DEBUG=1"),
        ("mode = RAW", "mode = HEX"),
        ("proxy_set_header Host $host;", "proxy_set_header Host $http_host;"),
        ("install -m 644 x", "install -m 666 x"),
        ("size 2048", "size 2049"),
        ("cp a b", "cp b a"),
        ("threads = 4", "threads = few"),
        ("The quick brown fox", "The quick red fox"),
        ("integrity = true", "integrity = false"),
        ("1.234567", "1.234999"),
    ],
)
def test_a_change_that_somebody_made_has_no_known_cause(a: str, b: str) -> None:
    """A false cause sends its reader to the wrong place."""
    assert causes_of([Sighting(("etc/x",), a=a, b=b, is_text=True)]) == ()

"""The time that a stranger's project pins its packages to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import lock, pins
from teekit_verify.rebuild.pins import Pin

if TYPE_CHECKING:
    from pathlib import Path

TIME = "20260430T025253Z"


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        (None, ()),
        ("http://mirror.example.org/debian", ()),
        ("http://mirror.example.org/debian/", ()),
        (f"http://snapshot.debian.org/archive/debian/{TIME}", (TIME,)),
        (f"https://snapshot.debian.org/archive/debian/{TIME}/", (TIME,)),
    ],
)
def test_the_time_of_a_mirror(mirror: str | None, expected: tuple[str, ...]) -> None:
    assert tuple(pin.time for pin in pins.of_mirror(mirror)) == expected


@pytest.mark.parametrize(
    ("mirror", "problem"),
    [
        ("http://snapshot.debian.org/archive/debian/20260430", "which names no time"),
        ("http://snapshot.debian.org/archive/debian/20260430T025253Z\u0661", "not a mirror"),
        ("http://snapshot.debian.org/archive/debian/2026043\u0660T025253Z", "not a mirror"),
        ("http://packages.example.org/ours", "not a mirror"),
        ("file:///srv/packages", "not a mirror"),
        ("http://x/debian\nREPRODUCED", "not a mirror"),
        (f"http://snapshot.debian.org/archive/ubuntu/{TIME}", "not a mirror"),
    ],
)
def test_a_mirror_that_would_give_other_packages_is_refused_by_name(mirror: str, problem: str) -> None:
    with pytest.raises(TeekitError, match=problem) as caught:
        pins.of_mirror(mirror)
    assert "'Mirror=http" in caught.value.message or "'Mirror=file" in caught.value.message
    assert caught.value.message.isprintable()


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_snapshots_are_taken_out_of_all_configuration(tmp_path: Path) -> None:
    """mkosi 25 knows no such setting, and ends where it reads one."""
    main = write(tmp_path, "mkosi.conf", f"[Distribution]\nSnapshot={TIME}\nRelease=trixie\n")
    other = write(tmp_path, "mkosi.profiles/x/mkosi.conf.d/a.conf", f"[Distribution]\r\nSnapshot = {TIME}\r\n")
    guest = write(tmp_path, "mkosi.extra/etc/mkosi.conf", "Snapshot=of the guest\n")
    outside = write(tmp_path / "..", "outside.conf", f"Snapshot={TIME}\n")
    (tmp_path / "mkosi.conf.d").mkdir()
    (tmp_path / "mkosi.conf.d/link.conf").symlink_to(outside)
    assert pins.take_snapshots(tmp_path) == (Pin(TIME, f"Snapshot={TIME}"),) * 2
    assert main.read_text() == f"[Distribution]\n# locked: Snapshot={TIME}\nRelease=trixie\n"
    assert "\n# locked: Snapshot = " in other.read_text()
    assert guest.read_text() == "Snapshot=of the guest\n"
    assert outside.read_text() == f"Snapshot={TIME}\n"


@pytest.mark.parametrize("value", ["yesterday", "20260430", "20260430T025253Z x", "2026043\u0660T025253Z", "\x1b[2J"])
def test_a_snapshot_that_is_no_time_is_refused_by_name(tmp_path: Path, value: str) -> None:
    write(tmp_path, "mkosi.conf", f"[Distribution]\nSnapshot={value}\n")
    with pytest.raises(TeekitError, match="the project has 'Snapshot=") as caught:
        pins.take_snapshots(tmp_path)
    assert caught.value.message.isprintable()


def test_one_time_is_agreed_on(tmp_path: Path) -> None:
    one, other = Pin(TIME, f"Snapshot={TIME}"), Pin("20260501T000000Z", "Mirror=…")
    assert pins.agreed([], None) is None
    assert pins.agreed([], TIME) == pins.agreed([one], None) == pins.agreed([one, one], TIME) == TIME
    with pytest.raises(TeekitError, match=f"'Mirror=…', which disagrees with 'Snapshot={TIME}'"):
        pins.agreed([one, other], None)
    with pytest.raises(TeekitError, match=f"'Snapshot={TIME}', which disagrees with --snapshot 20260501T000000Z"):
        pins.agreed([one], "20260501T000000Z")


def test_a_lock_of_another_time_is_refused() -> None:
    locked = rebuilds.lock_of(rebuilds.locked_package())
    lock.require_time(locked, None)
    lock.require_time(locked, locked.snapshot)
    with pytest.raises(lock.LockError, match=f"the lock is of {locked.snapshot}, and the project pins its packages to"):
        lock.require_time(locked, TIME)

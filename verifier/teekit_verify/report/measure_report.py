"""Predicted registers for people, and as a measurements document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import printable
from teekit_verify.report import registers_screen
from teekit_verify.report.layout import show_line

if TYPE_CHECKING:
    from teekit_verify.documents.model import Measurements
    from teekit_verify.prediction.image import BootedProfile
    from teekit_verify.report.console import Console


def render(measurements: Measurements) -> bytes:
    """What `measure --json` prints and `measure --output` writes."""
    from teekit_verify.documents.create import dump_measurements  # with pydantic, which the screen does without

    return dump_measurements(measurements)


def show(measurements: Measurements, profile: BootedProfile | None, out: Console, *, events: bool) -> None:
    """The registers; of a UKI with several profiles also which one they are of."""
    registers_screen.show_measurements(measurements, out, events=events)
    if profile is not None:
        show_line(out, _booted(profile))


def _booted(profile: BootedProfile) -> str:
    name = f" ({printable(profile.name)})" if profile.name else ""
    return f"Profile {profile.number}{name} of {profile.count}: the others measure other values (--profile)."

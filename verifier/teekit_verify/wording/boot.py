"""Digests of a real boot against predicted ones, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.boot.proof import Absent

if TYPE_CHECKING:
    from teekit_verify.boot.proof import BankCheck

_ABSENT = {Absent.LOG: "not in the log", Absent.PREDICTION: "not predicted"}


def bank_check_words(check: BankCheck) -> str:
    """Why a digest is not the predicted one, or why it is all the same. Empty where the digests say all."""
    if check.phases:
        return f"with systemd's phases {', '.join(check.phases)} on top"
    return "" if check.absent is None else _ABSENT[check.absent]

"""Digests of a real boot against predicted ones, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from teekit_verify.boot.proof import BankCheck

_ABSENT = {"LOG": "not in the log", "PREDICTION": "not predicted"}
"""By the names of `boot.proof.Absent`: words for a boot are needed without what makes one."""


def bank_check_words(check: BankCheck) -> str:
    """Why a digest is not the predicted one, or why it is all the same. Empty where the digests say all."""
    if check.phases:
        return f"with systemd's phases {', '.join(check.phases)} on top"
    return "" if check.absent is None else _ABSENT[check.absent.name]

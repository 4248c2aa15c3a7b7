"""Explanation: why two files differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.explanation import explain as explanations

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.explanation.tree import Explanation


def explain(a: Path, b: Path, *, folder: Path, with_diffoscope: bool = False) -> Explanation:
    """Why two files differ, down to the file in the initrd; `differences` is empty if every byte is equal.

    `folder` takes temporary files without names. diffoscope, if wanted, looks at the innermost files that differ.
    """
    return explanations.explain(a, b, folder=folder, with_diffoscope=with_diffoscope)

"""The cause of an event, read by the grammar that docs/reference-format.md has."""

from __future__ import annotations

import pytest

from teekit_verify.prediction.causes import Cause, CauseKind, cause_of


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("UKI", Cause(CauseKind.UKI)),
        ("UKI section .cmdline", Cause(CauseKind.SECTION, (".cmdline",))),
        ("UKI sections .initrd, .osrel", Cause(CauseKind.SECTION, (".initrd", ".osrel"))),
        ("GPT of the disk", Cause(CauseKind.GPT)),
        ("firmware", Cause(CauseKind.FIRMWARE)),
        ("", Cause(CauseKind.UNKNOWN)),
        ("record 0 of the component", Cause(CauseKind.OTHER, ("record 0 of the component",))),
        ("UKI section ", Cause(CauseKind.OTHER, ("UKI section ",))),
        ("UKI section .a .b", Cause(CauseKind.OTHER, ("UKI section .a .b",))),
        ("UKIs", Cause(CauseKind.OTHER, ("UKIs",))),
    ],
)
def test_what_each_text_is(text: str, cause: Cause) -> None:
    assert cause_of(text) == cause

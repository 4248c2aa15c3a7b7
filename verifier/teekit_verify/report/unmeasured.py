"""Shows what the host can say to a machine that no register measures, and the way out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.report.layout import show_line, styled
from teekit_verify.wording.host_inputs import HOST_INPUTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.inspection.host_inputs import UnmeasuredInput
    from teekit_verify.report.console import Console


def show_unmeasured(inputs: Sequence[UnmeasuredInput], out: Console) -> None:
    """Nothing where there is none: that proves nothing of a root file system on a disk."""
    if not inputs:
        return
    out.print()
    show_line(out, styled("The host can change what this image does; no register shows it:", "bold yellow"))
    for item in inputs:
        what, way_out = HOST_INPUTS[item.kind]
        show_line(out, styled(f"{item.where}: {what}{f' ({item.detail})' if item.detail else ''}"), indent=2)
        if way_out:
            show_line(out, styled(way_out), indent=4)

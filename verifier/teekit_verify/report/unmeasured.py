"""In words: what the host can say to a machine that no register measures, and the way out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.inspection.host_inputs import HostInput
from teekit_verify.report.layout import show_line, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from teekit_verify.inspection.host_inputs import UnmeasuredInput

_WORDS = {
    HostInput.EFI_OPTIONS: (
        "the host can add to the kernel command line, in an EFI variable that systemd reads where Secure Boot is off",
        "Put efi=noruntime on the command line, or leave efivarfs out of the kernel.",
    ),
    HostInput.DISK_DISCOVERY: (
        "systemd mounts partitions of any disk by their type",
        "Put systemd.gpt_auto=no on the command line, or mask the generator.",
    ),
    HostInput.HOST_CONFIGURATION: (
        "an agent does what the host says: configuration, or commands",
        "Leave it out of the image, or check what it takes before it acts.",
    ),
    HostInput.NOT_READ: ("not looked into, so nothing is known of it", ""),
}


def show_unmeasured(inputs: Sequence[UnmeasuredInput], out: Console) -> None:
    """Nothing where there is none: that proves nothing of a root file system on a disk."""
    if not inputs:
        return
    out.print()
    show_line(out, styled("The host can change what this image does; no register shows it:", "bold yellow"))
    for item in inputs:
        what, way_out = _WORDS[item.kind]
        show_line(out, styled(f"{item.where}: {what}{f' ({item.detail})' if item.detail else ''}"), indent=2)
        if way_out:
            show_line(out, styled(way_out), indent=4)

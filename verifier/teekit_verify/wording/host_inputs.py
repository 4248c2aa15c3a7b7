"""What the host can say to a machine that no register measures, and the way out of it, in words."""

from __future__ import annotations

from teekit_verify.inspection.host_inputs import HostInput

HOST_INPUTS = {
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
"""What it is, and what to do; empty where nothing can be said."""

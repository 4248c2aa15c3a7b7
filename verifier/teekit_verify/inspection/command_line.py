"""What a kernel's command line says: Linux Documentation/admin-guide/kernel-parameters.txt, "efi=", "noefi"."""

from __future__ import annotations


def has_no_efi_variables(cmdline: str | None) -> bool:
    """Whether the kernel is told to have no EFI runtime services, without which there is no efivarfs; the last word counts."""
    off = False
    for word in (cmdline or "").rstrip("\0\n").split():
        if word == "noefi":
            off = True
        if word.startswith("efi="):
            values = word.removeprefix("efi=").split(",")
            off = "noruntime" in values or (off and "runtime" not in values)
    return off

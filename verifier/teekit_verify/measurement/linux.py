"""What the EFI stub of a Linux version measures."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TCG2_SINCE = (5, 17)
_CC_SINCE = (6, 9)


@dataclass(frozen=True, slots=True)
class KernelBehaviour:
    """Whether the kernel measures LoadOptions and initrd: to TCG2 if there is one, else to CC. None: not known."""

    measures_to_tcg2: bool | None
    measures_to_cc: bool | None


def kernel_behaviour(release: str | None) -> KernelBehaviour:
    """From `uname -r`.

    Linux 5.17 added measuring to the TPM, 6.9 measuring "into CC protocol if TCG2 protocol is absent" (commit
    d228814b1913); drivers/firmware/efi/libstub/efi-stub-helper.c, efi_measure_tagged_event().
    """
    match = re.match(r"(\d{1,4})\.(\d{1,4})", release or "")
    if match is None:
        return KernelBehaviour(None, None)
    version = (int(match[1]), int(match[2]))
    return KernelBehaviour(version >= _TCG2_SINCE, version >= _CC_SINCE)

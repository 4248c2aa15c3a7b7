"""What the EFI stub of a Linux version measures.

Rules. The version that a kernel states chooses, by upstream's releases. Where a vendor's backport may have changed that, both are possible.
Non-rules: a kernel without a readable version is not taken for any: what it measures is not known, and the register stays open.
"""

from __future__ import annotations

import re

from teekit_verify.core.frozen import frozen

_BOTH_EVENTS_SINCE = (6, 1)
_CC_SINCE = (6, 9)


@frozen
class KernelBehaviour:
    """Whether the kernel measures LoadOptions and initrd: to TCG2 if there is one, else to CC. None: not known.

    `vendor_decides`: upstream does not measure to CC yet, but vendors have added it to such versions (Ubuntu's and Red Hat's
    kernels for confidential guests); `uname -r` does not tell.
    """

    measures_to_tcg2: bool | None
    measures_to_cc: bool | None
    vendor_decides: bool = False


def kernel_behaviour(release: str | None) -> KernelBehaviour:
    """From `uname -r`.

    Linux 6.1 brought "efi/libstub: measure EFI LoadOptions" (commit 71c7adc9fffd), after the initrd; 6.9 brought
    "efi/libstub: Measure into CC protocol if TCG2 protocol is absent" (commit ac93cbfc2a2c). Kernels before 6.1
    measured less, and distributors added to them, so nothing is claimed about their TPM events.
    """
    match = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", release or "")
    if match is None:
        return KernelBehaviour(None, None)
    version = (int(match[1]), int(match[2]))
    is_new = version >= _CC_SINCE
    return KernelBehaviour(True if version >= _BOTH_EVENTS_SINCE else None, is_new or None, vendor_decides=not is_new)

"""What systemd-stub from 261 on takes from the machine: an input where it is known, alternatives where it is not.

systemd src/boot/console.c, cmdline_append_console(): where the command line has no console=, one is added: hvc0 for exactly one virtio console
on PCI, none where there is graphics, else the serial port that the firmware writes to. src/boot/boot-secret.c: 32 bytes that come
from a firmware variable and a file on the ESP, in the initrd as /.extra/boot-secret; none without random numbers of the firmware.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.artifacts.companions import Companion

NONE = ""
CONSOLES = (NONE, "hvc0", *(f"uart,io,{port}" for port in ("0x3f8", "0x2f8", "0x3e8", "0x2e8")))
"""Whatever the stub may add, by its source."""


@frozen
class StubMachine:
    """`console`: what it adds behind console=, empty for nothing, None where that is not known. `no_secret`: there is no such file."""

    console: str | None = None
    no_secret: bool = False


ANY_MACHINE = StubMachine()


@frozen
class StubInputs:
    """What the stub picks up that is not in the UKI: files beside it, and what it asks the machine."""

    companions: tuple[Companion, ...] = ()
    machine: StubMachine = ANY_MACHINE


NO_INPUTS = StubInputs()


def parse_console(text: str) -> str:
    """`none`, or what the kernel's command line has behind console=. Raises TeekitError for what the stub never adds."""
    value = NONE if text == "none" else text.removeprefix("console=")
    if value not in CONSOLES or text == NONE:
        raise TeekitError(
            f"systemd-stub never adds the console {printable(text[:40])}",
            hint=f"Give none, {', '.join(CONSOLES[1:])}: see /proc/cmdline of the guest.",
        )
    return value

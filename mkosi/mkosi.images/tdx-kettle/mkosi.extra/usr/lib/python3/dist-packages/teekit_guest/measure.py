"""teekit-measure.service: measures what will run, once per boot, and only then lets it run.

kettle-launcher leaves in GIVEN what it was told and got: `manifest-N`, `app-N`, `hostnames`. This service is root, as registers are root's.
It reads these files as bytes, parses none, and is the only one that writes where kettles and nginx read: an app is copied, the copy's bytes
are what is hashed, and nobody else can change it. If anything fails, nothing starts.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import events, layout, log, measured_registers
from .files import write_atomically
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger

    from .measured_registers import Register

MOST_APP_BYTES = 64 * 1024 * 1024
MOST_BYTES = 128 * 1024  # of all the rest: what cloud-config.service hands on is not longer
PIECE_BYTES = 1024 * 1024
# Logs of the boot. The kernel keeps both as the firmware left them, so a copy is as good; who answers to the world then needs none of these files.
CCEL = Path("/sys/firmware/acpi/tables/data/CCEL")
TPM_LOG = Path("/sys/kernel/security/tpm0/binary_bios_measurements")
MOST_LOG_BYTES = 8 * 1024 * 1024


def main() -> int:
    with log.opened("teekit-measure") as logger:
        try:
            run(logger)
        except Exception as error:
            reason = str(error) if isinstance(error, Refused) else f"measuring failed: {type(error).__name__}"
            logger.exception("nothing is started")
            log.announce(f"no kettle is started: {reason}")
            # For the launcher, which waits. If this cannot be written either, it waits in vain.
            layout.NOT_MEASURED.touch()
            return 1
    return 0


def run(logger: Logger) -> None:
    try:
        layout.MEASURING.open("x").close()
    except FileExistsError:
        # Whatever came of it: what was measured once is not measured again, and what was not never is in this boot.
        raise Refused("this was measured before, or it was tried") from None
    given = laid_out()
    with measured_registers.of_this_machine() as registers:
        measure(given, registers)
    keep_logs_of_the_boot()
    layout.MEASURED.touch()
    kettles = [kettle for kettle in range(layout.KETTLES) if layout.app(kettle).exists()]
    for kettle in kettles:
        write_atomically(layout.KETTLE_FOLDERS / str(kettle) / layout.READY, b"", 0o640)
    names = " and ".join(
        " ".join(f"{kind} {number}" for kind, number in register.name.items()) for register in registers
    )
    logger.info(
        "%d events, %d apps; extended: %s", len(given), len(kettles), names or "no register, this machine has none"
    )


def laid_out() -> list[events.Event]:
    """Copies what was given to where it is read, and says what that was: manifests, apps, hostnames, in the order in which they are measured."""
    manifests, apps = [], []
    for number in range(layout.KETTLES):
        content = given(f"manifest-{number}")
        if content is not None:
            write_atomically(layout.given_manifest(number), content, 0o640)
            manifests.append(events.Event("manifest", content))
    for kettle in range(layout.KETTLES):
        sha256 = copied_app(kettle)
        if sha256 is not None:
            apps.append(events.app(kettle, sha256))
    hostnames = given("hostnames")
    if hostnames is None:
        raise Refused("nobody says which hostnames there are")
    write_atomically(layout.HOSTNAMES, hostnames, 0o644)
    return [*manifests, *apps, events.Event("hostnames", hostnames), events.Event("closed", b"")]


def measure(measured: Sequence[events.Event], registers: Sequence[Register]) -> None:
    """Each event is in the log before it is in a register. A register that does not start or end as it must is refused."""
    with os.fdopen(os.open(layout.RUNTIME_LOG, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb", 0) as stream:
        os.fchmod(stream.fileno(), 0o644)
        expected = [{bank: bytes(hashlib.new(bank).digest_size) for bank in register.banks} for register in registers]
        require(registers, expected, "had a value before anything was measured")
        for number, event in enumerate(measured):
            for register, values in zip(registers, expected, strict=True):
                digests = {bank: event.digest(bank) for bank in register.banks}
                stream.write(events.record(number, register.name, event, digests))
                register.extend(digests)
                for bank in register.banks:
                    values[bank] = events.extended(values[bank], digests[bank], bank)
        require(registers, expected, "does not have the value that follows from what was measured")


def require(registers: Sequence[Register], expected: Sequence[dict[str, bytes]], problem: str) -> None:
    for register, values in zip(registers, expected, strict=True):
        if register.values() != values:
            ((kind, number),) = register.name.items()
            raise Refused(f"{kind.upper()} {number} {problem}")


def given(name: str) -> bytes | None:
    """What the launcher left under this name."""
    descriptor = open_given(name)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Refused(f"{name} is larger than {MOST_BYTES} bytes")
    return content


def copied_app(kettle: int) -> str | None:
    """The SHA-256 of the bytes that are now in the kettle's folder, which is root's: workerd reads these, and nobody else writes there."""
    descriptor = open_given(f"app-{kettle}")
    if descriptor is None:
        return None
    path = layout.app(kettle)
    digest, size = hashlib.sha256(), 0
    path.parent.mkdir(mode=0o750)
    with (
        os.fdopen(descriptor, "rb") as source,
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as target,
    ):
        while piece := source.read(PIECE_BYTES):
            size += len(piece)
            if size > MOST_APP_BYTES:
                raise Refused(f"app {kettle} is larger than {MOST_APP_BYTES} bytes")
            digest.update(piece)
            target.write(piece)
        os.fchmod(target.fileno(), 0o640)
    return digest.hexdigest()


def open_given(name: str) -> int | None:
    """A regular file, not what a link leads to, and not a pipe that keeps us waiting. None where there is nothing."""
    try:
        descriptor = os.open(layout.GIVEN / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused(f"{name} is no regular file")
    return descriptor


def keep_logs_of_the_boot() -> None:
    for source, target in ((CCEL, layout.CCEL_COPY), (TPM_LOG, layout.TPM_LOG_COPY)):
        try:
            with source.open("rb") as stream:
                content = stream.read(MOST_LOG_BYTES + 1)
        except OSError:
            continue  # a machine has at most one of them
        if len(content) <= MOST_LOG_BYTES:
            write_atomically(target, content, 0o640)


if __name__ == "__main__":
    sys.exit(main())

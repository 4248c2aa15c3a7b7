"""A stand-in for the QEMU of a local run: it prints on the console what a guest would, and answers on its control socket."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAUSE = 0.5

_QEMU = """
import json, os, re, socket, sys, threading, time
here = os.path.dirname(sys.argv[0])
settings = json.load(open(here + "/settings.json"))
words = " ".join(sys.argv[1:])
accelerator = sys.argv[sys.argv.index("-accel") + 1]
with open(here + "/calls", "a") as calls:
    print(words, file=calls)
if accelerator in settings["refuses"]:
    sys.exit("fake: no such accelerator")

def guest():
    for line in settings["prints"]:
        if line is None:
            while not os.path.exists(here + "/go"):
                time.sleep(0.01)
            continue
        if isinstance(line, float):
            time.sleep(line)
            continue
        with open(re.search(r"logfile=(\\S+)", words)[1], "a") as console:
            print(line, file=console)
    if settings["ends"]:
        os._exit(0)

server = socket.socket(socket.AF_UNIX)
server.bind(re.search(r"unix:([^,]+),", words)[1])
server.listen()
connection = server.accept()[0].makefile("rwb", buffering=0)
say = lambda message: connection.write(json.dumps(message).encode() + b"\\n")
say({"QMP": {}})
with open(here + "/pid", "w") as pid:
    print(os.getpid(), file=pid)
threading.Thread(target=guest).start()
while line := connection.readline():
    status = "internal-error" if accelerator in settings["fails"] else "running"
    if status != "running":  # as QEMU does it, for every register
        print("extra data[7]: 0x0; EAX=00000000: EBX=00807000", file=sys.stderr, flush=True)
    say({"return": {"status": status} if b"query-status" in line else {}})
"""


@dataclass(frozen=True, slots=True)
class LocalQemu:
    """`folder` has nothing but the stand-in, so that it can be the whole PATH."""

    folder: Path

    @property
    def calls(self) -> list[str]:
        """The arguments of each start, as one line."""
        record = self.folder / "calls"
        return record.read_text().splitlines() if record.exists() else []

    def go_on(self) -> None:
        """For a stand-in that waits for it."""
        (self.folder / "go").touch()

    @property
    def pid(self) -> int | None:
        """Of the one that was started last, once it was asked something."""
        file = self.folder / "pid"
        text = file.read_text() if file.exists() else ""
        return int(text) if text.endswith("\n") else None


def install(
    folder: Path,
    *prints: str | float | None,
    ends: bool = False,
    refuses: Sequence[str] = (),
    fails: Sequence[str] = (),
) -> LocalQemu:
    """`prints` are lines of the console, pauses in seconds, and None where it waits for `go_on`; then it `ends`, or stays until it is ended.

    `refuses` are accelerators with which it does not start, `fails` those that give the guest up.
    """
    folder.mkdir()
    settings = {"prints": prints, "ends": ends, "refuses": refuses, "fails": fails}
    (folder / "settings.json").write_text(json.dumps(settings))
    program = folder / "qemu-system-x86_64"
    program.write_text(f"#!{sys.executable} -IS\n{_QEMU}")
    program.chmod(0o755)
    return LocalQemu(folder)


def answers(*kettles: int) -> list[str]:
    """What the kernel and teekit_guest.log.announce print."""
    return ["[    1.0] Linux version 6.12", *(f"teekit: kettle {i} answers on port {3001 + i}" for i in kettles)]

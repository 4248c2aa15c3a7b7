"""A stand-in for systemd on a machine of its own: runs the kettles' units as their files say, on this host."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from builders import npm
from teekit_guest.wait_for_port import listens

IMAGE = Path(__file__).parents[2] / "mkosi/mkosi.images/tdx-kettle"
UNITS = IMAGE / "mkosi.extra/usr/lib/systemd/system"
BUNDLE = IMAGE / "kettle/bundle"


def bundle(out: Path, source: Path = IMAGE / "kettle/demo") -> Path:
    """What the image has in /usr/lib/kettle, except that the manifest names the file where it is here."""
    subprocess.run([BUNDLE, source, out, npm.program("esbuild")], check=True, timeout=300)
    app = out / "app.js"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest == {"app": "file:///usr/lib/kettle/app.js", "sha256": hashlib.sha256(app.read_bytes()).hexdigest()}
    (out / "manifest.json").write_text(json.dumps({**manifest, "app": app.as_uri()}))
    return out


def settings(unit: str, key: str) -> list[str]:
    """Every value of a key in a unit file, lines that go on joined."""
    text = (UNITS / unit).read_text().replace("\\\n", " ")
    return [" ".join(value.split()) for value in re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)]


@dataclass
class Systemd:
    """Folders of the machine, `root` / their path; `kettles` where /usr/lib/kettle is. Used in place of systemctl."""

    root: Path
    kettles: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def systemctl(self, *arguments: str, check: bool = True) -> int:  # noqa: ARG002 -- as the real one
        self.calls.append(arguments)
        verb, unit = arguments
        template, number = re.sub(r"@\d+", "@", unit), unit.split("@")[1].split(".")[0]
        if verb == "is-failed":
            return 0 if self.running[unit].poll() is not None else 1
        for needed in settings(template, "Requires"):
            self.systemctl("start", needed.replace("%i", number))
        self.start(unit, template, number)
        return 0

    def start(self, unit: str, template: str, number: str) -> None:
        """ExecStart= of the unit, with its EnvironmentFile=, and both logs where `append:` says."""
        (self.root / f"var/lib/kettle/{number}").mkdir(parents=True, exist_ok=True)
        (self.root / "var/log").mkdir(parents=True, exist_ok=True)
        environment = self.text(settings(template, "EnvironmentFile")[0].replace("%i", number))
        values = dict(line.split("=", 1) for line in Path(environment).read_text().splitlines())
        (command,) = settings(template, "ExecStart")
        for name, value in values.items():
            command = command.replace(f"${{{name}}}", value)
        argv = [self.text(word) for word in command.replace("%i", number).split()]
        argv[0] = str(npm.program(Path(argv[0]).name))
        with (
            (self.root / "var/log/kettle.log").open("ab") as out,
            (self.root / "var/log/kettle-error.log").open("ab") as err,
        ):
            self.running[unit] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=os.environ
            )
        wait_until_it_listens(
            int(values["DATABASE_PORT"] if template == "sqld@.service" else values["PORT"]), self.running[unit]
        )

    def text(self, word: str) -> str:
        """The same word with the machine's paths where they are here."""
        word = word.replace("/usr/lib/kettle", str(self.kettles))
        return re.sub(r"(^|=)/(run|var)/", rf"\1{self.root}/\2/", word)

    def stop(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait(60)


def wait_until_it_listens(port: int, process: subprocess.Popen[bytes], seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while process.poll() is None and not listens(port):
        assert time.monotonic() < until, f"nothing listens on port {port}"
        time.sleep(0.02)


def free_ports(count: int) -> int:
    """The first of `count` free ports, below those the kernel gives out itself: a connection to one of these that nobody
    listens on can end up connected to itself."""
    for start in random.sample(range(20000, 32000, count), 100):
        try:
            for port in range(start, start + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return start
    raise AssertionError("no free ports")

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
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from builders import npm
from teekit_guest import layout
from teekit_guest.wait_for_port import listens

IMAGE = Path(__file__).parents[2] / "mkosi/mkosi.images/tdx-kettle"
UNITS = IMAGE / "mkosi.extra/usr/lib/systemd/system"
PACKAGES = IMAGE / "mkosi.extra/usr/lib/python3/dist-packages"
BUNDLE = IMAGE / "kettle/bundle"


def bundle(out: Path, source: Path = IMAGE / "kettle/demo") -> Path:
    """What the image has in /usr/lib/kettle, except that the manifest names the file where it is here."""
    subprocess.run([BUNDLE, source, out, npm.program("esbuild")], check=True, timeout=600)
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
    """Folders of the machine, `root` / their path; `kettles` where /usr/lib/kettle is."""

    root: Path
    kettles: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def ready(self, kettle: int) -> None:
        """What kettle@N.path does when an app is measured, and kettle-failed@N.service if that does not run."""
        assert (layout.KETTLE_FOLDERS / str(kettle) / layout.READY).exists()
        for unit in ("sqld@.service", "kettle@.service"):
            self.start(unit, kettle)
        process, failed = (
            self.running[f"kettle@{kettle}.service"],
            layout.FAILED_FOLDER / str(kettle),
        )

        def watch() -> None:
            if process.wait() != 0:
                failed.touch()

        # It can fail later, too: workerd listens before it loads.
        threading.Thread(target=watch, daemon=True).start()

    def start(self, template: str, kettle: int) -> None:
        """ExecStart= of the unit, with the ports of its drop-in, and its logs where `append:` says."""
        ports = {"PORT": layout.port(kettle), "DATABASE_PORT": layout.database_port(kettle)}
        (command,) = settings(template, "ExecStart")
        for name, port in ports.items():
            command = command.replace(f"${{{name}}}", str(port))
        argv = [self.word(self.text(word)) for word in command.replace("%i", str(kettle)).split() if word != "-I"]
        (self.root / f"var/lib/kettle/{kettle}/data").mkdir(parents=True, exist_ok=True)
        out, err = (
            self.text(settings(template, key)[0].removeprefix("append:").replace("%i", str(kettle)))
            for key in ("StandardOutput", "StandardError")
        )
        environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
        unit = template.replace("@", f"@{kettle}")
        with Path(out).open("ab") as stdout, Path(err).open("ab") as stderr:
            self.running[unit] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environment
            )
        wait_until_it_listens(ports["DATABASE_PORT" if template == "sqld@.service" else "PORT"], self.running[unit])

    def logs(self, kettle: int = 0) -> str:
        folder = self.root / f"var/lib/kettle/{kettle}"
        return (folder / "kettle.log").read_text() + (folder / "kettle-error.log").read_text()

    @staticmethod
    def word(word: str) -> str:
        if word == "/usr/bin/python3":
            return sys.executable
        name = Path(word).name
        return str(npm.program(name)) if word.startswith("/usr/bin/") and name in npm.PACKAGES else word

    def text(self, word: str) -> str:
        """The same word with the machine's paths where they are here."""
        word = re.sub(r"(^|=|unix:)/(run|var)/", rf"\1{self.root}/\2/", word)
        return word.replace("/usr/lib/kettle", str(self.kettles))  # which may be in /var itself

    def stop(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait(600)


def wait_until_it_listens(port: int, process: subprocess.Popen[bytes], seconds: float = 600) -> None:
    until = time.monotonic() + seconds
    while process.poll() is None and not listens(port):
        assert time.monotonic() < until, f"nothing listens on port {port}"
        time.sleep(0.02)


def free_ports(count: int) -> int:
    """The first of `count` free ports, below those the kernel gives out itself: a connection to one of these that nobody
    listens on can end up connected to itself. Others look for theirs meanwhile, perhaps with our seed."""
    for start in random.SystemRandom().sample(range(20000, 32000, count), 100):
        try:
            for port in range(start, start + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return start
    raise AssertionError("no free ports")

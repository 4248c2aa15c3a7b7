"""rebuilderd itself, from Debian's packages unpacked into a folder: a daemon and workers on loopback, run with the C library of their suite (sid)."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from builders.unpacked import unpack, with_own_library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PORT = 8484
_SECONDS = 600
_KNOWN = """
rebuilderd 0.28.0+ds-2+b2 r/rust-rebuilderd 2915424 116b1e6edb2469572b2c6567d478ee566f2e9e881448515ab055b7e7041037bf
rebuildctl 0.28.0-2 r/rust-rebuildctl 2405960 fcde782514d5f5f398cfb5e807b20bd873243985045321ae3bfee924199e9383
rebuilderd-worker 0.28.0-1+b2 r/rust-rebuilderd-worker 2192552 68af9a6bb4baa55464dc1195c532b166244e207107ded15b254706f8518028de
libc6 2.43-7 g/glibc 1866392 5c71715c51103beb4fbba9fe9f8dff604af6610dfa71c70bff342f54a7860803
libgcc-s1 16.2.0-4 g/gcc-16 74120 d251ea642c3795e8723ac2b9eeebe511467ca04590ba70f3d555a7616787d7e3
liblzma5 5.8.4-1 x/xz-utils 354284 2dd166f61cb2a32c50f1a4dd3cd34f5f18a4ff97a6ff23665b9a57537fd60625
libzstd1 1.5.7+dfsg-4 libz/libzstd 304040 93e7930e4c25b918f1dd980cc1c6d4487654a248f5fa71eacb976ed7bbe954bd
libsqlite3-0 3.53.4-2 s/sqlite3 974044 bbf13c9326764d05e37e6590debdaa6f33af6bd822e3ca1204789d9d1dc23b11
"""


def fetch_programs(folder: Path) -> Programs:
    return Programs(unpack(_KNOWN, folder))


@dataclass(frozen=True)
class Programs:
    tree: Path

    def argv(self, name: str) -> list[str]:
        return with_own_library(self.tree, name)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of the folder's files on loopback."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@dataclass(frozen=True)
class Daemon:
    """`folder` is its own; each worker gets one in it, which is its working folder."""

    programs: Programs
    folder: Path
    environment: dict[str, str]

    def sync(self, listed: str) -> None:
        self._ctl("pkgs", "sync-stdin", stdin=listed)

    def log(self, release: str) -> str:
        return self._ctl("pkgs", "log", "--name", "tdx-debian-base.efi", "--suite", release)

    def diffoscope(self, release: str, name: str) -> str:
        return self._ctl("pkgs", "diffoscope", "--name", name, "--suite", release)

    def attestation(self, release: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ctl("pkgs", "attestation", "--name", name, "--suite", release))
        return found

    def states(self) -> dict[str, set[str]]:
        """By release: GOOD, BAD, UNKWN of its artifacts."""
        found: dict[str, set[str]] = {}
        for line in self._ctl("pkgs", "ls").splitlines():
            state, rest = line[1:].split("]", 1)
            found.setdefault(rest.split(", ")[2], set()).add(state.strip())
        return found

    def _ctl(self, *words: str, stdin: str | None = None) -> str:
        argv = [*self.programs.argv("rebuildctl"), "-H", f"http://127.0.0.1:{_PORT}", *words]
        done = subprocess.run(
            argv, input=stdin, env=self.environment, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def worker(self, name: str, backend: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """Until the block ends. Its `diffoscope` is the one of docs/fleet.md."""
        own = self.folder / name
        own.mkdir()
        _script(own / "backend", f'exec {shlex.join(backend)} "$1"')
        code = f"import sys; sys.path[:0] = {sys.path!r}\nfrom teekit_verify.cli.app import main\nsys.exit(main(sys.argv[1:]))"
        explain = shlex.join([sys.executable, "-c", code, "explain"])
        _script(own / "diffoscope", f'while [ "$1" != -- ]; do shift; done\nexec {explain} "$2" "$3"')
        (own / "conf").write_text(
            f'endpoint = "http://127.0.0.1:{_PORT}"\nsignup_secret = "secret"\nidle_delay = 1\n'
            f'[diffoscope]\nenabled = true\n[backend."teekit-verify"]\npath = "{own}/backend"\n'
        )
        argv = [*self.programs.argv("rebuilderd-worker"), "-c", str(own / "conf"), "connect"]
        environment = {**self.environment, "PATH": f"{own}:{os.environ['PATH']}", "TMPDIR": str(own)}
        with (
            (own / "log").open("wb") as log,
            subprocess.Popen(argv, cwd=own, env=environment, stdout=log, stderr=log) as process,
        ):
            try:
                yield process
            finally:
                process.kill()


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@contextmanager
def running(programs: Programs, folder: Path) -> Iterator[Daemon]:
    """The port is given: enter `own_network()` first."""
    (folder / "cookie").write_text("cookie")
    (folder / "conf").write_text(
        f'[http]\nbind_addr = "127.0.0.1:{_PORT}"\n[worker]\nsignup_secret = "secret"\n[schedule]\nretry_delay_base = 24\nmax_retries = 1\n'
    )
    environment = {**os.environ, "REBUILDERD_COOKIE_PATH": str(folder / "cookie")}
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        argv = [*programs.argv("rebuilderd"), "-c", str(folder / "conf")]
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=log, stderr=log)
        stack.enter_context(process)
        stack.callback(process.kill)
        _wait_for_daemon(process)
        yield Daemon(programs, folder, environment)


def _wait_for_daemon(process: subprocess.Popen[bytes]) -> None:
    for _ in range(10 * _SECONDS):
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", _PORT), timeout=_SECONDS).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("rebuilderd does not listen")

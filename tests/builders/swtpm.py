"""A TPM for tests: swtpm, and the kernel's device in front of it as a pair of functions."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from builders.tools import require
from teekit_guest.tpm import Tpm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECONDS = 600
_PAUSE_SECONDS = 0.02
_STARTUP_CLEAR = bytes.fromhex("80010000000c000001440000")  # TPM2_Startup: what the firmware sends


@contextlib.contextmanager
def tpm_with(folder: Path, banks: str) -> Iterator[Tpm]:
    """A new TPM with these banks, as `sha256,sha384`."""
    with exchange_with(folder, banks) as exchange:
        yield Tpm(exchange.ask)


class Exchange:
    """`record` has all commands and responses."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.record: list[tuple[bytes, bytes]] = []

    def ask(self, command: bytes) -> bytes:
        self._sock.sendall(command)
        response = self._sock.recv(8192)
        while len(response) < int.from_bytes(response[2:6], "big"):
            response += self._sock.recv(8192)
        self.record.append((command, response))
        return response


@contextlib.contextmanager
def exchange_with(folder: Path, banks: str) -> Iterator[Exchange]:
    """A Unix socket has 107 bytes for its path, so `folder` is a short one."""
    state = folder / "state"
    state.mkdir()
    setup = [require("swtpm_setup"), "--tpm2", "--tpmstate", str(state), "--pcr-banks", banks, "--overwrite"]
    subprocess.run(setup, check=True, capture_output=True, timeout=_SECONDS)
    where = folder / "tpm"
    argv = [require("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={state}", "--flags", "not-need-init"]
    argv += ["--server", f"type=unixio,path={where}"]
    with subprocess.Popen(argv) as process:
        try:
            with _connected(where, process) as sock:
                exchange = Exchange(sock)
                assert exchange.ask(_STARTUP_CLEAR)[6:10] == bytes(4)
                yield exchange
        finally:
            process.kill()  # swtpm 0.10 may wait for its client after SIGTERM; its state is not used again


def _connected(where: Path, process: subprocess.Popen[bytes]) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(_SECONDS)
    until = time.monotonic() + _SECONDS
    while True:
        try:
            sock.connect(str(where))
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(_PAUSE_SECONDS)
        else:
            return sock

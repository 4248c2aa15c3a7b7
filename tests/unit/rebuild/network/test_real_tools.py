"""The programs that projects fetch with, in a real sandbox: each finds the proxy and its authority by the environment."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.http import serve
from builders.local_reach import local_reach, secured
from builders.scripts_network import Network
from builders.tools import require
from teekit_verify.core.errors import ToolFailedError
from teekit_verify.rebuild.network.recording import Answers
from teekit_verify.rebuild.network.room import VARIABLES, Room, behind
from teekit_verify.rebuild.network.sources import Player, Recorder
from teekit_verify.rebuild.sandbox import Sandbox, own_first_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builders.http import Server
    from teekit_verify.rebuild.network.sources import Source


class Fetches:
    """Runs a script once with the server, and once with its recording; both must print the same."""

    def __init__(self, network: Network, address: str, server: Server) -> None:
        self.network, self.address, self.server = network, address, server

    def _run(self, name: str, source: Source, script: str) -> str:
        room = Room.make(self.network.folder / name, source, self.network.reach)
        alternatives = Path("/etc/alternatives")
        sandbox = Sandbox(
            root=Path("/"),
            tree=("usr",),
            read_only_binds={**room.binds, **({str(alternatives): alternatives} if alternatives.exists() else {})},
            environment={"PATH": "/usr/bin:/usr/sbin", "HOME": "/root", **VARIABLES},
            working_directory="/root",
            first_id=own_first_id(),
        )
        with room.open():
            return sandbox.run(behind(["sh", "-euc", script]), timeout_seconds=120).stdout.decode()

    def twice(self, script: str) -> str:
        recorder = Recorder(self.network.store, self.network.reach)
        text = script.replace("@", self.address)
        first = self._run("A", recorder, text)
        self.server.files.clear()
        asked = len(self.server.requests)
        player = Player(self.network.store, Answers.of(recorder.recording()))
        assert self._run("B", player, text) == first
        assert (player.missed, len(self.server.requests)) == ([], asked)
        return first


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def fetches(tmp_path: Path) -> Iterator[Fetches]:
    tmp_path.chmod(0o755)
    with serve() as server, secured(server, tmp_path) as (address, authority):
        yield Fetches(Network(tmp_path, local_reach(authority)), address, server)


def test_curl(fetches: Fetches) -> None:
    require("curl")
    fetches.server.files["/a"] = b"some bytes"
    fetches.server.answers["/moved"] = lambda exchange: exchange.redirect("/a")
    assert fetches.twice("curl -fsSL @/moved") == "some bytes"


def test_python(fetches: Fetches) -> None:
    fetches.server.files["/a"] = b"some bytes"
    program = 'import urllib.request as u; print(u.urlopen("@/a").read().decode())'
    assert fetches.twice(f"python3 -c '{program}'") == "some bytes\n"


def test_git(fetches: Fetches, tmp_path: Path) -> None:
    """A repository as plain files (gitprotocol-http(5), "dumb" clients): some dozen requests, some of them in vain."""
    work, bare = tmp_path / "work", tmp_path / "work/.git"
    for words in (["init", "-qb", "main", str(work)], ["-C", str(work), "commit", "-qm", "x", "--allow-empty"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words], check=True, env={"PATH": "/usr/bin"}
        )
    subprocess.run(["git", "-C", str(work), "update-server-info"], check=True)
    for path in bare.rglob("*"):
        if path.is_file():
            name = f"/theirs.git/{path.relative_to(bare)}"
            fetches.server.files[name] = path.read_bytes()
            query = f"{name}?service=git-upload-pack"
            fetches.server.files[query] = path.read_bytes()
    head = subprocess.run(["git", "-C", str(work), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    script = "git clone --quiet @/theirs.git copy && git -C copy rev-parse HEAD"
    assert fetches.twice(script) == head.stdout


def test_npm(fetches: Fetches) -> None:
    require("npm")
    archive = packed({"package/package.json": json.dumps({"name": "left", "version": "1.0.0"}).encode()})
    versions = {"1.0.0": {"name": "left", "version": "1.0.0", "dist": {"tarball": f"{fetches.address}/left.tgz"}}}
    metadata = {"name": "left", "dist-tags": {"latest": "1.0.0"}, "versions": versions}
    fetches.server.files |= {"/left": json.dumps(metadata).encode(), "/left.tgz": archive}
    script = "npm install --registry=@/ --no-audit --no-fund --no-update-notifier --silent left && ls node_modules"
    assert fetches.twice(script).split() == ["left"]


def test_nothing_else_leads_out(fetches: Fetches) -> None:
    """Neither the server itself, nor names, nor the host's loopback: the sandbox has no network but the proxy."""
    port = fetches.server.server_address[1]
    connect = f'import socket; socket.create_connection(("127.0.0.1", {port}), 5)'
    recorder = Recorder(fetches.network.store, fetches.network.reach)
    for name, program in (("A", connect), ("B", 'import socket; socket.getaddrinfo("example.org", 80)')):
        with pytest.raises(ToolFailedError, match=r"ConnectionRefusedError|gaierror"):
            fetches._run(name, recorder, f"python3 -c '{program}'")
    assert fetches.server.requests == []

"""Scripts of a real mkosi fetch through the proxy: each kind that mkosi gives a network, outside and in the image, of main and other images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from builders.http import serve
from builders.local_reach import local_reach, secured
from builders.scripts_network import Network
from teekit_verify.cli.options.shared import SNAPSHOT_ARCHIVE, cache_directory
from teekit_verify.rebuild.network.recording import Answers
from teekit_verify.rebuild.network.room import Room, behind, mkosi_options
from teekit_verify.rebuild.network.sources import Player, Recorder
from teekit_verify.rebuild.provision import Provision
from teekit_verify.rebuild.sandbox import Sandbox, own_first_id
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from pathlib import Path

    from integration.conftest import UsableProject
    from teekit_verify.rebuild.environment import Environment
    from teekit_verify.rebuild.network.sources import Source

CONFIGURATION = """\
[Distribution]
Distribution=custom
[Output]
Format=directory
Output=theirs
[Content]
Bootable=no
[Build]
WithNetwork=yes
"""
FETCH = """\
#!/bin/sh
set -eu
python3 -c 'import sys, urllib.request as u; assert u.urlopen(sys.argv[1]).read() == b"the bytes"' @/NAME
"""
# A root with one program in it, which asks over https and trusts what SSL_CERT_FILE says.
ROOT = """\
root=$BUILDROOT lib=usr/lib/x86_64-linux-gnu
mkdir -p "$root/etc" "$root/usr/bin" "$root/$lib" "$root/usr/lib64"
cp /usr/bin/openssl "$root/usr/bin"
for one in ssl.so.3 crypto.so.3 c.so.6 z.so.1 zstd.so.1; do cp -L "/$lib/lib$one" "$root/$lib"; done
cp -L /usr/lib64/ld-linux-x86-64.so.2 "$root/usr/lib64"
for one in bin lib lib64; do ln -sfn "usr/$one" "$root/$one"; done
echo ID=custom >"$root/usr/lib/os-release"
"""
IN_IMAGE = """\
#!/bin/sh
set -eu
host=$(echo @ | sed s,https://,,)
printf 'GET /in-image HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' "$host" |
    mkosi-chroot openssl s_client -quiet -verify_return_error -proxy "${https_proxy#http://}" -connect "$host" | grep 'the bytes'
"""
# What an environment with curl and git has for scripts of projects: `git ls-remote` asks a server of plain files, as gitprotocol-http(5) has it.
PROGRAMS = """\
test "$(curl --fail --silent @/curl)" = 'the bytes'
test "$(git ls-remote @/repository main)" = "$(printf 'COMMIT\\trefs/heads/main')"
cd "$(mktemp -d)"
git init --quiet
git -c user.name=me -c user.email=me@example.org commit --quiet --allow-empty --message=first
git -c user.name=me -c user.email=me@example.org tag --annotate --message=one v1.0
test "$(git describe)" = v1.0
"""
COMMIT = "5ad9c1c8cd8ae96c0e4ba9e1a0fcd0d2ef1a1b56"
REFS = "/repository/info/refs?service=git-upload-pack"


@pytest.fixture(scope="session")
def older_environment(usable_project: UsableProject) -> Environment:
    return Provision(usable_project.project, cache_directory(), StderrProgress(), None, SNAPSHOT_ARCHIVE).environment()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more", "by_programs"),
    [("older_environment", "", set()), ("newer_environment", PROGRAMS, {"/curl", REFS, "/repository/HEAD"})],
)
def test_scripts_fetch_wherever_mkosi_runs_them(
    name: str, more: str, by_programs: set[str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    environment: Environment = request.getfixturevalue(name)
    tmp_path.chmod(0o755)
    with serve() as server, secured(server, tmp_path) as (address, authority):
        server.otherwise = lambda exchange: exchange.serve(b"the bytes")
        server.answers[REFS] = lambda exchange: exchange.serve(f"{COMMIT}\trefs/heads/main\n".encode())
        project = write_project(tmp_path / "project", address, more)
        network = Network(tmp_path, local_reach(authority))
        recorder = Recorder(network.store, network.reach)
        run_mkosi(environment, project, tmp_path / "A", network, recorder)
    recording = recorder.recording()
    asked = {one.asked.url.removeprefix(address) for one in recording.exchanges}
    assert asked == {"/sync", "/prepare", "/build", "/postinst", "/in-image", "/sub"} | by_programs
    player = Player(network.store, Answers.of(recording))
    run_mkosi(environment, project, tmp_path / "B", network, player)
    assert player.missed == []


def write_project(folder: Path, address: str, more: str) -> Path:
    (folder / "mkosi.images/sub").mkdir(parents=True)
    files = {
        "mkosi.conf": CONFIGURATION.replace("[Distribution]", "[Config]\nDependencies=sub\n[Distribution]"),
        "mkosi.sync": FETCH.replace("NAME", "sync"),
        "mkosi.prepare": FETCH.replace("NAME", "prepare") + ROOT,
        "mkosi.build": FETCH.replace("NAME", "build") + more.replace("COMMIT", COMMIT),
        "mkosi.postinst": FETCH.replace("NAME", "postinst"),
        "mkosi.finalize": IN_IMAGE,
        "mkosi.images/sub/mkosi.conf": "[Output]\nFormat=directory\n[Content]\nBootable=no\n",
        "mkosi.images/sub/mkosi.prepare": FETCH.replace("NAME", "sub") + ROOT,
    }
    for name, text in files.items():
        (folder / name).write_text(text.replace("@", address))
        (folder / name).chmod(0o644 if name.endswith(".conf") else 0o755)
    return folder


def run_mkosi(environment: Environment, project: Path, folder: Path, network: Network, source: Source) -> None:
    folder.mkdir(mode=0o755)
    (folder / "work").mkdir()
    first = own_first_id()
    if first is not None:
        os.chown(folder / "work", first, first)
    room = Room.make(folder / "network", source, network.reach)
    sandbox = Sandbox(
        root=environment.root,
        binds={"/work": folder / "work"},
        read_only_binds={**room.binds, "/source": project},
        first_id=first,
        proxied=True,
    )
    places = (
        *("--output-directory=/work/output", "--workspace-directory=/work", "--cache-directory=/work/cache"),
        "--package-cache-dir=/work/packages",
    )
    argv = ["mkosi", "--directory=/source", *mkosi_options(), "--tools-tree=", "--history=no", *places, "build"]
    with room.open():
        sandbox.run(behind(argv), timeout_seconds=1800)

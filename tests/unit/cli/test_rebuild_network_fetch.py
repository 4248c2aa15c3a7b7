"""`rebuild --allow-network-fetch`, whole: a project whose scripts fetch, through the real sandbox and proxy."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from builders import keys, rebuilds
from builders.debian_archive import DebianArchive, make_deb
from builders.http import serve
from builders.local_reach import local_reach
from builders.repositories import Repository
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.cli.app import main
from teekit_verify.rebuild import apt_root, provision
from teekit_verify.rebuild.network import fetching
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.stranger import StrangersTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from builders.http import Server
    from builders.rebuilds import Miniature

SUMMARY = {
    "Architecture": "x86-64",
    "Distribution": "debian",
    "Format": "uki",
    "ManifestFormat": ["json"],
    "Output": "theirs",
    "Packages": ["base-files"],
    "Release": "trixie",
}
MKOSI = """\
set -eu
case "$*" in *summary) cat "$2/summary.json"; exit ;; esac
for argument; do
    case $argument in
        --output-directory=*) output=${argument#*=} ;;
        --environment=*) export "${argument#*=}" ;;
    esac
done
cd "$2"
. ./build.sh
"""
FETCH = """\
fetch() { python3 -c 'import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())' "$1"; }
"""
BUILD = """\
fetch @/image >"$output/theirs.efi"
echo '{"packages": []}' >"$output/theirs.manifest"
"""


@pytest.fixture
def miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Miniature]:
    """The environment has this host's programs, Python among them, and a `mkosi` of the project's own."""
    require("python3")
    tree = tmp_path / "tree"
    for folder in ("etc", "var/tmp"):
        (tree / folder).mkdir(parents=True)
    (tree / "usr").symlink_to("/usr")
    (tree / "etc/resolv.conf").touch()
    made = rebuilds.isolated(tmp_path, tree, monkeypatch)
    monkeypatch.setattr(Project, "find", classmethod(lambda *_: made.project))
    monkeypatch.setattr(StrangersTarget, "mkosi", _standin(StrangersTarget.mkosi))
    monkeypatch.setattr(provision.Provision, "environment", lambda _: rebuilds.environment(tree))
    shutil.rmtree(tmp_path / "mirror", ignore_errors=True)
    (tmp_path / "signer").mkdir()
    debian = DebianArchive.make(tmp_path / "signer")
    try:
        make_deb(debian.pool("debian", "trixie") / "base-files", "base-files", "13", {"etc/x": ""}, essential=True)
        debian.publish()
        (tmp_path / "mirror").symlink_to(debian.root)
        monkeypatch.setattr(apt_root, "KEYRING", debian.keyring)
        yield made
    finally:
        debian.close()


def _standin(real: Any) -> Any:
    def mkosi(self: StrangersTarget, directory: str, *arguments: str) -> list[str]:
        return ["sh", f"{directory}/mkosi.standin", *real(self, directory, *arguments)[1:]]

    return mkosi


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetching, "PUBLIC", local_reach())
    with serve() as made:
        made.files["/image"] = build_uki()
        yield made


def project(miniature: Miniature, server: Server, build: str = BUILD) -> Path:
    made = Repository.make(miniature.folder / "stranger")
    made.write("build.sh", (FETCH + build.replace("@", server.address())).encode())
    made.write("mkosi.standin", MKOSI.encode())
    made.write("summary.json", json.dumps({"Images": [SUMMARY]}).encode())
    made.write("mkosi.conf", b"[Content]\n")
    made.write("mkosi.prepare", b"curl --fail https://files.example.org/image\n")  # what it is told by
    made.commit()
    return made.folder


def rebuild(miniature: Miniature, source: Path, *arguments: str) -> int:
    return int(main(miniature.argv("--source", str(source), "--mkosi-args", "", *arguments)))


def report(miniature: Miniature) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((miniature.report / "report.json").read_text())
    return content


def test_it_is_refused_recorded_named_and_replayed(
    miniature: Miniature, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    source = project(miniature, server)
    assert rebuild(miniature, source) == 2
    assert "--allow-network-fetch" in capsys.readouterr().err
    assert rebuild(miniature, source, "--allow-network-fetch") == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "UNREFERENCED: " in shown
    assert "; with 1 file fetched by scripts" in shown
    assert len(server.requests) == 1  # build B asked nobody
    network = report(miniature)["network"]
    (file,) = network["fetched"]
    assert (file["method"], file["url"], file["status"]) == ("GET", server.address("/image"), 200)
    assert (network["is_replayed"], network["missed"], network["not_fetched"]) == (False, [], [])
    assert file["sha256"] == report(miniature)["artifacts"][0]["a"]["sha256"]
    assert (miniature.report / "fetched/blobs/sha256" / file["sha256"]).read_bytes() == build_uki()
    assert server.address("/image") in (miniature.report / "report.html").read_text()
    seen = {one["place"]: one["what"] for one in report(miniature)["seen_by_b"]}
    assert "a proxy that fetches for its scripts" in seen["network"]

    reference = miniature.folder / "reference.json"
    assert main(["reference", "create", str(miniature.report), "--release", "r", "--output", str(reference)]) == 0
    for name in ("packages.lock.json", "fetched"):
        (miniature.report / name).rename(miniature.folder / name)
    for place in (miniature.cache / "downloads/sha256").glob("*"):
        if place.name == file["sha256"]:
            place.unlink()  # another machine has only the report
    server.files.clear()
    given = ("--fetched", str(miniature.folder / "fetched"), "--lock", str(miniature.folder / "packages.lock.json"))
    capsys.readouterr()
    replay = (*given, "--offline", "--clean", "--parallel", "--reference", str(reference))
    assert rebuild(miniature, source, *replay) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "REPRODUCED: " in shown
    assert "; with 1 file fetched by scripts" in shown
    assert "attest create" not in shown
    assert report(miniature)["network"]["is_replayed"] is True
    assert len(server.requests) == 1
    key = miniature.folder / "key.pem"
    key.write_bytes(keys.private_pem("somebody"))
    attest = ["attest", "create", str(miniature.report), "--key", str(key), "--name", "somebody"]
    assert main([*attest, "--output", str(miniature.folder / "statement.json")]) == 2
    assert "scripts fetched from the network, and a statement cannot say what" in capsys.readouterr().err

    blob = miniature.folder / "fetched/blobs/sha256" / file["sha256"]
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    (miniature.cache / "downloads/sha256" / file["sha256"]).unlink()
    assert rebuild(miniature, source, *given, "--offline", "--clean") == 2
    assert f"fetched file {file['sha256'][:12]}" in capsys.readouterr().err


@pytest.mark.parametrize("fails", ["set -e", "set +e"])
def test_what_only_build_b_asks_for_is_named(
    fails: str, miniature: Miniature, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the script ends there, or goes on without the file."""
    server.otherwise = lambda exchange: exchange.serve(build_uki())
    build = BUILD.replace("@/image", '"@/$(hostname)"')
    source = project(miniature, server, f"{fails}\n{build}")
    assert rebuild(miniature, source, "--allow-network-fetch") == 2
    wanted = (
        f"its scripts asked for {server.address('/second.example.org')} (GET), which the recording of the other build"
    )
    assert wanted in " ".join(capsys.readouterr().err.split())
    assert wanted in " ".join(report(miniature)["failure"].split())
    assert len(server.requests) == 1


def test_a_build_that_goes_on_all_the_same_is_told_too(
    miniature: Miniature, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    more = 'fetch "@/$(hostname)" >/dev/null || :\nfetch http://169.254.169.254/latest/ >/dev/null || :\n'
    server.files["/first"] = b"x"
    source = project(miniature, server, BUILD + more)
    assert rebuild(miniature, source, "--allow-network-fetch") == 1
    network = report(miniature)["network"]
    assert [(one["build"], one["url"]) for one in network["missed"]] == [("B", server.address("/second.example.org"))]
    assert network["not_fetched"] == [{"asked": "http://169.254.169.254/latest/", "why": "address"}]
    shown = " ".join(capsys.readouterr().out.split())
    assert "scripts asked for what the recording does not have" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--allow-network-fetch", "--offline"), "--allow-network-fetch and --offline cannot be used together"),
        (("--allow-network-fetch", "--parallel"), "--allow-network-fetch and --parallel cannot be used together"),
        (("--allow-network-fetch", "--without-network"), "--allow-network-fetch and --without-network cannot be used"),
    ],
)
def test_options_that_contradict_each_other(
    miniature: Miniature,
    server: Server,
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert rebuild(miniature, project(miniature, server), *arguments) == 2
    assert message in capsys.readouterr().err


def test_it_is_for_projects_of_others(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(miniature.argv("--allow-network-fetch")) == 2
    assert "--allow-network-fetch and --fetched are for a project of somebody else" in capsys.readouterr().err

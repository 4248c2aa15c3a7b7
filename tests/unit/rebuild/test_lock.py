"""Package locks: the same bytes again, and hostile files refused by the field that is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import lock
from teekit_verify.rebuild.lock import EnvironmentIdentity

CHECKOUT = Path(__file__).parents[3]
STORE_PATH = "/nix/store/" + "0" * 32 + "-teekit-build-env"
NAR_HASH = "sha256-" + "A" * 43 + "="


def package(**changes: object) -> dict[str, object]:
    return {
        "name": "bash",
        "version": "5.2.37-2+b10",
        "architecture": "amd64",
        "archive": "debian",
        "path": "pool/main/b/bash/bash_5.2.37-2+b10_amd64.deb",
        "size_bytes": 1500792,
        "sha256": "2" * 64,
        "targets": ["base"],
    } | changes


def document(*packages: dict[str, object], **changes: object) -> dict[str, object]:
    """In the order and form of the committed locks."""
    beginning = {"schema": "teekit-verify/package-lock/v1", "suite": "trixie", "snapshot": "20261121T081046Z"}
    return beginning | changes | {"packages": changes.get("packages", list(packages or (package(),)))}


def load(tmp_path: Path, content: dict[str, Any] | bytes) -> lock.PackageLock:
    path = tmp_path / "lock.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=1).encode() + b"\n")
    return lock.load(path)


def refusal(tmp_path: Path, content: dict[str, Any] | bytes) -> str:
    with pytest.raises(TeekitError) as caught:
        load(tmp_path, content)
    assert caught.value.message.startswith(f"{tmp_path}/lock.json: ")
    return caught.value.message.removeprefix(f"{tmp_path}/lock.json: ")


@pytest.mark.parametrize("name", ["nix/build-env.lock.json", "mkosi/packages.lock.json"])
def test_the_committed_locks_are_in_their_only_form(name: str) -> None:
    path = CHECKOUT / name
    locked = lock.load(path)
    assert locked.dump() == path.read_bytes()
    assert locked.digest().hex == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_lock_is_written_and_read_as_the_same_bytes(tmp_path: Path) -> None:
    content = document(environment={"store_path": STORE_PATH, "nar_hash": NAR_HASH})
    locked = load(tmp_path, content)
    locked.write(tmp_path / "lock.json")
    assert (tmp_path / "lock.json").read_bytes() == json.dumps(content, indent=1).encode() + b"\n"
    assert lock.load(tmp_path / "lock.json") == locked
    assert [path.name for path in tmp_path.iterdir()] == ["lock.json"]


@pytest.mark.parametrize("indent", [None, 2])
def test_another_form_of_the_same_lock_is_refused(tmp_path: Path, indent: int | None) -> None:
    (tmp_path / "lock.json").write_text(json.dumps(document(), indent=indent) + "\n")
    with pytest.raises(lock.LockError) as caught:
        lock.load(tmp_path / "lock.json")
    assert caught.value.message == f"{tmp_path}/lock.json was edited by hand"
    assert caught.value.hint == "Restore the committed lock, or make a new one."


def test_the_digest_of_a_targets_items_is_of_no_others(tmp_path: Path) -> None:
    shared = package(targets=["base", "full"])
    other = package(name="dash", path="pool/main/d/dash/dash_1_amd64.deb", targets=["full"])
    locked = load(tmp_path, document(shared, other))
    line = f"{shared['name']} {shared['version']} {shared['architecture']} {shared['sha256']}\n"
    assert locked.digest_for("base").hex == hashlib.sha256(line.encode()).hexdigest()
    alone = load(tmp_path, document({**shared, "targets": ["base"]}, snapshot="20300101T000000Z"))
    assert alone.digest_for("base") == locked.digest_for("base") != locked.digest_for("full")


def test_the_environment_is_put_in(tmp_path: Path) -> None:
    identity = EnvironmentIdentity(store_path=STORE_PATH, nar_hash=NAR_HASH)
    locked = load(tmp_path, document())
    assert locked.environment is None
    assert b'"environment"' not in locked.dump()
    assert locked.with_environment(identity).environment == identity


def test_the_packages_of_a_target(tmp_path: Path) -> None:
    other = package(name="dash", path="pool/main/d/dash/dash_1_amd64.deb", targets=["base", "base+debian-kernel"])
    locked = load(tmp_path, document(package(), other))
    assert [p.name for p in locked.for_target("base")] == ["bash", "dash"]
    assert [p.name for p in locked.for_target("base+debian-kernel")] == ["dash"]
    with pytest.raises(lock.LockError) as caught:
        locked.for_target("full")
    assert caught.value.message == "the lock names no packages for the image full"
    assert caught.value.hint == "Make a new lock with `teekit-verify lock`."


def test_where_a_package_can_be_had(tmp_path: Path) -> None:
    version = "1:2.0~rc1+dfsg-1"
    locked = load(tmp_path, document(package(version=version, path="pool/main/b/bash/bash_2.0~rc1+dfsg-1_amd64.deb")))
    remote = locked.packages[0].remote_file(
        [("debian", "http://m/debian"), ("debian-security", "http://m/debian-security"), ("debian", "file:///d")]
    )
    assert remote.name == f"package bash {version}"
    assert remote.urls == (
        "http://m/debian/pool/main/b/bash/bash_2.0~rc1%2Bdfsg-1_amd64.deb",
        "file:///d/pool/main/b/bash/bash_2.0~rc1%2Bdfsg-1_amd64.deb",
    )
    assert (remote.size_bytes, remote.digest.algorithm, remote.digest.hex) == (1500792, Algorithm.SHA256, "2" * 64)


def test_no_lock_at_all(tmp_path: Path) -> None:
    with pytest.raises(lock.LockError) as caught:
        lock.load(tmp_path / "none.json")
    assert caught.value.message == f"there is no lock file {tmp_path}/none.json"
    assert caught.value.hint == "Make one with `teekit-verify lock`."


@pytest.mark.parametrize(
    "path",
    [
        "pool/../../etc/passwd.deb",
        "pool/main/../../../x.deb",
        "pool/../x.deb",
        "pool/./x.deb",
        "pool/main/.x.deb",
        "pool/main/b/bash/..deb",
        "/pool/main/x.deb",
        "/etc/x.deb",
        "pool//x.deb",
        "pool/main//x.deb",
        "//evil.example.org/pool/x.deb",
        "http://evil.example.org/pool/x.deb",
        "pool/main/x.deb\n",
        "pool/main/x.deb/",
        "pool/main/x y.deb",
        "pool/main/x.deb?y",
        "pool/main/\u0660.deb",
        "pool.deb",
        "pool/main/x.udeb",
        "pool/" + "x" * 1100 + ".deb",
        7,
        None,
    ],
)
def test_a_path_that_is_not_in_the_pool_is_refused(tmp_path: Path, path: object) -> None:
    assert refusal(tmp_path, document(package(path=path))).startswith("packages[0].path: ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../bash"),
        ("name", "-o"),
        ("name", ""),
        ("version", "1 2"),
        ("version", "1_2"),
        ("version", 1),
        ("architecture", "arm64"),
        ("archive", "ubuntu"),
        ("size_bytes", 0),
        ("size_bytes", -1),
        ("size_bytes", 1 << 32),
        ("size_bytes", 1.5),
        ("size_bytes", "1"),
        ("size_bytes", True),
        ("sha256", "2" * 63),
        ("sha256", "A" * 64),
        ("sha256", "2" * 64 + "\n"),
        ("targets", "base"),
        ("targets", [1]),
        ("extra", 1),
    ],
)
def test_a_wrong_field_of_a_package_is_named(tmp_path: Path, field: str, value: object) -> None:
    good = package(name="dash", path="pool/main/d/dash/dash_1_amd64.deb")
    assert refusal(tmp_path, document(good, package(**{field: value}))).startswith(f"packages[1].{field}")


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("schema", "teekit-verify/package-lock/v2", "schema"),
        ("suite", "trixie/../x", "suite"),
        ("snapshot", "yesterday", "snapshot"),
        ("snapshot", "\u0662\u0660261121T081046Z", "snapshot"),
        ("snapshot", "20261121T081046Z\n", "snapshot"),
        ("packages", [], "packages"),
        ("packages", {}, "packages"),
        ("environment", {"store_path": "/etc", "nar_hash": NAR_HASH}, "environment.store_path"),
        ("environment", {"store_path": f"{STORE_PATH}/../../x", "nar_hash": NAR_HASH}, "environment.store_path"),
        ("environment", {"store_path": STORE_PATH, "nar_hash": "sha256-x"}, "environment.nar_hash"),
        ("environment", {"store_path": STORE_PATH}, "environment.nar_hash"),
        ("what", 1, "what"),
    ],
)
def test_a_wrong_field_of_a_lock_is_named(tmp_path: Path, field: str, value: object, named: str) -> None:
    assert refusal(tmp_path, document(**{field: value})).startswith(f"{named}: ")


def test_the_same_package_twice_is_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, document(package(), package(path="pool/main/b/bash/other_amd64.deb")))
    assert message == "packages: the package 'bash 5.2.37-2+b10 (amd64)' is listed twice"


def test_two_packages_with_one_file_name_are_refused(tmp_path: Path) -> None:
    """Builds see all packages in one folder: the second one would take the place of the first."""
    other = package(name="dash", archive="debian-security", path="pool/updates/bash_5.2.37-2+b10_amd64.deb")
    message = refusal(tmp_path, document(package(), other))
    assert message == "packages: the file name 'bash_5.2.37-2+b10_amd64.deb' is listed twice"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not JSON: Expecting value"),
        (b"\xff", "is not JSON: byte 0xff is not UTF-8: line 1 column 1"),
        (b"[]", "is not a document of this tool: it has no field 'schema'"),
        (b"[" * 100_000, "is not JSON: nested too deeply"),
        (b'{"schema": NaN}', "is not JSON: NaN is not a JSON number"),
        (b'{"schema": "a", "schema": "b"}', "is not JSON: the key 'schema' occurs twice"),
        (b'{"schema": ' + b"1" * 5000 + b"}", "is not JSON: Exceeds the limit"),
        (b" " * (17 << 20), "has more than 8 MiB, too large for a JSON document"),
    ],
    ids=["empty", "binary", "list", "deep", "nan", "duplicate", "huge-number", "17-mebibytes"],
)
def test_what_is_no_lock_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    assert refusal(tmp_path, content).startswith(problem)


def test_a_number_that_is_none_in_a_field(tmp_path: Path) -> None:
    content = json.dumps(document(package(size_bytes=float("inf")))).encode()
    assert refusal(tmp_path, content) == "is not JSON: Infinity is not a JSON number"

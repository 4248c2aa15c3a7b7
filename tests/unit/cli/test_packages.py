"""`packages` through main(argv): lists as rebuilderd serves them (kpcyrd/rebuilderd, common/src/api/v0 and v1/models/package.rs)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from builders import http
from builders.published_schemas import problems
from builders.rebuilds import lock_of
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.rebuild.lock import LockedPackage
from teekit_verify.reference import rebuilderd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builders.http import Exchange, Server

V0, V1 = "/api/v0/pkgs/list?distro=debian", "/api/v1/packages/binary?distribution=debian&limit=5000&after="


def _package(
    name: str, version: str, architecture: Literal["amd64", "all"] = "amd64", file_version: str = ""
) -> LockedPackage:
    path = f"pool/main/h/{name}/{name}_{file_version or version}_{architecture}.deb"
    return LockedPackage(
        name=name,
        version=version,
        architecture=architecture,
        archive="debian",
        path=path,
        size_bytes=1,
        sha256="a" * 64,
    )


LOCKED = (
    _package("bash", "5.2.37-2+b5"),
    _package("dash", "1:0.5.12-12", file_version="0.5.12-12"),
    _package("tzdata", "2025b-4", "all"),
    _package("zlib1g", "1:1.3-1", file_version="1.3-1"),
)


def _v0(package: LockedPackage, status: str, **fields: object) -> dict[str, object]:
    return {
        "name": package.name,
        "version": package.version,
        "status": status,
        "distro": "debian",
        "suite": "main",
        "architecture": package.architecture,
        "artifact_url": f"https://deb.example/debian/{package.path.replace('+', '%2B')}",
        "build_id": 7,
        "built_at": "2026-11-20T03:04:05.123456",
        "has_diffoscope": False,
        "has_attestation": True,
    } | fields


def _v1(package: LockedPackage, status: str | None, number: int) -> dict[str, object]:
    return {
        "id": number,
        "name": package.name,
        "version": package.version,
        "distribution": "debian",
        "release": "trixie",
        "component": "main",
        "architecture": package.architecture,
        "url": f"https://deb.example/debian/{package.path}",
        "status": status,
        "build_id": None,
        "artifact_id": None,
        "diffoscope_log_id": None,
        "attestation_log_id": None,
        "last_seen": "2026-11-20T03:04:05",
        "seen_in_last_sync": True,
    }


ALL_GOOD = [_v0(package, "GOOD") for package in LOCKED]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    lock_of(*LOCKED).write(tmp_path / "lock.json")
    return tmp_path / "lock.json"


@pytest.fixture
def server() -> Iterator[Server]:
    with http.serve() as running:
        yield running


def _asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, lock: Path, *lists: object, more: tuple[str, ...] = ()
) -> dict[str, Any]:
    arguments = list(more)
    for number, content in enumerate(lists):
        file = tmp_path / f"list{number}.json"
        file.write_text(json.dumps(content))
        arguments += ["--from", str(file)]
    capsys.readouterr()
    status = main(["packages", str(lock), *arguments, "--json"])
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("packages-v1", fields) == []
    assert fields["exit_status"] == status
    return fields


def _standings(fields: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["standing"] for item in fields["packages"]}


def test_all_good(tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = _asked(capsys, tmp_path, lock, ALL_GOOD)
    assert (fields["exit_status"], set(_standings(fields).values())) == (0, {"good"})
    assert main(["packages", str(lock), "--from", str(tmp_path / "list0.json")]) == ExitStatus.HOLDS
    assert capsys.readouterr().out.splitlines()[-1] == (
        "100.0 % of the packages of Debian (4 of 4) were reproduced by others"
    )


def test_bad_unknown_and_not_listed(tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = [_v0(LOCKED[0], "BAD"), _v0(LOCKED[1], "UNKWN"), _v0(LOCKED[2], "GOOD")]
    fields = _asked(capsys, tmp_path, lock, listed)
    assert fields["exit_status"] == 1
    assert _standings(fields) == {"bash": "bad", "dash": "unknown", "tzdata": "good", "zlib1g": "not_listed"}
    assert main(["packages", str(lock), "--from", str(tmp_path / "list0.json")]) == ExitStatus.DOES_NOT_HOLD
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["bash", "5.2.37-2+b5", "amd64"],
        ["dash", "1:0.5.12-12", "amd64"],
        ["zlib1g", "1:1.3-1", "amd64"],
    ]
    assert lines[-1] == (
        "NOT ALL REPRODUCED: 25.0 % of the packages of Debian (1 of 4) were reproduced by others, 1 could not be"
    )
    assert main(["packages", str(lock), "--from", str(tmp_path / "list0.json"), "--quiet"]) == ExitStatus.DOES_NOT_HOLD
    assert capsys.readouterr().out.splitlines() == lines[-1:]
    fields = _asked(capsys, tmp_path, lock, listed[1:])
    assert fields["exit_status"] == 2
    assert main(["packages", str(lock), "--from", str(tmp_path / "list0.json")]) == ExitStatus.NO_VERDICT
    assert "NOT KNOWN OF ALL: 25.0 %" in capsys.readouterr().out
    assert _asked(capsys, tmp_path, lock, listed[1:], more=("--allow-unknown",))["exit_status"] == 0
    assert _asked(capsys, tmp_path, lock, listed, more=("--allow-unknown",))["exit_status"] == 1
    assert _asked(capsys, tmp_path, lock, listed[1:2], more=("--allow-unknown",))["exit_status"] == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "5.2.37-2"},
        {"architecture": "arm64"},
        {"distro": "archlinux"},
        {"artifact_url": "https://deb.example/debian/pool/main/b/bash/bash_5.2.37-2+b5_arm64.deb"},
        {"name": "Bash"},
    ],
)
def test_what_is_about_another_package(
    tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, str]
) -> None:
    fields = _asked(capsys, tmp_path, lock, [*ALL_GOOD[1:], _v0(LOCKED[0], "GOOD", **changed)])
    assert _standings(fields)["bash"] == "not_listed"


def test_one_bad_outweighs_the_good(tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = _asked(capsys, tmp_path, lock, ALL_GOOD, [_v0(LOCKED[0], "BAD")], ALL_GOOD)
    assert (fields["exit_status"], _standings(fields)["bash"]) == (1, "bad")
    assert [item["status"] for item in fields["packages"][0]["said"]] == ["GOOD", "BAD", "GOOD"]
    assert [Path(item["source"]).name for item in fields["packages"][0]["said"]] == [
        *("list0.json", "list1.json", "list2.json"),
    ]


@pytest.mark.parametrize("listed", [[], [_v0(LOCKED[0], "UNKWN")], [_v0(LOCKED[0], "GOOD", distro="archlinux")]])
def test_a_list_of_something_else_is_no_answer(
    tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str], listed: list[object]
) -> None:
    assert _asked(capsys, tmp_path, lock, listed)["exit_status"] == 2
    assert main(["packages", str(lock), "--from", str(tmp_path / "list0.json")]) == ExitStatus.NO_VERDICT
    assert "NO PACKAGE IS GOOD" in capsys.readouterr().out


def test_a_rebuilder_is_asked(server: Server, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.files[V0] = json.dumps(ALL_GOOD).encode()
    assert main(["packages", str(lock), "--rebuilderd", server.address("/")]) == ExitStatus.HOLDS
    assert f"asked: {server.address()}" in capsys.readouterr().out
    assert [path for path, _ in server.requests] == [V0]


def test_a_rebuilder_with_pages(server: Server, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Version 0 is gone there."""
    records = [_v1(package, "GOOD", number) for number, package in enumerate(LOCKED, start=3)]
    server.files[f"{V1}0"] = json.dumps({"total": 4, "records": records[:3]}).encode()
    server.files[f"{V1}5"] = json.dumps({"total": 4, "records": records[3:]}).encode()
    assert main(["packages", str(lock), "--rebuilderd", server.address()]) == ExitStatus.HOLDS
    assert "100.0 %" in capsys.readouterr().out
    server.files[f"{V1}5"] = json.dumps({"total": 4, "records": []}).encode()
    assert main(["packages", str(lock), "--rebuilderd", server.address()]) == ExitStatus.NO_VERDICT
    assert "says that there are 4 packages, and gave 3" in capsys.readouterr().err
    server.files[f"{V1}5"] = json.dumps({"total": 4, "records": [_v1(LOCKED[3], None, 9)]}).encode()
    assert main(["packages", str(lock), "--rebuilderd", server.address()]) == ExitStatus.NO_VERDICT
    assert "not rebuilt yet" in capsys.readouterr().out


def test_a_rebuilder_that_does_not_answer(server: Server, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.send_error(502)

    server.answers[V0] = refuse
    assert main(["packages", str(lock), "--rebuilderd", server.address(), "--json"]) == ExitStatus.NO_VERDICT
    answer = json.loads(capsys.readouterr().out)["error"]
    assert "answers with HTTP status 502" in answer["message"]
    server.files[V0] = json.dumps(ALL_GOOD).encode()[:-200]
    del server.answers[V0]
    assert main(["packages", str(lock), "--rebuilderd", server.address()]) == ExitStatus.NO_VERDICT
    assert "is it cut off?" in capsys.readouterr().err
    closed = server.address()
    server.shutdown()
    server.server_close()
    assert main(["packages", str(lock), "--rebuilderd", closed, "--json"]) == ExitStatus.NO_VERDICT
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "no_answer"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not JSON"),
        (b"{}", "expected a package list of rebuilderd: an array, or an object with total and records"),
        (b'{"total": 2, "records": [{"name": "x", "distribution": "debian"}]}', "has 1 of 2 packages: it is one page of several"),
        (b'{"total": 1, "records": [7]}', "[0]: expected a package"),
        (b"[7]", "expected a package at offset 0x1"),
        (b"[{}]", "[0]: name: expected text of up to 1024 characters"),
        (b'[{"name": "bash"}]', "[0]: distro: expected text"),
        (b'[{"name": "bash", "name": "dash"}]', "the key 'name' occurs twice in one object"),
        (b'[{"name": ["bash"]}]', "expected a package at offset 0x1"),
        (b'[{"name": "bash", "distro": "debian", "version": "1", "architecture": "amd64", "status": "FINE"}]',
         "[0]: status: expected GOOD, BAD or UNKWN, found 'FINE'"),
        (b'[{"name": "x", "distro": "debian"},]', "expected ',' or ']' at offset"),
        (b'[{"name": "x", "distro": "debian"} {}]', "expected ',' or ']' at offset"),
        (b'[{"name": "x", "distro": "debian"}', "expected ',' or ']' at offset"),
        (b'[{"name": "x", "distro": "debian"}] []', "has something after its end at offset 0x23"),
        (b"[", "expected a package at offset 0x1, found something else: is it cut off?"),
    ],
)  # fmt: skip
def test_what_is_no_list(
    tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str], content: bytes, problem: str
) -> None:
    file = tmp_path / "list.json"
    file.write_bytes(content)
    assert main(["packages", str(lock), "--from", str(file)]) == ExitStatus.NO_VERDICT
    assert problem in capsys.readouterr().err


def test_wrong_usage_and_locks_without_debian(tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["packages", str(lock)]) == ExitStatus.NO_VERDICT
    assert "name --rebuilderd URL or --from FILE" in capsys.readouterr().err
    path = "left-pad/-/left-pad-1.0.0.tgz"
    npm = LockedPackage(
        name="left-pad", version="1.0.0", architecture="all", archive="npm", path=path, size_bytes=1, sha256="b" * 64
    )
    lock_of(*LOCKED, npm).write(tmp_path / "both.json")
    assert _asked(capsys, tmp_path, tmp_path / "both.json", ALL_GOOD)["npm"] == 1
    lock_of(npm).write(tmp_path / "npm.json")
    assert (
        main(["packages", str(tmp_path / "npm.json"), "--from", str(tmp_path / "list0.json")]) == ExitStatus.NO_VERDICT
    )
    assert "the locks list no Debian packages" in capsys.readouterr().err


def test_the_committed_locks_are_read_with_their_copies_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = Path(__file__).parents[3]
    lock = checkout / "nix/build-env.lock.json"
    (tmp_path / "list.json").write_text(json.dumps(ALL_GOOD))
    assert main(["packages", str(lock), str(lock), "--from", str(tmp_path / "list.json"), "--json"]) in {0, 2}
    named = json.loads(lock.read_text())["packages"]
    assert len(json.loads(capsys.readouterr().out)["packages"]) == len(named)


@pytest.mark.parametrize("name", ["v0", "v1"])
def test_answers_of_a_real_rebuilder(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lock_of(LOCKED[0], LOCKED[1], LOCKED[3]).write(tmp_path / "lock.json")
    listed = Path(__file__).parents[2] / f"assets/rebuilderd/{name}.json"
    assert main(["packages", str(tmp_path / "lock.json"), "--from", str(listed), "--json"]) == ExitStatus.DOES_NOT_HOLD
    assert _standings(json.loads(capsys.readouterr().out)) == {"bash": "good", "dash": "bad", "zlib1g": "unknown"}


def test_a_list_with_more_about_a_package_than_there_can_be(
    tmp_path: Path, lock: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read entry by entry, and what is kept of it is bounded too."""
    monkeypatch.setattr(rebuilderd, "MOST_ENTRIES", 3)
    saved = tmp_path / "list.json"
    saved.write_text(json.dumps([_v0(LOCKED[0], "GOOD")] * 4))
    assert main(["packages", str(lock), "--from", str(saved)]) is ExitStatus.NO_VERDICT
    assert "is one of more than 3 entries about the packages in question" in capsys.readouterr().err

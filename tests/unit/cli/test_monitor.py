"""`monitor`: lost inputs, contradictions and unreproduced releases, each told as a value, and nothing when all is well."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from builders import audits, keys, rebuilds, sigsum
from builders.published_schemas import problems
from builders.rebuilds import Miniature
from builders.repositories import Repository
from builders.tools import require
from teekit_verify.cli.app import main

PUBLISHED = "2023-11-14"  # the time of the builders' commits, 1700000000


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    """Release r1, reproduced by alice, and a repository of her statements."""
    made = rebuilds.isolated(tmp_path, tree, monkeypatch)
    audits.publish(made, "r1")
    audit(made, "alice", 0)
    return made


def audit(miniature: Miniature, name: str, status: int, place: str = "statements") -> Path:
    folder = miniature.folder / place
    folder.mkdir(exist_ok=True)
    key = miniature.folder / "keys" / f"{name}.key"
    options = audits.options(miniature, name, folder, key if key.exists() else audits.make_key(key.parent, name))
    assert main(miniature.argv(*options, command="audit")) == status
    return folder


def alarms(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], *arguments: object, status: int
) -> list[dict[str, Any]]:
    """What is told, without what is empty."""
    argv = miniature.argv("--statements", str(miniature.folder / "statements"), command="monitor")
    capsys.readouterr()
    assert main([*argv, *map(str, arguments), "--json"]) == status
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [problems("alarm-v1", line) for line in lines] == [[]] * len(lines)
    heading = {"schema", "exit_status"}
    return [{name: value for name, value in line.items() if value and name not in heading} for line in lines]


def archive(miniature: Miniature) -> Path:
    folder = miniature.folder / "archive"
    argv = miniature.argv("create", "--release", "r1", "--output", str(folder), command="inputs")
    assert main([argv[0], "create", *(word for word in argv[1:] if word != "create")]) == 0
    return folder


def test_all_is_well(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    place = archive(miniature)
    late = ("--inputs", place, "--locks", "--max-age-days", 0, "--on", "2030-01-01")
    assert alarms(miniature, capsys, *late, status=0) == []
    argv = miniature.argv("--statements", str(miniature.folder / "statements"), command="monitor")
    assert main(argv) == 0
    assert capsys.readouterr().out == "NO ALARM\n"


def test_an_archive_that_lost_a_file(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    place = archive(miniature)
    hexadecimal = rebuilds.locked_package().sha256
    (place / "blobs/sha256" / hexadecimal).unlink()
    (alarm,) = alarms(miniature, capsys, "--inputs", place, status=1)
    assert alarm == {
        "kind": "input_lost",
        "release": "r1",
        "what": "missing",
        "place": str(place),
        "file": "hello_2.10-3_amd64.deb",
        "digest": f"sha256:{hexadecimal}",
    }
    (place / "index.json").unlink()
    (alarm,) = alarms(miniature, capsys, "--inputs", place, status=1)
    assert (alarm["kind"], alarm["release"], alarm["place"]) == ("inputs_unreadable", "r1", str(place))


@pytest.mark.parametrize(("content", "what"), [(None, "gone"), (b"another package", "other bytes")])
def test_a_locked_package_that_nobody_has(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], content: bytes | None, what: str
) -> None:
    """Also where it is in this machine's cache: that is no other auditor's."""
    (served,) = (miniature.folder / "mirror").rglob("*.deb")
    served.unlink()
    if content is not None:
        served.write_bytes(content)
    told = alarms(miniature, capsys, "--locks", status=1)
    assert {(alarm["kind"], alarm["what"], alarm["file"]) for alarm in told} == {
        ("input_lost", what, "package hello 2.10-3")
    }


def test_a_release_that_nobody_reproduced(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    (miniature.folder / "statements/r1/alice.intoto.jsonl").unlink()
    days = ("--max-age-days", 5, "--on")
    assert alarms(miniature, capsys, *days, "2023-11-19", status=0) == [], "there is still time"
    audit(miniature, "bob", 0, "elsewhere")
    shutil.copytree(miniature.folder / "elsewhere/r1", miniature.folder / "statements/r2")
    shutil.copy(miniature.folder / "elsewhere/keys/bob.pem", miniature.folder / "statements/keys")
    told = alarms(miniature, capsys, *days, "2023-11-20", status=1)
    assert told[0]["kind"] == "not_in_order"
    assert told[1:] == [{"kind": "unreproduced", "release": "r1", "published_on": PUBLISHED}]


def test_too_few_of_those_whom_one_trusts(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    audit(miniature, "bob", 0)
    days = ("--max-age-days", 5, "--threshold", 2, "--on")
    assert alarms(miniature, capsys, *days, "2023-11-20", status=0) == []
    trusted = tmp_path / "trusted"
    keys.pin(trusted, "somebody")
    shutil.copy(tmp_path / "keys/alice.pem", trusted / "ada.pem")
    late = (*days, "2023-11-20", "--trusted-keys", trusted)
    expected = {"kind": "unreproduced", "release": "r1", "published_on": PUBLISHED, "auditors": ["ada"]}
    assert alarms(miniature, capsys, *late, status=1) == [expected]
    assert alarms(miniature, capsys, *days, "2023-11-19", "--trusted-keys", trusted, status=0) == []
    expired = b"Expires: 2023-11-01\n" + (tmp_path / "keys/alice.pem").read_bytes()
    (trusted / "ada.pem").write_bytes(expired)
    (alarm,) = alarms(miniature, capsys, *late, status=1)
    assert "auditors" not in alarm


@pytest.mark.parametrize("option", [("--threshold", "2"), ("--trusted-keys", "keys")])
def test_what_nobody_would_count_is_not_asked_for(
    option: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a day by which there must be two, "no alarm" would look as if there were two."""
    assert main(["monitor", "--statements", str(tmp_path), *option]) == 2
    assert "--threshold and --trusted-keys need --max-age-days N" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["to come", "shallow", "no repository"])
def test_an_age_that_nobody_knows_is_no_pass(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], how: str, tmp_path: Path
) -> None:
    argv: tuple[object, ...] = ("--max-age-days", 5, "--threshold", 2, "--on", "2023-11-20")
    if how == "to come":
        argv = (*argv[:-1], "2023-11-01")
    elif how == "shallow":
        clone = [
            require("git"),
            "clone",
            "--quiet",
            "--depth=1",
            f"file://{miniature.project.root}",
            str(tmp_path / "c"),
        ]
        subprocess.run(clone, check=True, capture_output=True)
        argv = (*argv, "--references", tmp_path / "c/reference/releases")
    else:
        shutil.copytree(miniature.project.references / "releases", tmp_path / "copy")
        argv = (*argv, "--references", tmp_path / "copy")
    (alarm,) = alarms(miniature, capsys, *argv, status=2)
    assert (alarm["kind"], alarm["release"], alarm["auditors"]) == ("age_unknown", "r1", ["alice"])


def test_values_that_changed_since_are_not_reproduced(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    audits.falsify(miniature, "r1")
    argv = ("--max-age-days", 5, "--on", "2030-01-01")
    assert [one["kind"] for one in alarms(miniature, capsys, *argv, status=1)] == ["unreproduced"]


def test_contradictions_here_and_elsewhere_and_those_known_before(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    audits.falsify(miniature, "r1")
    shutil.rmtree(miniature.folder / "audit-alice")
    liar = audit(miniature, "alice", 1, "liar")
    told = alarms(miniature, capsys, "--other", liar, status=1)
    assert [(one["kind"], one["what"], one["auditors"], one["place"]) for one in told] == [
        ("contradiction", what, ["alice"], str(liar)) for what in ("own_statements", "mismatch")
    ]
    argv = miniature.argv("--statements", str(tmp_path / "statements"), "--other", str(liar), command="monitor")
    assert main([*argv, "--json"]) == 1
    (tmp_path / "known").write_text(capsys.readouterr().out)
    assert main([*argv, "--known", str(tmp_path / "known")]) == 0
    assert capsys.readouterr().out == f"NO ALARM, {len(told)} known before\n"
    (tmp_path / "known").write_text("\n")
    assert main([*argv, "--known", str(tmp_path / "known")]) == 1
    assert f"ALARM: {len(told)} to look at" in capsys.readouterr().out


def test_who_says_something_else_elsewhere_has_not_reproduced(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In `attest verify` such an auditor has no vote either."""
    shutil.copytree(miniature.project.root, tmp_path / "honest")
    audits.falsify(miniature, "r1")
    shutil.rmtree(miniature.folder / "audit-alice")
    liar = audit(miniature, "alice", 1, "liar")
    honest = ("--references", tmp_path / "honest/reference/releases", "--max-age-days", 5, "--on", "2030-01-01")
    assert alarms(miniature, capsys, *honest, status=0) == []
    told = alarms(miniature, capsys, *honest, "--other", liar, status=1)
    assert [one["kind"] for one in told] == ["contradiction", "contradiction", "unreproduced"]


def test_releases_that_are_damaged_or_withdrawn(miniature: Miniature, capsys: pytest.CaptureFixture[str]) -> None:
    folder = miniature.project.references / "releases" / "r1"
    audits.declare(folder, image="none")
    assert alarms(miniature, capsys, status=1) == [{"kind": "release_damaged", "release": "r1", "what": "image"}]
    audits.declare(folder, withdrawn="do not accept it")
    late = ("--max-age-days", 0, "--on", "2030-01-01", "--threshold", 2)
    assert alarms(miniature, capsys, *late, status=0) == []
    (folder / "release.json").write_text("{}")
    (alarm,) = alarms(miniature, capsys, status=1)
    assert alarm["kind"] == "release_damaged"


def test_the_source_of_a_release_is_where_its_file_is(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An auditor's own program is older than the release: its repository does not have that commit, the clone of the releases has."""
    clone = tmp_path / "clone"
    subprocess.run(
        [require("git"), "clone", "--quiet", str(miniature.project.root), str(clone)], check=True, capture_output=True
    )
    shutil.rmtree(miniature.project.root / ".git")
    Repository.make(miniature.project.root).commit()
    shutil.rmtree(miniature.cache)
    folder = tmp_path / "fresh"
    folder.mkdir()
    key = audits.make_key(tmp_path / "keys", "bob")
    options = audits.options(miniature, "bob", folder, key)
    argv = miniature.argv(*options, "--references", str(clone / "reference/releases"), command="audit")
    assert main(argv) == 0
    assert alarms(miniature, capsys, "--locks", "--references", clone / "reference/releases", status=0) == []


def test_a_proof_that_is_missing_after_some_days(
    miniature: Miniature, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Of a statement that is not yet that old nobody says anything; a bad proof is told at once."""
    policy = tmp_path / "policy"
    policy.write_bytes(sigsum.policy(("w1",), "all"))
    given = ("--log-policy", policy, "--max-unlogged-days", 3, "--on")
    (unknown,) = alarms(miniature, capsys, *given, "2023-11-20", status=2)
    assert (unknown["kind"], unknown["file"]) == ("age_unknown", "r1/alice.intoto.jsonl")
    Repository.make(miniature.folder / "statements").commit("alice's")
    assert alarms(miniature, capsys, *given, "2023-11-17", status=0) == []
    (late,) = alarms(miniature, capsys, *given, "2023-11-18", status=1)
    assert late == {
        "kind": "not_logged",
        "release": "r1",
        "file": "r1/alice.intoto.jsonl",
        "auditors": ["alice"],
        "published_on": PUBLISHED,
    }
    statement = miniature.folder / "statements/r1/alice.intoto.jsonl"
    proof = statement.with_name(f"{statement.name}.sigsum-proof")
    shutil.copy(
        keys.pin(tmp_path / "pinned", "mallory") / "mallory.pem", miniature.folder / "statements/keys/alice.log.pem"
    )
    proof.write_bytes(sigsum.proof_of(statement.read_bytes(), "mallory", ("w1",)))
    assert alarms(miniature, capsys, *given, "2023-11-18", status=0) == []
    proof.write_bytes(sigsum.proof_of(b"something else", "mallory", ("w1",)))
    told = alarms(miniature, capsys, *given, "2023-11-18", status=1)
    assert [(alarm["kind"], alarm.get("what")) for alarm in told] == [
        ("not_in_order", "bad_proof"),
        ("not_logged", None),
    ]
    argv = miniature.argv("--statements", str(miniature.folder / "statements"), command="monitor")
    assert main([*argv, *map(str, given), "2023-11-18"]) == 1
    out = capsys.readouterr().out
    assert f"r1/alice.intoto.jsonl: filed on {PUBLISHED}, and no proof says that it is in a log" in out


def test_without_a_policy_nobody_can_say_what_is_logged(
    miniature: Miniature, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = miniature.argv("--statements", str(miniature.folder / "statements"), command="monitor")
    assert main([*argv, "--max-unlogged-days", "3"]) == 2
    assert "has no policy that says what is logged" in capsys.readouterr().err

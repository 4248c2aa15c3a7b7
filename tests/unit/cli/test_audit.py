"""`audit`: releases rebuilt in miniature, statements signed by keys of three kinds, whatever was there before."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from builders import audits, rebuilds
from builders.published_schemas import problems
from builders.rebuilds import Miniature
from builders.repositories import Repository
from teekit_verify.cli.app import main


@pytest.fixture
def miniature(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    return rebuilds.isolated(tmp_path, tree, monkeypatch)


@pytest.fixture
def statements(tmp_path: Path) -> Path:
    folder = tmp_path / "statements"
    folder.mkdir()
    return folder


class Auditing:
    """One auditor's audits, as `--json` tells them: release to its line."""

    def __init__(self, miniature: Miniature, statements: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.miniature, self.statements, self.capsys = miniature, statements, capsys
        self.key = audits.make_key(miniature.folder / "keys", "alice")

    def argv(self, *arguments: str) -> list[str]:
        return self.miniature.argv(
            *audits.options(self.miniature, "alice", self.statements, self.key), *arguments, command="audit"
        )

    def run(self, *arguments: str, status: int) -> dict[str, dict[str, Any]]:
        self.capsys.readouterr()
        assert main([*self.argv(*arguments), "--json"]) == status
        lines = [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
        assert [problems("audited-v1", line) for line in lines] == [[]] * len(lines)
        return {line["release"]: line for line in lines}

    def file(self, release: str) -> Path:
        return self.statements / release / "alice.intoto.jsonl"


@pytest.fixture
def auditing(miniature: Miniature, statements: Path, capsys: pytest.CaptureFixture[str]) -> Auditing:
    return Auditing(miniature, statements, capsys)


def told(lines: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str | None, str | None]]:
    return {name: (line["outcome"], line["basis"], line["filing"]) for name, line in lines.items()}


def test_reproduced_mismatch_and_undecided(auditing: Auditing, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is told; what has a verdict is signed. A mismatch outweighs what is undecided."""
    miniature = auditing.miniature
    audits.publish(miniature, "r1", "r2", "r3", "r4")
    audits.falsify(miniature, "r2")
    releases = miniature.project.references / "releases"
    audits.declare(releases / "r3", commit="0" * 40)
    audits.declare(releases / "r4", withdrawn="do not accept it")
    lines = auditing.run(status=1)
    assert told(lines) == {
        "r1": ("reproduced", "build", "written"),
        "r2": ("mismatch", "build", "written"),
        "r3": ("undecided", None, None),
        "r4": ("withdrawn", None, None),
    }
    assert lines["r3"]["error"]["message"] == "release.json and image.json name another commit"
    assert lines["r4"]["withdrawn"] == "do not accept it"
    assert sorted(path.name for path in auditing.statements.iterdir()) == ["keys", "r1", "r2", "r3"]
    assert list((auditing.statements / "r3").iterdir()) == []
    capsys.readouterr()
    assert main(["attest", "check-repository", str(auditing.statements), "--json"]) == 1
    checked = json.loads(capsys.readouterr().out)
    assert [(item["release"], item["verdict"]) for item in checked["statements"]] == [
        ("r1", "REPRODUCED"),
        ("r2", "MISMATCH"),
    ]
    assert checked["faults"] == []
    assert told(auditing.run("--release", "r1", status=0)) == {"r1": ("reproduced", "statement", "kept")}
    assert told(auditing.run("--release", "r4", status=0)) == {"r4": ("reproduced", "build", "written")}


def test_nothing_is_built_twice_and_nothing_replaced(auditing: Auditing) -> None:
    audits.publish(auditing.miniature, "r1", "r2")
    auditing.run(status=0)
    before = {name: auditing.file(name).read_bytes() for name in ("r1", "r2")}
    auditing.file("r2").unlink()
    auditing.miniature.write("build.sh", b"exit 9\n")  # of the checkout; no commit of a release has it
    lines = auditing.run("--offline", status=0)
    assert told(lines) == {"r1": ("reproduced", "statement", "kept"), "r2": ("reproduced", "report", "written")}
    assert before == {name: auditing.file(name).read_bytes() for name in ("r1", "r2")}


def test_a_verdict_that_cannot_be_signed_is_told(auditing: Auditing) -> None:
    """A build of other inputs than those of the published values is neither a mismatch nor a pass."""
    miniature = auditing.miniature
    audits.publish(miniature, "r1")
    git = Repository(miniature.project.root)
    miniature.write("build.sh", audits.MAKES.encode() + b"# changed\n")
    audits.declare(miniature.project.references / "releases" / "r1", commit=None, tag="v1")
    git.commit("not what was published")
    git.git("tag", "v1")
    lines = auditing.run(status=2)
    assert told(lines) == {"r1": ("undecided", "build", None)}
    assert lines["r1"]["verdict"] == "INPUT_DRIFT"
    assert not auditing.file("r1").exists()


def test_values_that_changed_after_the_statement_are_rebuilt(auditing: Auditing) -> None:
    """The statement is about other values. It stays, and what is found now is told."""
    audits.publish(auditing.miniature, "r1")
    auditing.run(status=0)
    before = auditing.file("r1").read_bytes()
    reference = auditing.miniature.project.references / "releases" / "r1" / "image.json"
    reference.write_text(json.dumps(json.loads(reference.read_text()), indent=4))
    assert told(auditing.run(status=0)) == {"r1": ("reproduced", "build", "kept")}
    assert told(auditing.run(status=0)) == {"r1": ("reproduced", "report", "kept")}
    audits.falsify(auditing.miniature, "r1")
    assert told(auditing.run(status=1)) == {"r1": ("mismatch", "build", "other")}
    assert auditing.file("r1").read_bytes() == before


@pytest.mark.parametrize("broken", ["of another key", "cut off", "link", "of another release"])
def test_a_file_in_the_way_is_not_replaced(auditing: Auditing, tmp_path: Path, broken: str) -> None:
    audits.publish(auditing.miniature, "r1", "r2")
    auditing.run("--release", "r2", status=0)
    auditing.file("r1").parent.mkdir(exist_ok=True)
    outside = tmp_path / "outside"
    match broken:
        case "of another key":
            shutil.copy(_other_auditors(auditing), auditing.file("r1"))
        case "cut off":
            auditing.file("r1").write_bytes(auditing.file("r2").read_bytes()[:-40])
        case "link":
            auditing.file("r1").symlink_to(outside)
        case _:
            shutil.copy(auditing.file("r2"), auditing.file("r1"))
    before = auditing.file("r1").read_bytes() if broken != "link" else b""
    assert told(auditing.run(status=2))["r1"] == ("undecided", None, None)
    assert not outside.exists()
    assert broken == "link" or auditing.file("r1").read_bytes() == before


def _other_auditors(auditing: Auditing) -> Path:
    elsewhere = auditing.miniature.folder / "elsewhere"
    elsewhere.mkdir()
    key = audits.make_key(auditing.miniature.folder / "keys", "bob")
    options = audits.options(auditing.miniature, "alice", elsewhere, key)
    assert main(auditing.miniature.argv(*options, "--release", "r1", command="audit")) == 0
    shutil.rmtree(auditing.miniature.folder / "audit-alice")
    return elsewhere / "r1" / "alice.intoto.jsonl"


def test_folders_that_lead_out_of_the_repository_are_refused(auditing: Auditing, tmp_path: Path) -> None:
    audits.publish(auditing.miniature, "r1")
    outside = tmp_path / "outside"
    outside.mkdir()
    (auditing.statements / "r1").symlink_to(outside)
    lines = auditing.run(status=2)
    assert lines["r1"]["error"]["message"] == f"{auditing.statements}/r1 is a link"
    (auditing.statements / "keys").rename(tmp_path / "moved")
    (auditing.statements / "keys").symlink_to(outside)
    assert main(auditing.argv()) == 2
    assert list(outside.iterdir()) == []


def test_another_key_under_the_auditors_name(auditing: Auditing, capsys: pytest.CaptureFixture[str]) -> None:
    audits.publish(auditing.miniature, "r1")
    (auditing.statements / "keys").mkdir()
    audits.make_key(auditing.miniature.folder / "keys", "bob")
    shutil.copy(auditing.miniature.folder / "keys/bob.pem", auditing.statements / "keys/alice.pem")
    capsys.readouterr()
    assert main(auditing.argv()) == 2
    assert "keys/alice.pem: is not the public half of the key to sign with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--release", "r9"), "there is no release 'r9'"),
        (("--name", "a/b"), "'a/b' is not a name of an auditor"),
        (("--output", "{statements}/reports"), "overlap"),
    ],
)
def test_what_cannot_be_audited(
    auditing: Auditing, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    audits.publish(auditing.miniature, "r1")
    given = [word.format(statements=auditing.statements) for word in arguments]
    capsys.readouterr()
    assert main([*auditing.argv(), *given]) == 2
    assert message in capsys.readouterr().err
    assert list(auditing.statements.iterdir()) == []


def test_releases_of_another_folder(auditing: Auditing, tmp_path: Path) -> None:
    audits.publish(auditing.miniature, "r1")
    place = auditing.miniature.project.references / "releases"
    place.rename(tmp_path / "fetched")
    assert told(auditing.run("--references", str(tmp_path / "fetched"), status=0)) == {
        "r1": ("reproduced", "build", "written")
    }


def test_what_the_auditor_says_of_itself_is_signed_too(auditing: Auditing) -> None:
    audits.publish(auditing.miniature, "r1")
    auditing.run("--operator", "Alice", "--country", "NO", status=0)
    envelope = json.loads(auditing.file("r1").read_text().splitlines()[1])
    said = json.loads(base64.b64decode(envelope["payload"]))["predicate"]["independence"]
    assert said == {"operator": "Alice", "country": "NO", "provider": None}


def test_values_of_another_release(auditing: Auditing) -> None:
    """A statement names the release of the values: it would be filed where it does not belong."""
    audits.publish(auditing.miniature, "r1")
    releases = auditing.miniature.project.references / "releases"
    shutil.copytree(releases / "r1", releases / "r2")
    lines = auditing.run("--release", "r2", status=2)
    assert lines["r2"]["error"]["message"] == "image.json is of the release 'r1', not of 'r2'"


def test_a_line_for_people(auditing: Auditing, capsys: pytest.CaptureFixture[str]) -> None:
    audits.publish(auditing.miniature, "r1", "r2", "r3")
    audits.declare(auditing.miniature.project.references / "releases" / "r2", image="none")
    audits.falsify(auditing.miniature, "r3")
    capsys.readouterr()
    assert main(auditing.argv()) == 1
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == f"r1: REPRODUCED, signed, {auditing.file('r1')}"
    assert second == "r2: UNDECIDED, release.json and image.json name another image"
    assert third.startswith("r3: MISMATCH, artifact tdx-debian-base.manifest")
    report = auditing.miniature.folder / "audit-alice/r3/report"
    assert third.endswith(f"; signed, {auditing.file('r3')}; report: {report}")
    assert main([*auditing.argv(), "--quiet"]) == 1
    quiet = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in quiet] == ["r1: REPRODUCED", "r2: UNDECIDED", "r3: MISMATCH"]


def test_three_auditors_and_a_repository_that_lies(
    miniature: Miniature, statements: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Keys of three kinds, two of them encrypted. One tells something else to those who read another repository."""
    audits.publish(miniature, "r1")
    secret = tmp_path / "passphrase"
    secret.write_text(audits.PASSPHRASE)
    for name in audits.KINDS:
        key = audits.make_key(tmp_path / "keys", name, encrypted=name != "bob")
        given = [*audits.options(miniature, name, statements, key), "--passphrase-file", str(secret)]
        assert main(miniature.argv(*given, command="audit")) == 0
    assert main(["attest", "check-repository", str(statements)]) == 0
    trusted = tmp_path / "trusted"
    shutil.copytree(statements / "keys", trusted)
    count = ["attest", "verify", "--threshold", "3", "--trusted-keys", str(trusted), str(statements / "r1")]
    assert main(count) == 0
    liar = tmp_path / "liar"
    liar.mkdir()
    shutil.copytree(statements / "keys", liar / "keys")
    audits.falsify(miniature, "r1")
    shutil.rmtree(miniature.folder / "audit-carol")
    given = [*audits.options(miniature, "carol", liar, tmp_path / "keys/carol.key"), "--passphrase-file", str(secret)]
    assert main(miniature.argv(*given, command="audit")) == 1
    capsys.readouterr()
    assert main([*count, str(liar / "r1")]) == 1
    assert "made statements that contradict each other" in " ".join(capsys.readouterr().out.split())
    assert main(["attest", "check-repository", str(statements), "--other", str(liar), "--json"]) == 1
    (own, *_) = json.loads(capsys.readouterr().out)["contradictions"]
    assert (own["conflict"], own["auditors"], own["elsewhere"]) == ("own_statements", ["carol"], str(liar))


def test_what_was_stated_before_there_were_values_is_kept_if_it_is_the_same(auditing: Auditing, tmp_path: Path) -> None:
    """UNREFERENCED counts like REPRODUCED; of other bytes it is another statement."""
    miniature = auditing.miniature
    audits.publish(miniature, "r1", "r2")
    commits = {name: _early(auditing, name) for name in ("r1", "r2")}
    before = {name: auditing.file(name).read_bytes() for name in commits}
    lines = auditing.run("--release", "r1", status=0)
    assert told(lines) == {"r1": ("reproduced", "build", "kept")}
    shutil.copy(auditing.file("r1"), auditing.file("r2"))  # r2 gives other bytes
    assert told(auditing.run("--release", "r2", status=2)) == {"r2": ("undecided", "build", "other")}
    assert before["r1"] == auditing.file("r1").read_bytes() == auditing.file("r2").read_bytes()
    assert told(auditing.run("--release", "r1", status=0)) == {"r1": ("reproduced", "report", "kept")}


def _early(auditing: Auditing, release: str) -> str:
    """An UNREFERENCED statement of a release, made from its commit before its values were there."""
    miniature = auditing.miniature
    declared = json.loads((miniature.project.references / "releases" / release / "release.json").read_text())
    commit: str = declared["commit"]
    git = Repository(miniature.project.root)
    now = git.git("rev-parse", "HEAD")
    git.git("checkout", "--quiet", commit)
    assert main(miniature.argv("--no-reference", "--vary", "none")) == 1
    git.git("checkout", "--quiet", now)
    key = ["--key", str(auditing.key), "--name", "alice", "--commit", commit]
    folder = auditing.statements / release
    assert main(["attest", "create", str(miniature.report), *key, "--output", str(folder)]) == 0
    return commit

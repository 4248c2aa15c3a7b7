"""`attest check-repository` through main(argv): what its CI must let in, and every way to get in what is not one's own."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents, keys
from builders import statements as sample
from builders.published_schemas import problems
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.cli.app import main
from teekit_verify.reference.signing.keys import TrustedKey

if TYPE_CHECKING:
    from collections.abc import Callable

RELEASE = "base-1"  # that of the sample statements
EVIL = documents.build(artifacts=(replace(documents.UKI, sha256=documents.sha256("evil")), documents.MANIFEST))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two auditors who agree, and what a forge adds."""
    folder = tmp_path / "repository"
    keys.pin(_made(folder) / "keys", "alice", "bob")
    (_made(folder / RELEASE) / "alice.intoto.jsonl").write_bytes(sample.statement_of("alice"))
    (folder / RELEASE / "bob.sigstore.json").write_bytes(sample.bundle_of("bob"))
    (folder / "README.md").write_text("who we are")
    (_made(folder / ".github/workflows") / "check.yml").write_text("")
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check(capsys: pytest.CaptureFixture[str], place: Path, *more: object, status: int) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["attest", "check-repository", str(place), *map(str, more), "--json"]) == status
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("statements-check-v1", fields) == []
    assert fields["exit_status"] == status
    return fields


def _faults(fields: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["file"], item["fault"]) for item in fields["faults"]]


def _conflicts(fields: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return [(item["release"], item["conflict"], item["auditors"]) for item in fields["contradictions"]]


def test_auditors_who_agree(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = _check(capsys, place, status=0)
    assert [(item["auditor"], item["release"], item["verdict"]) for item in fields["statements"]] == [
        ("alice", RELEASE, "REPRODUCED"),
        ("bob", RELEASE, "REPRODUCED"),
    ]
    assert main(["attest", "check-repository", str(place)]) == 0
    out = capsys.readouterr().out
    assert "IN ORDER, and nobody contradicts" in out
    assert "not checked without --earlier" in out


def test_a_mismatch_is_in_order_and_a_contradiction(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    statement = sample.statement_of("bob", Verdict.MISMATCH, build=EVIL)
    (place / RELEASE / "bob.sigstore.json").unlink()
    (place / RELEASE / "bob.intoto.jsonl").write_bytes(statement)
    fields = _check(capsys, place, status=1)
    assert fields["faults"] == []
    assert _conflicts(fields) == [
        (RELEASE, "mismatch", ["bob"]),
        (RELEASE, "different_results", ["alice", "bob"]),
    ]
    assert main(["attest", "check-repository", str(place)]) == 1
    assert "bob built something else than was published" in capsys.readouterr().out


def test_an_auditor_who_says_two_things(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(place / RELEASE)
    _made(place / RELEASE)
    (place / RELEASE / "alice.sigstore.json").write_bytes(sample.bundle_of("alice"))
    (place / RELEASE / "alice.intoto.jsonl").write_bytes(sample.statement_of("alice"))
    assert _check(capsys, place, status=0)["contradictions"] == [], "the same in two forms is no contradiction"
    (place / RELEASE / "alice.intoto.jsonl").write_bytes(sample.statement_of("alice", build=EVIL))
    assert _conflicts(_check(capsys, place, status=1)) == [(RELEASE, "own_statements", ["alice"])]


def test_results_of_different_releases_do_not_contradict(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = sample.statement_of("alice", Verdict.UNREFERENCED, build=EVIL)
    (_made(place / "base-2") / "alice.intoto.jsonl").write_bytes(other)
    fields = _check(capsys, place, status=0)
    assert [item["compared"] for item in fields["statements"]] == [True, True, False]


def test_an_expired_key_keeps_its_old_statements_in_order(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "keys/alice.pem").write_bytes(b"Expires: 2001-01-01\n" + keys.public_pem("alice"))
    _check(capsys, place, status=0)


def _put(name: str, data: bytes) -> Callable[[Path], None]:
    def put(place: Path) -> None:
        _made((place / name).parent)
        (place / name).write_bytes(data)

    return put


def _link(place: Path) -> None:
    (place / RELEASE / "link").symlink_to(place / "keys")


@pytest.mark.parametrize("name", ["keys/carol.pem", "keys"])
def test_no_link_among_the_keys_is_followed(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """It may lead to any file of the host: what stands there would be refused as a key, and told of."""
    outside = _made(tmp_path / "outside")
    (outside / "x.pem").write_bytes(b"no key")
    if name == "keys":
        shutil.rmtree(place / "keys")
    (place / name).symlink_to(outside if name == "keys" else outside / "x.pem")
    fields = _check(capsys, place, status=2)
    assert (_faults(fields), fields["statements"]) == ([(name, "link")], [])


def test_a_statement_that_became_a_link_has_changed(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = tmp_path / "earlier"
    shutil.copytree(place, earlier)
    (place / ALICE).unlink()
    (place / ALICE).symlink_to(earlier / ALICE)
    fields = _check(capsys, place, "--earlier", earlier, status=2)
    assert _faults(fields) == [(ALICE, "changed"), (ALICE, "link")]


ALICE = f"{RELEASE}/alice.intoto.jsonl"
FAULTY: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "no key": (
        _put(f"{RELEASE}/carol.intoto.jsonl", sample.statement_of("carol")),
        f"{RELEASE}/carol.intoto.jsonl",
        "no_key",
    ),
    "a stranger's signature": (_put(ALICE, sample.statement_of("alice", key="mallory")), ALICE, "not_signed"),
    "another auditor's signature": (_put(ALICE, sample.statement_of("alice", key="bob")), ALICE, "wrong_signer"),
    "another auditor's statement": (_put(ALICE, sample.statement_of("bob")), ALICE, "wrong_signer"),
    "another name": (_put(ALICE, sample.statement_of("bob", key="alice")), ALICE, "wrong_auditor"),
    "two auditors in one file": (
        _put(
            ALICE,
            sample.statement_of("alice").splitlines(keepends=True)[0] + sample.statement_of("bob").splitlines()[1],
        ),
        ALICE,
        "not_signed",
    ),
    "another release": (
        _put("base-2/alice.intoto.jsonl", sample.statement_of("alice")),
        "base-2/alice.intoto.jsonl",
        "wrong_release",
    ),
    "cut off": (_put(ALICE, sample.statement_of("alice")[:-30]), ALICE, "unreadable"),
    "empty": (_put(ALICE, b""), ALICE, "unreadable"),
    "a provenance alone": (_put(ALICE, sample.statement_of("alice").splitlines()[0]), ALICE, "unreadable"),
    "a program": (_put("check.sh", b"exit 0"), "check.sh", "unknown_file"),
    "a file among the statements": (_put(f"{RELEASE}/notes.txt", b""), f"{RELEASE}/notes.txt", "unknown_file"),
    "a hidden file among the statements": (_put(f"{RELEASE}/.x", b""), f"{RELEASE}/.x", "unknown_file"),
    "a provenance bundle": (
        _put(f"{RELEASE}/alice.provenance.sigstore.json", sample.bundle_of("alice", line=0)),
        f"{RELEASE}/alice.provenance.sigstore.json",
        "unknown_file",
    ),
    "a folder too deep": (
        _put(f"{RELEASE}/more/alice.intoto.jsonl", sample.statement_of("alice")),
        f"{RELEASE}/more/alice.intoto.jsonl",
        "unknown_file",
    ),
    "a statement among the keys": (
        _put("keys/alice.intoto.jsonl", sample.statement_of("alice")),
        "keys/alice.intoto.jsonl",
        "unknown_file",
    ),
    "a link": (_link, f"{RELEASE}/link", "link"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_not_in_order(place: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    change, file, fault = FAULTY[name]
    change(place)
    assert _faults(_check(capsys, place, status=2)) == [(file, fault)]
    assert main(["attest", "check-repository", str(place)]) == 2
    out = capsys.readouterr().out
    assert f"{file}: " in out
    assert "NOT IN ORDER" in out


@pytest.mark.parametrize(
    ("change", "file", "fault"),
    [
        (lambda place: (place / ALICE).unlink(), ALICE, "removed"),
        (_put(ALICE, sample.statement_of("alice", build=EVIL)), ALICE, "changed"),
        (_put("keys/bob.pem", keys.public_pem("mallory")), "keys/bob.pem", "changed"),
        (_put("keys/alice.2027.pem", keys.public_pem("mallory")), "keys/alice.2027.pem", "key_added"),
    ],
)
def test_nobodys_files_are_touched(
    place: Path, change: Callable[[Path], None], file: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = place.parent / "earlier"
    shutil.copytree(place, earlier)
    assert _check(capsys, place, "--earlier", earlier, status=0)["against_earlier"]
    change(place)
    assert (file, fault) in _faults(_check(capsys, place, "--earlier", earlier, status=2))


def test_more_statements_and_more_auditors_are_let_in(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier = place.parent / "earlier"
    shutil.copytree(place, earlier)
    keys.pin(place / "keys", "carol")
    (place / RELEASE / "carol.intoto.jsonl").write_bytes(sample.statement_of("carol"))
    assert len(_check(capsys, place, "--earlier", earlier, status=0)["statements"]) == 3


def test_a_statement_is_held_against_its_auditors_key_first(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every auditor brings statements and a key: each against each would be slow before it is large."""
    tried: list[str] = []
    made = TrustedKey.made

    def counted(key: TrustedKey, signature: bytes, data: bytes) -> bool:
        tried.append(key.owner)
        return made(key, signature, data)

    monkeypatch.setattr(TrustedKey, "made", counted)
    keys.pin(place / "keys", *(f"a{number}" for number in range(20)))
    assert main(["attest", "check-repository", str(place)]) == 0
    assert tried == ["alice", "alice", "bob"]


def test_proofs_are_named_as_not_checked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / RELEASE / "alice.sigsum-proof").write_text("version=2")
    assert _check(capsys, place, status=0)["proofs_not_checked"] == 1
    assert main(["attest", "check-repository", str(place)]) == 0
    assert "1 proofs of a log: not checked" in capsys.readouterr().out


def test_nothing_to_check_is_no_answer(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(place / RELEASE)
    assert _check(capsys, place, status=2)["statements"] == []
    shutil.rmtree(place / "keys")
    assert main(["attest", "check-repository", str(place)]) == 2
    error = capsys.readouterr().err
    assert "has no folder 'keys'" in error
    assert "--trusted-keys" not in error  # which it does not take


def test_a_key_under_two_names_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "keys/carol.pem").write_bytes(keys.public_pem("alice"))
    assert main(["attest", "check-repository", str(place)]) == 2
    assert "is the same key as another one of alice" in capsys.readouterr().err

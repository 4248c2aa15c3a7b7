"""Counting: who counts, what must agree, and every way to get a vote too many."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from builders import documents, keys
from builders import statements as sample
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements import statement
from teekit_verify.appraisal.statements.threshold import Tally, Vote, cast, tally
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.reference.signing.keys import TrustedKey
from teekit_verify.wording.statements import row_words, shortfall_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.documents import model

TODAY = date(2026, 11, 23)
TRUSTED = [keys.trusted_key(name) for name in ("alice", "bob", "carol")]
EVIL = documents.build(artifacts=(replace(documents.UKI, sha256=documents.sha256("evil")), documents.MANIFEST))


def _votes(files: Sequence[bytes], trusted: Sequence[TrustedKey] = TRUSTED) -> list[Vote]:
    return [
        cast(f"file{number}", statement.read_file(data, f"file{number}"), trusted, TODAY)
        for number, data in enumerate(files, start=1)
    ]


def _tally(
    *files: bytes,
    threshold: int = 2,
    trusted: Sequence[TrustedKey] = TRUSTED,
    artifact: tuple[str, Digest] | None = None,
) -> Tally:
    return tally(_votes(files, trusted), threshold, artifact)


def _cells(result: Tally) -> list[tuple[str, ...]]:
    return [tuple(cell.value for cell in row.cells) for row in result.rows]


ALICE, BOB, CAROL = (sample.statement_of(name) for name in ("alice", "bob", "carol"))


def test_two_of_three() -> None:
    result = _tally(ALICE, BOB, sample.statement_of("carol", build=EVIL))
    assert result.status is ExitStatus.HOLDS
    assert (result.agreeing, shortfall_words(result), result.commit) == (2, "", "a" * 40)
    assert [name for name, _ in result.columns] == ["tdx-debian.efi", "tdx-debian.manifest"]
    assert _cells(result) == [("match", "match"), ("match", "match"), ("mismatch", "match")]
    assert [(row.owner, row.counted, row_words(row)) for row in result.rows] == [
        ("alice", True, ""),
        ("bob", True, ""),
        ("carol", False, "other artifacts"),
    ]


def test_below_the_threshold() -> None:
    result = _tally(ALICE, BOB, threshold=3)
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert shortfall_words(result) == "2 agreeing statements by trusted auditors, 3 were asked for"


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_of_nothing_is_refused(threshold: int) -> None:
    with pytest.raises(TeekitError, match="the threshold must be at least 1"):
        _tally(ALICE, threshold=threshold)
    with pytest.raises(TeekitError, match="there are no statements to count"):
        _tally(threshold=1)


def test_unknown_keys_never_count() -> None:
    result = _tally(ALICE, sample.statement_of("mallory"), sample.statement_of("bob", key="mallory2"))
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert _cells(result)[1:] == [("no key", "no key")] * 2
    assert [row.owner for row in result.rows] == ["alice", "", ""], "what a stranger calls itself is not repeated"


def test_only_strangers() -> None:
    result = _tally(sample.statement_of("mallory"), threshold=1)
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert (result.columns, result.agreeing, result.inputs_sha256) == ((), 0, None)
    assert row_words(result.rows[0]) == "no trusted key made this signature"


def test_duplicates_are_one_vote() -> None:
    for files in ((ALICE, ALICE), (ALICE, ALICE.splitlines(keepends=True)[1])):
        result = _tally(*files)
        assert result.status is ExitStatus.DOES_NOT_HOLD
        assert _cells(result) == [("match", "match"), ("duplicate", "duplicate")]
        assert row_words(result.rows[1]) == "this auditor is counted already"


def test_an_owner_with_two_keys_is_one_vote() -> None:
    second = replace(keys.trusted_key("second"), owner="alice")
    result = _tally(ALICE, sample.statement_of("alice", key="second"), trusted=[*TRUSTED, second])
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert _cells(result)[1] == ("duplicate", "duplicate")


def test_another_name_in_the_statement_is_not_another_vote() -> None:
    result = _tally(ALICE, sample.statement_of("zoe", key="alice"))
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert row_words(result.rows[1]) == "this auditor is counted already; names its auditor zoe"


def test_who_contradicts_himself_does_not_count() -> None:
    """Otherwise the order of the files would decide."""
    evil = sample.statement_of("alice", build=EVIL)
    for files in ((ALICE, evil, BOB), (evil, ALICE, BOB)):
        result = _tally(*files)
        assert result.status is ExitStatus.DOES_NOT_HOLD
        assert _cells(result)[:2] == [("contradiction", "contradiction")] * 2
        assert result.agreeing == 1


def test_a_second_verdict_on_the_same_artifacts_is_a_contradiction_too() -> None:
    result = _tally(ALICE, sample.statement_of("alice", Verdict.MISMATCH), threshold=1)
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert [row_words(row) for row in result.rows] == [
        "this auditor made statements that contradict each other: none is counted"
    ] * 2


def test_a_mismatch_never_counts_even_with_the_same_artifacts() -> None:
    result = _tally(ALICE, sample.statement_of("bob", Verdict.MISMATCH))
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert _cells(result)[1] == ("mismatch", "mismatch")
    assert row_words(result.rows[1]) == (
        "the auditor's build is not what was published: artifact tdx-debian.efi: same size, other bytes"
    )


def test_a_rebuild_without_a_reference_counts_and_says_so() -> None:
    result = _tally(ALICE, sample.statement_of("bob", Verdict.UNREFERENCED))
    assert result.status is ExitStatus.HOLDS
    assert [(row.verdict, row.release) for row in result.rows] == [
        (Verdict.REPRODUCED, "base-1"),
        (Verdict.UNREFERENCED, ""),
    ]


@pytest.mark.parametrize(
    ("build", "commit", "detail"),
    [
        (None, "b" * 40, "other source commit"),
        (None, None, "other source commit"),
        (documents.build(inputs=documents.inputs(packages=())), sample.COMMIT, "other inputs"),
        (documents.build(artifacts=(documents.UKI,)), sample.COMMIT, "other artifacts"),
        (replace(EVIL, inputs=documents.inputs(image="other")), "b" * 40, "other artifacts, source commit, inputs"),
    ],
)
def test_artifacts_commit_and_inputs_must_agree(build: model.Build | None, commit: str | None, detail: str) -> None:
    result = _tally(ALICE, sample.statement_of("bob", build=build, commit=commit))
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert row_words(result.rows[1]) == detail
    assert not result.rows[1].counted


def test_two_results_that_reach_the_threshold_contradict_each_other() -> None:
    result = _tally(ALICE, BOB, sample.statement_of("carol", build=EVIL), threshold=1)
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert shortfall_words(result) == "2 different results reach the threshold of 1: they contradict each other"


def test_an_expired_key_does_not_count() -> None:
    trusted = [TRUSTED[0], replace(TRUSTED[1], expires=date(2026, 11, 22))]
    result = _tally(ALICE, BOB, trusted=trusted)
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert _cells(result)[1] == ("expired", "expired")
    assert (result.rows[1].owner, result.rows[1].verdict, row_words(result.rows[1])) == (
        "bob",
        None,
        "the key has expired",
    )


def _with_key_id(data: bytes, name: str) -> bytes:
    """With the id of that auditor's key in both lines, as older statements have it."""
    assert (data.count(b'{"sig":'), data.count(b"keyid")) == (2, 0)
    return data.replace(b'{"sig":', f'{{"keyid":"{keys.signing_key(name).id}","sig":'.encode())


def _tampered(data: bytes, line: int) -> bytes:
    """Another commit in the payload of one line."""
    lines = [json.loads(text) for text in data.splitlines()]
    other = json.loads(sample.statement_of("bob", commit="b" * 40).splitlines()[line])
    lines[line]["payload"] = other["payload"]
    return b"".join(json.dumps(fields).encode() + b"\n" for fields in lines)


@pytest.mark.parametrize("line", [0, 1])
def test_a_changed_payload_of_either_line_does_not_count(line: int) -> None:
    assert _cells(_tally(ALICE, _tampered(BOB, line)))[1] == ("no key", "no key")
    result = _tally(ALICE, _tampered(_with_key_id(BOB, "bob"), line))
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert _cells(result)[1] == ("bad signature", "bad signature")
    assert row_words(result.rows[1]) == "names a trusted key that did not make this signature"


def test_key_ids_give_no_votes() -> None:
    """Mallory writes bob's key id beside her signature; alice does, and stays alice."""
    lying = _with_key_id(sample.statement_of("mallory"), "bob")
    assert _cells(_tally(ALICE, lying))[1] == ("bad signature", "bad signature")
    result = _tally(ALICE, _with_key_id(ALICE, "bob"))
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert [row.owner for row in result.rows] == ["alice", "alice"]


def test_lines_of_two_auditors_are_no_statement() -> None:
    mixed = ALICE.splitlines(keepends=True)[0] + BOB.splitlines(keepends=True)[1]
    with pytest.raises(TeekitError, match=r"^file1: its lines are signed by different keys"):
        _tally(mixed)


def test_a_line_of_a_stranger_spoils_the_file() -> None:
    stranger = sample.statement_of("mallory").splitlines(keepends=True)[0]
    assert _cells(_tally(ALICE, stranger + BOB.splitlines(keepends=True)[1]))[1] == ("no key", "no key")


def test_only_statements_about_the_artifact_asked_for_count() -> None:
    uki = ("renamed.efi", documents.UKI.sha256)
    assert _tally(ALICE, BOB, artifact=uki).status is ExitStatus.HOLDS
    evil = [sample.statement_of(name, build=EVIL) for name in ("alice", "bob")]
    result = _tally(*evil, artifact=uki)
    assert result.status is ExitStatus.DOES_NOT_HOLD
    assert result.columns == (uki,)
    assert _cells(result) == [("mismatch",), ("mismatch",)]
    assert row_words(result.rows[0]) == "not about the artifact that was asked for"


def test_other_peoples_results_do_not_outvote_the_artifact_asked_for() -> None:
    evil = [sample.statement_of(name, build=EVIL) for name in ("bob", "carol")]
    result = _tally(ALICE, *evil, threshold=1, artifact=("uki", documents.UKI.sha256))
    assert result.status is ExitStatus.HOLDS
    assert _cells(result) == [("match", "match"), ("mismatch", "match"), ("mismatch", "match")]


def test_every_changed_byte_outside_the_key_ids_is_noticed() -> None:
    """Sampled. Key ids are hints: with another one the signature is as good as before."""
    named = _with_key_id(ALICE, "alice")
    key_id = keys.signing_key("alice").id.encode()
    first, second = named.index(key_id), named.rindex(key_id)
    hints = {*range(first, first + 64), *range(second, second + 64)}
    for position in range(0, len(named) - 1, 11):
        if position in hints:
            continue
        changed = named[:position] + bytes([named[position] ^ 0x01]) + named[position + 1 :]
        try:
            (vote,) = _votes([changed])
        except TeekitError:
            continue
        assert vote.statement is None, f"byte {position:#x}"

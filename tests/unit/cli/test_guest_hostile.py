"""Logs and lists of a hostile machine through `guest`: cut off, longer, told twice, out of step with the register."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders import given, live_guest
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

DIFFERS, OPEN = ExitStatus.DOES_NOT_HOLD, ExitStatus.NO_VERDICT
GIVEN = given.Given(hostnames=("a.example.org",))
MANIFEST, APP, HOSTNAMES, CLOSED = GIVEN.events
RECORDS = GIVEN.records()
Ask = Callable[[given.Given, dict[str, Any]], tuple[ExitStatus, dict[str, Any]]]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """What the register holds, and fields of the answer -> exit status, and what --json prints."""
    (tmp_path / "manifest.json").write_bytes(given.manifest())
    (tmp_path / "ref.json").write_bytes(live_guest.reference())

    def run(held: given.Given, fields: dict[str, Any]) -> tuple[ExitStatus, dict[str, Any]]:
        with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path), given=held) as made:
            made.mend = lambda answer: answer.update(fields)
            files = ["--reference", str(tmp_path / "ref.json"), "--manifest", str(tmp_path / "manifest.json")]
            words = [*files, "--hostname", "a.example.org", *made.trust(), "--json"]
            status = main(["guest", made.address(), *words])
        return status, json.loads(capsys.readouterr().out)

    return run


def whys(document: dict[str, Any]) -> dict[str, str]:
    return {
        check["name"]: check["reason"].get("why", check["reason"]["kind"])
        for step in document["steps"]
        for check in step["checks"]
        if check["outcome"] != "match"
    }


def sequence(*records: dict[str, Any]) -> dict[str, Any]:
    return {"runtime_log": given.sequence(records).decode()}


MORE = {**RECORDS[1], "recnum": 4, "content": {"type": "app", "bytes": live_guest.b64(b"1 " + b"ab" * 32)}}
ELSEWHERE = {"event log RTMR3": "log_replays_otherwise"}
LOGS: list[tuple[str, given.Given, dict[str, Any], dict[str, str]]] = [
    (
        "its last record is missing",
        GIVEN,
        sequence(*RECORDS[:-1]),
        {**ELSEWHERE, "order of what was measured": "not_closed"},
    ),
    (
        "its first record is missing",
        GIVEN,
        sequence(*({**record, "recnum": record["recnum"] - 1} for record in RECORDS[1:])),
        {**ELSEWHERE, "manifest 0": "not_given", "manifests in the answer are the measured ones": "list_differs"},
    ),
    (
        "a record more than was measured",
        GIVEN,
        sequence(
            *RECORDS,
            {
                **MORE,
                "digests": [{"hashAlg": "sha384", "digest": given.digest("app", b"1 " + b"ab" * 32, "sha384").hex()}],
            },
        ),
        {**ELSEWHERE, "order of what was measured": "after_closed", "app": "given_too"},
    ),
    (
        "two records exchanged",
        GIVEN,
        sequence(*({**RECORDS[number], "recnum": place} for place, number in enumerate((1, 0, 2, 3)))),
        {**ELSEWHERE, "order of what was measured": "out_of_order"},
    ),
    (
        "hostnames measured twice",
        GIVEN.measuring(MANIFEST, APP, HOSTNAMES, HOSTNAMES, CLOSED),
        {},
        {"order of what was measured": "out_of_order"},
    ),
    (
        "a hostname twice in one event",
        GIVEN.measuring(MANIFEST, APP, ("hostnames", b"a.example.org,a.example.org"), CLOSED),
        {"hostnames": ["a.example.org", "a.example.org"]},
        {"hostnames": "other_hostnames"},
    ),
    (
        "a hostname twice in the answer",
        GIVEN,
        {"hostnames": ["a.example.org", "a.example.org"]},
        {"hostnames in the answer are the measured ones": "list_differs"},
    ),
    (
        "a hostname that hides another",
        GIVEN,
        {"hostnames": ["a.example.org,b.example.org"]},
        {"hostnames in the answer are the measured ones": "list_differs"},
    ),
    (
        "a manifest twice in the answer",
        GIVEN,
        {"manifests": [live_guest.b64(given.manifest())] * 2},
        {"manifests in the answer are the measured ones": "list_differs"},
    ),
]


@pytest.mark.parametrize(("case", "held", "fields", "expected"), LOGS, ids=[case for case, *_ in LOGS])
def test_each_is_named(
    case: str, held: given.Given, fields: dict[str, Any], expected: dict[str, str], ask: Ask
) -> None:
    status, document = ask(held, fields)
    assert (status, whys(document)) == (DIFFERS, expected)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"runtime_log": GIVEN.log()[:-20].decode()}, "record 3: JSON"),
        (sequence(*RECORDS[:2], *RECORDS[3:]), "record 2: recnum"),
        (sequence(*RECORDS, *RECORDS), "record 4: recnum"),
        ({"runtime_log": GIVEN.log().decode() + "\x1e" * 1000}, "expected at most 1000"),
        ({"runtime_log": None}, "answer.runtime_log"),
        ({"hostnames": ["a"] * 101}, "a list of at most 100"),
    ],
)
def test_what_is_no_answer_of_this_format(fields: dict[str, Any], words: str, ask: Ask) -> None:
    status, document = ask(GIVEN, fields)
    assert (status, document["error"]["code"]) == (OPEN, "malformed_input")
    assert words in document["error"]["message"]

"""`compare --quote --runtime-log --manifest`: what a guest runs, from files; and references that say what may run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders import given, live_guest, quotes
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

HELD, DIFFERS, OPEN = ExitStatus.HOLDS, ExitStatus.DOES_NOT_HOLD, ExitStatus.NO_VERDICT
AUTHORITY = quotes.authority()
NAMED = given.Given(hostnames=("a.example.org",))
Compare = Callable[..., tuple[ExitStatus, str]]
LOGGED = ("--eventlog", "ccel.bin", "--runtime-log", "runtime-log")
MANIFEST = ("--manifest", "manifest.json")


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Compare:
    monkeypatch.chdir(tmp_path)
    Path("manifest.json").write_bytes(given.manifest())
    Path("other.json").write_bytes(given.manifest(b"another app"))
    Path("ref.json").write_bytes(live_guest.reference())
    Path("ccel.bin").write_bytes(live_guest.boot_log())

    Path("root.pem").write_bytes(quotes.pem(AUTHORITY.root))
    present(NAMED)

    def run(*options: str, allowed: str = "report-data,tcb,revocation") -> tuple[ExitStatus, str]:
        trust = ["--trusted-root", "root.pem", "--at", quotes.NOW.isoformat(), "--allow-unchecked", allowed]
        status = main(["compare", "ref.json", "--quote", "quote.bin", *trust, *options])
        return status, capsys.readouterr().out

    return run


def present(guest: given.Given) -> None:
    """Its quote and log, in the files of these tests."""
    body = quotes.body(rtmrs=(*live_guest.boot_values(), guest.value()))
    Path("quote.bin").write_bytes(quotes.quote(AUTHORITY, report=body))
    Path("runtime-log").write_bytes(guest.log())


def test_what_it_runs_and_nothing_else(compare: Compare) -> None:
    status, out = compare(*LOGGED, *MANIFEST)
    sha256 = json.loads(given.manifest())["sha256"]
    assert status is HELD
    assert "MATCH: this guest has the registers that were published, and runs only what it should" in out
    assert f"app 0 sha256:{sha256} from {given.URL}" in out
    assert "hostnames: not compared (--hostname): a.example.org" in out


def test_as_json(compare: Compare) -> None:
    document: dict[str, Any] = json.loads(compare(*LOGGED, *MANIFEST, "--json")[1])
    assert document["runs"]["apps"] == [{"app": given.URL, "sha256": json.loads(given.manifest())["sha256"]}]
    names = [check["name"] for check in document["checklist"]["checks"]]
    assert "event log RTMR3" in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ((*LOGGED, "--manifest", "other.json"), DIFFERS, "app 0: mismatch: another app runs: sha256 "),
        ((*LOGGED, *MANIFEST, "--hostname", "a.example.org"), HELD, "and runs only what it should"),
        ((*LOGGED, *MANIFEST, "--hostname", "b.example.org"), DIFFERS, "expected b.example.org, found a.example.org"),
        (LOGGED, OPEN, "what it runs: not checked: not compared: give --manifest"),
        ((), OPEN, "what it runs: not checked: not compared: give --manifest"),
        ((*MANIFEST, "--hostname", "a.example.org"), HELD, "and runs only what it should"),
        (MANIFEST, OPEN, "the log of what it runs is needed (--runtime-log), or its hostnames"),
        ((*MANIFEST, "--hostname", "b.example.org"), DIFFERS, "the register holds another value than these manifests"),
    ],
)
def test_with_and_without_a_log(options: tuple[str, ...], status: ExitStatus, words: str, compare: Compare) -> None:
    found, out = compare(*options)
    assert found is status
    assert words in out


def test_what_is_not_compared_is_said(compare: Compare) -> None:
    status, out = compare(*LOGGED, allowed="report-data,tcb,revocation,app")
    assert status is HELD
    assert "MATCH: this guest has the registers that were published; what it runs was not compared" in out


def test_a_log_that_is_not_this_guests(compare: Compare) -> None:
    Path("runtime-log").write_bytes(given.Given().log())
    status, out = compare(*LOGGED, *MANIFEST)
    assert status is DIFFERS
    assert "event log RTMR3: mismatch: the log replays to another value than the quote has" in out
    assert "runs only what it should" not in out


def test_an_image_that_does_not_measure(compare: Compare) -> None:
    """Today's behaviour without --manifest; with it, no verdict: its apps could have written such a log, and the register."""
    Path("ref.json").write_bytes(live_guest.reference(measures=False))
    status, out = compare("--eventlog", "ccel.bin")
    assert status is HELD
    assert "what it runs" not in out
    status, out = compare(*LOGGED)
    assert status is HELD
    assert "what it runs: not compared: the reference does not say that its image measures what it runs" in out
    status, out = compare(*LOGGED, *MANIFEST)
    assert status is OPEN
    assert "runs only what it should" not in out


def test_a_register_that_a_reference_asks_for_is_asked_for_still(compare: Compare) -> None:
    """RTMR3 as `measure --manifest` predicts it, and what the caller says, both."""
    document = json.loads(live_guest.reference())
    event = {"values": {"sha384": given.Given().value().hex()}, "missing": "", "events": []}
    document["platforms"]["qemu"]["RTMR3"] = {
        "policy": "match",
        "reason": "",
        "acceptable": [{"label": "given", "register": event}],
    }
    Path("ref.json").write_text(json.dumps(document))
    status, out = compare(*LOGGED, *MANIFEST)
    assert status is DIFFERS
    assert "qemu RTMR3 sha384" in out


def test_a_reference_that_says_what_may_run(compare: Compare, capsys: pytest.CaptureFixture[str]) -> None:
    Path("ref.json").write_bytes(live_guest.reference(pinned=(given.manifest(),)))
    assert compare(*LOGGED)[0] is HELD
    present(given.Given((given.manifest(b"another app"),)))
    status, out = compare(*LOGGED)
    assert status is DIFFERS
    assert "another app runs" in out
    assert main(["reference", "check", "ref.json"]) is HELD
    assert "1 set of apps" in capsys.readouterr().out
    assert main(["reference", "show", "ref.json"]) is HELD
    assert f"from {given.URL}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "teekit measured v2"}, "apps.format"),
        ({"acceptable": [{"label": "a", "manifests": [], "hostnames": None}]}, "apps.acceptable[0].manifests"),
        ({"acceptable": [{"label": "a", "manifests": ["e30="], "hostnames": None}]}, "the fields app and sha256 alone"),
        ({"acceptable": [{"label": "a", "manifests": ["!"], "hostnames": None}]}, "must be base64"),
        ({"more": 1}, "apps.more: unknown field"),
    ],
)
def test_apps_that_are_malformed(
    change: dict[str, Any], words: str, compare: Compare, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(live_guest.reference())
    document["apps"].update(change)
    Path("ref.json").write_text(json.dumps(document))
    assert main(["reference", "check", "ref.json"]) is OPEN
    assert words in capsys.readouterr().err

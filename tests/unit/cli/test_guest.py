"""`guest URL` through main(argv): a machine that answers as it should, and every way in which it, or somebody in the middle, does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders import eventlog, given, live_guest, quotes
from builders.sarif import results
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

HELD, DIFFERS, OPEN = ExitStatus.HOLDS, ExitStatus.DOES_NOT_HOLD, ExitStatus.NO_VERDICT
Ask = Callable[..., tuple[ExitStatus, dict[str, Any]]]
OTHER = given.manifest(b"another app")


@pytest.fixture
def tls(tmp_path: Path) -> live_guest.TlsKey:
    return live_guest.tls_key(tmp_path)


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """A machine and options -> exit status, and what --json prints. What it should run is the builders' app, unless it is said."""
    (tmp_path / "manifest.json").write_bytes(given.manifest())
    (tmp_path / "other.json").write_bytes(OTHER)
    (tmp_path / "ref.json").write_bytes(live_guest.reference())

    def run(
        made: live_guest.Machine, *options: str, manifests: tuple[str, ...] = ("manifest.json",), url: str = ""
    ) -> tuple[ExitStatus, dict[str, Any]]:
        wanted = [word for name in manifests for word in ("--manifest", str(tmp_path / name))]
        reference = ["--reference", str(tmp_path / "ref.json")]
        trust = [] if "--trusted-root" in options else made.trust()
        status = main(["guest", url or made.address(), *reference, *wanted, *trust, *options, "--json"])
        document = json.loads(capsys.readouterr().out)
        assert document.get("exit_status", 2) == status
        return status, document

    return run


def whys(document: dict[str, Any]) -> dict[str, str]:
    """Name of each check that is no match -> the reason's name."""
    return {
        check["name"]: (check["reason"] or {}).get("why") or (check["reason"] or {}).get("kind", "")
        for step in document["steps"]
        for check in step["checks"]
        if check["outcome"] != "match"
    }


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["outcome"] for step in document["steps"]}


def test_a_machine_that_is_as_it_should_be(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    with live_guest.machine(tmp_path, tls=tls) as made:
        status, document = ask(made)
    assert (status, whys(document)) == (HELD, {})
    assert set(outcomes(document).values()) == {"match"}
    assert document["tls_key_sha256"] == tls.sha256.hex()
    assert [nonce.hex() for nonce in made.asked] == [document["nonce"]]
    assert document["runs"]["apps"] == [{"app": given.URL, "sha256": json.loads(given.manifest())["sha256"]}]
    assert "self-signed" in document["certificate_problem"] or "self signed" in document["certificate_problem"]


def test_findings_for_other_programs(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    """One for each check that is no match, with its reason, about the reference; an error means that it does not hold."""
    log = tmp_path / "guest.sarif"
    with live_guest.machine(tmp_path, tls=tls) as made:
        assert ask(made, "--sarif", str(log))[0] is HELD
        assert results(log.read_bytes()) == []
        status, document = ask(made, "--sarif", str(log), manifests=("other.json",))
    assert status is DIFFERS
    found = results(log.read_bytes())
    assert sorted(result["message"]["text"].split(": ")[0] for result in found) == sorted(whys(document))
    assert {result["level"] for result in found} == {"error"}
    uris = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in found}
    assert {uri.rpartition("/")[2] for uri in uris} == {"ref.json"}


def test_for_people_in_80_columns(
    tls: live_guest.TlsKey, tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    with live_guest.machine(tmp_path, tls=tls) as made:
        options = ["guest", made.address(), "--reference", str(tmp_path / "ref.json"), *made.trust()]
        assert main([*options, "--manifest", str(tmp_path / "manifest.json")]) is HELD
        good = capsys.readouterr().out.splitlines()
        assert main([*options, "--manifest", str(tmp_path / "other.json")]) is DIFFERS
        bad = capsys.readouterr().out.splitlines()
    assert max(map(len, good + bad)) <= 80 + len("sha256:") + 48  # a digest is not broken
    table = [line for line in (*good, *bad) if line[:2].strip().isdigit() and line[1] == " "]
    assert len(table) == 14
    assert max(len(line.rstrip()) for line in table) <= 80
    assert "MATCH: this machine is what was published, and runs only what it should" in good
    sha256 = json.loads(given.manifest())["sha256"]
    assert f"app 0 sha256:{sha256}" in " ".join(line.strip() for line in good)
    assert bad[-1].startswith("MISMATCH: this machine is not what was asked for")
    assert any("app 0: mismatch: another app runs" in line for line in bad)


def test_a_page_to_mail(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    hostile = given.Given((given.manifest(url="https://a/?<script>alert(1)</script>"),))
    with live_guest.machine(tmp_path, tls=tls, given=hostile) as made:
        status, _ = ask(made, "--html", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert status is DIFFERS
    assert "this machine is not what was asked for" in page.lower()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert str(tmp_path) not in page, "it is mailed: no folder of this host is in it"
    assert made.asked[0].hex()[:8] in page
    assert "http-equiv" in page
    assert 'src="' not in page


GIVEN = given.Given()
MANIFEST, APP, HOSTNAMES, CLOSED = GIVEN.events
TWO = given.Given((given.manifest(), OTHER))
NAMED = given.Given(hostnames=("a.example.org",))
EXTRA = ("app", b"1 " + b"ab" * 32)

WRONG: list[tuple[str, given.Given, dict[str, str]]] = [
    ("another manifest", given.Given((given.manifest(url="https://elsewhere/"),)), {"manifest 0": "other_manifest"}),
    ("another app", GIVEN.measuring(MANIFEST, ("app", b"0 " + b"ab" * 32), HOSTNAMES, CLOSED), {"app 0": "other_app"}),
    ("no app", GIVEN.measuring(MANIFEST, HOSTNAMES, CLOSED), {"app 0": "not_given"}),
    ("one app more", GIVEN.measuring(MANIFEST, APP, EXTRA, HOSTNAMES, CLOSED), {"app": "given_too"}),
    ("one manifest more", TWO, {"manifest 1": "given_too", "app": "given_too"}),
    (
        "not closed",
        GIVEN.measuring(MANIFEST, APP, HOSTNAMES),
        {"order of what was measured": "not_closed"},
    ),
    (
        "something after the end",
        GIVEN.measuring(MANIFEST, APP, HOSTNAMES, CLOSED, EXTRA),
        {"order of what was measured": "after_closed", "app": "given_too"},
    ),
    (
        "closed twice",
        GIVEN.measuring(MANIFEST, APP, HOSTNAMES, CLOSED, CLOSED),
        {"order of what was measured": "after_closed"},
    ),
    (
        "app before its manifest",
        GIVEN.measuring(APP, MANIFEST, HOSTNAMES, CLOSED),
        {"order of what was measured": "out_of_order"},
    ),
    (
        "the same app twice",
        GIVEN.measuring(MANIFEST, APP, APP, HOSTNAMES, CLOSED),
        {"order of what was measured": "out_of_order"},
    ),
    (
        "no hostnames",
        GIVEN.measuring(MANIFEST, APP, CLOSED),
        {"order of what was measured": "out_of_order"},
    ),
    (
        "a kind that there is not",
        GIVEN.measuring(MANIFEST, APP, ("network", b""), HOSTNAMES, CLOSED),
        {"order of what was measured": "unknown_event"},
    ),
    (
        "no app that can be told",
        GIVEN.measuring(MANIFEST, ("app", b"00 " + b"ab" * 32), HOSTNAMES, CLOSED),
        {"order of what was measured": "out_of_order", "app 0": "not_given", "app": "given_too"},
    ),
]


@pytest.mark.parametrize(("case", "measured", "expected"), WRONG, ids=[case for case, _, _ in WRONG])
def test_what_it_runs_is_something_else(  # noqa: PLR0917 - a table
    case: str, measured: given.Given, expected: dict[str, str], tls: live_guest.TlsKey, tmp_path: Path, ask: Ask
) -> None:
    with live_guest.machine(tmp_path, tls=tls, given=measured) as made:
        status, document = ask(made)
    assert (status, whys(document)) == (DIFFERS, expected)
    assert document["runs"] is None
    others = {name: outcome for name, outcome in outcomes(document).items() if name != "apps"}
    assert set(others.values()) == {"match"}, "the image is as published"


def test_manifests_in_another_order(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    with live_guest.machine(tmp_path, tls=tls, given=TWO) as made:
        assert ask(made, manifests=("manifest.json", "other.json"))[0] is HELD
        status, document = ask(made, manifests=("other.json", "manifest.json"))
    assert (status, whys(document)) == (
        DIFFERS,
        {
            "manifest 0": "manifest_elsewhere",
            "manifest 1": "manifest_elsewhere",
            "app 0": "app_elsewhere",
            "app 1": "app_elsewhere",
        },
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [((), HELD), (("--hostname", "a.example.org"), HELD), (("--hostname", "b.example.org"), DIFFERS)],
)
def test_hostnames(
    options: tuple[str, ...], expected: ExitStatus, tls: live_guest.TlsKey, tmp_path: Path, ask: Ask
) -> None:
    with live_guest.machine(tmp_path, tls=tls, given=NAMED) as made:
        status, document = ask(made, *options)
    assert status is expected
    assert whys(document) == ({} if expected is HELD else {"hostnames": "other_hostnames"})
    (apps,) = [step for step in document["steps"] if step["step"] == "apps"]
    assert [check["found"] for check in apps["passed_over"]] == ([] if options else ["a.example.org"])


def changing(number: int, **content: Any) -> Callable[[dict[str, Any]], None]:
    """The text of one record of the log, its digest being what it was."""

    def mend(fields: dict[str, Any]) -> None:
        records = GIVEN.records()
        records[number]["content"].update(content)
        fields["runtime_log"] = given.sequence(records).decode()

    return mend


def test_a_log_with_another_text(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    forged = live_guest.b64(b"0 " + b"ab" * 32)
    with live_guest.machine(tmp_path, tls=tls, mend=changing(1, bytes=forged)) as made:
        status, document = ask(made)
    assert (status, whys(document)) == (
        DIFFERS,
        {
            "event log text, event 2 (RTMR3)": "forged_text",
            "event log RTMR3": "log_replays_otherwise",
            "app 0": "other_app",
        },
    )


def test_a_log_that_is_another_ones(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    """An app that is not the manifest's, and the log of a machine where it is: the quote knows better."""
    with live_guest.machine(tmp_path, tls=tls, given=WRONG[1][1]) as made:
        made.mend = lambda fields: fields.update(runtime_log=GIVEN.log().decode())
        status, document = ask(made)
    assert (status, whys(document)) == (DIFFERS, {"event log RTMR3": "log_replays_otherwise"})
    assert document["runs"] is None


def test_an_extra_extend(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    """An app that got at RTMR3, with a log that does not have it."""
    measured = GIVEN.measuring(*GIVEN.events, ("anything", b""))
    with live_guest.machine(tmp_path, tls=tls, given=measured) as made:
        made.mend = lambda fields: fields.update(runtime_log=GIVEN.log().decode())
        status, document = ask(made)
    assert (status, whys(document)) == (DIFFERS, {"event log RTMR3": "log_replays_otherwise"})


def test_an_empty_log(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    """The value of the register says it all where the hostnames are known; else the log is missed."""
    with live_guest.machine(tmp_path, tls=tls, mend=lambda fields: fields.update(runtime_log="")) as made:
        assert ask(made)[0] is HELD, "there are no hostnames"
        made.given = NAMED
        status, document = ask(made)
        assert (status, whys(document)) == (OPEN, {"what it runs": "no_runtime_log"})
        assert ask(made, "--hostname", "a.example.org")[0] is HELD
        status, document = ask(made, "--hostname", "b.example.org")
    assert (status, whys(document)) == (DIFFERS, {"what it runs": "register_otherwise"})


def test_a_log_of_the_tpm_alone(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    """The contents count: those of a machine without TDX, whose dummy quotes have what a TD would have measured."""
    with live_guest.machine(tmp_path, tls=tls) as made:
        made.mend = lambda fields: fields.update(runtime_log=GIVEN.log(rtmr=False, pcr=True).decode())
        assert ask(made)[0] is HELD
        made.mend = lambda fields: fields.update(runtime_log=NAMED.log(rtmr=False, pcr=True).decode())
        status, document = ask(made)
    assert status is DIFFERS
    assert whys(document)["event log RTMR3"] == "log_replays_otherwise"


def test_digests_of_zeros_are_no_digests(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    def mend(fields: dict[str, Any]) -> None:
        records = GIVEN.records()
        for record in records:
            record["digests"] = [{"hashAlg": "sha384", "digest": "00" * 48}]
        fields["runtime_log"] = given.sequence(records).decode()

    with live_guest.machine(tmp_path, tls=tls, mend=mend) as made:
        status, document = ask(made)
    assert status is DIFFERS
    assert set(whys(document).values()) == {"forged_text"}


def test_lists_that_differ_from_the_log(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    told = given.Given((given.manifest(url="https://elsewhere/"),), ("b.example.org",))
    with live_guest.machine(tmp_path, tls=tls, told=told) as made:
        status, document = ask(made)
    assert (status, whys(document)) == (
        DIFFERS,
        {
            "manifests in the answer are the measured ones": "list_differs",
            "hostnames in the answer are the measured ones": "list_differs",
        },
    )


def test_an_old_answer(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    with live_guest.machine(tmp_path, tls=tls) as made:
        old = made.answer(bytes(32))
        made.mend = lambda fields: fields.update(old)
        status, document = ask(made)
        assert (status, whys(document)) == (
            DIFFERS,
            {"REPORTDATA": "as_requested", "answer is to this question": "old_answer"},
        )
        assert outcomes(document)["bound"] == "mismatch"
        made.mend = lambda fields: fields.update(
            {**old, "nonce": fields["nonce"], "report_data": fields["report_data"]}
        )
        status, document = ask(made)
    assert (status, whys(document)) == (DIFFERS, {"REPORTDATA": "as_requested"}), "it lies about its nonce"


def test_somebody_in_the_middle(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    """They have a certificate of their own, and pass on what the machine answers; then they lie about the key, too."""
    theirs = live_guest.tls_key(tmp_path, "theirs")
    with live_guest.machine(tmp_path, tls=theirs) as made:
        made.key = tls.sha256
        url = made.address()
        status, document = ask(made, url=url)
        assert (status, whys(document)) == (
            DIFFERS,
            {"REPORTDATA": "as_requested", "connection ends in this machine": "other_tls_key"},
        )
        made.mend = lambda fields: fields.update(tls_key_sha256=theirs.sha256.hex())
        status, document = ask(made, url=url)
    assert (status, whys(document)) == (DIFFERS, {"REPORTDATA": "as_requested"})


def test_plain_http_is_not_bound(tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    with live_guest.machine(tmp_path) as made:
        status, document = ask(made)
        assert (status, whys(document)) == (OPEN, {"connection ends in this machine": "plain_http"})
        status, document = ask(made, "--allow-unchecked", "channel")
        assert (status, whys(document)) == (HELD, {})
        argv = ["guest", made.address(), "--reference", str(tmp_path / "ref.json"), *made.trust()]
        main([*argv, "--manifest", str(tmp_path / "manifest.json"), "--allow-unchecked", "channel"])
        out = capsys.readouterr().out
    assert "what it should; the connection is not bound to it" in " ".join(out.split())
    assert outcomes(document)["bound"] == "not checked"


def test_an_answer_for_https_over_plain_http(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    """Whoever is in the middle passes on an answer for the machine's own key."""
    with live_guest.machine(tmp_path) as made:
        url, made.key = made.address(), tls.sha256
        status, document = ask(made, "--allow-unchecked", "channel", url=url)
    assert (status, whys(document)) == (
        DIFFERS,
        {"REPORTDATA": "as_requested", "connection ends in this machine": "other_tls_key"},
    )


def test_what_was_not_asked_is_no_yes(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    with live_guest.machine(tmp_path, tls=tls) as made:
        root = made.trust()[:4]
        status, document = ask(made, *root)
        assert status is OPEN
        assert outcomes(document)["current"] == "not checked"
        status, document = ask(made, *root, "--allow-unchecked", "tcb,revocation")
        assert (status, whys(document)) == (HELD, {})
        status, document = ask(made, manifests=())
        assert (status, whys(document)) == (OPEN, {"what it runs": "apps_not_asked"})
        status, document = ask(made, "--allow-unchecked", "app", manifests=())
        assert (status, document["runs"], outcomes(document)["apps"]) == (HELD, None, "not checked")


def test_a_reference_with_apps(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    with live_guest.machine(tmp_path, tls=tls) as made:
        (tmp_path / "ref.json").write_bytes(live_guest.reference(pinned=(given.manifest(),)))
        assert ask(made, manifests=())[0] is HELD
        (tmp_path / "ref.json").write_bytes(live_guest.reference(pinned=(OTHER,)))
        status, document = ask(made, manifests=())
    assert (status, whys(document)) == (DIFFERS, {"manifest 0": "other_manifest", "app 0": "other_app"})


def test_an_image_that_does_not_measure_is_not_believed(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "ref.json").write_bytes(live_guest.reference(measures=False))
    with live_guest.machine(tmp_path, tls=tls) as made:
        status, document = ask(made)
    assert (status, whys(document)) == (OPEN, {"what it runs": "apps_not_measured"})


@pytest.mark.parametrize("register", ["MRTD", "RTMR0", "RTMR1", "RTMR2"])
def test_another_image(register: str, tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "ref.json").write_bytes(live_guest.reference({register: bytes(48)}))
    with live_guest.machine(tmp_path, tls=tls) as made:
        status, document = ask(made)
    assert status is DIFFERS
    assert list(whys(document)) == [f"qemu {register} sha384"]
    assert outcomes(document)["registers"] == "mismatch"


def test_a_boot_log_that_leads_elsewhere(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    def mend(fields: dict[str, Any]) -> None:
        events = live_guest.BOOT[:-1]
        log = eventlog.header(eventlog.SHA384) + b"".join(
            eventlog.measured(*event, eventlog.SHA384) for event in events
        )
        fields["tdx"]["ccel"] = live_guest.b64(log)

    with live_guest.machine(tmp_path, tls=tls, mend=mend) as made:
        status, document = ask(made)
    assert (status, whys(document)) == (DIFFERS, {"event log RTMR2": "not_in_log"})


def test_hardware_of_somebody_else(tls: live_guest.TlsKey, tmp_path: Path, ask: Ask) -> None:
    """Everything is as it should be, and no key of Intel's stands behind it: the other rows are shown, and do not help."""
    with live_guest.machine(tmp_path, tls=tls) as made:
        status, document = ask(made, "--at", quotes.NOW.isoformat(), "--trusted-root", str(_another_root(tmp_path)))
    assert status is DIFFERS
    assert outcomes(document)["authentic"] == "mismatch"
    assert outcomes(document)["apps"] == "match"
    assert document["reasons"][0] == "the quote is not authentic: its registers prove nothing"


def _another_root(folder: Path) -> Path:
    key = quotes.key(99)
    name = quotes.ROOT_NAME
    made = quotes.certificate(name, key, issuer_name=name, issuer_key=key, ca=True)
    path = folder / "another-root.pem"
    path.write_bytes(quotes.pem(made))
    return path

"""`compare --quote` through main(argv): recorded guests against what a publisher would say of them, or of others."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import documents as sample
from builders import guests, quotes, released
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create, model
from teekit_verify.documents.load import load_measurements
from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr

ALLOWED = ("--allow-unchecked", "report-data,tcb,revocation")
AT = ("--at", "2026-02-03", *ALLOWED)
QUOTE = ("--quote", str(guests.COS_QUOTE), *AT)
LOG = ("--eventlog", str(guests.COS_LOG))
NAMES = ["MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3"]


def cos() -> guests.Registers:
    return guests.published(*guests.cos())


def dstack() -> guests.Registers:
    return guests.published(*guests.dstack())


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """(reference file, options) -> exit status, standard output, standard error."""

    def run(reference: bytes, *options: str) -> tuple[ExitStatus, str, str]:
        (tmp_path / "ref.json").write_bytes(reference)
        status = main(["compare", str(tmp_path / "ref.json"), *options])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("published", "files"),
    [
        (cos, (guests.COS_QUOTE, guests.COS_LOG)),
        (dstack, (guests.DSTACK, guests.DSTACK)),
    ],
)
def test_a_published_guest(published: Any, files: tuple[Path, Path], run: Any) -> None:
    """Every register, with and without its log; the log leads to the quote, which hardware signed. dstack gives both at once."""
    reference = guests.reference(gcp_c3=published())
    options = ("--quote", str(files[0]), *AT)
    status, out, err = run(reference, *options, "--json")
    document = json.loads(out)
    assert (status, err) == (ExitStatus.HOLDS, "")
    assert (document["exit_status"], document["platform"]) == (0, "gcp/c3")
    checks = document["checklist"]["checks"]
    logged = [f"event log {name}" for name in NAMES[1:]] if files[0] == files[1] else []
    assert [check["name"] for check in checks] == [*logged, *(f"gcp/c3 {name} sha384" for name in NAMES)]
    assert document["quote"]["authentic"]["holds"] is True
    assert document["quote"]["acceptable"]["holds"] is True
    status, out, _ = run(reference, *options, "--eventlog", str(files[1]))
    lines = out.splitlines()
    assert status is ExitStatus.HOLDS
    assert sum(line.startswith("event log RTMR") and line.rstrip().endswith(" match") for line in lines) == 4
    assert lines[-3:] == [
        "authentic: YES in everything checked; 2 not checked, see above",
        "acceptable: YES in everything checked; 2 not checked, see above",
        "MATCH: this guest has the registers that were published",
    ]


def _other(text: str, event_type: int) -> model.PredictedEvent:
    return model.PredictedEvent(event_type, (sample.sha384(text),), text, f"{text} of the image")


EVENTS = [
    (0, 0, _other("TD HOB", 0x8000000B), "event 1", "the TD HOB differs: another memory size"),
    (0, 2, _other("SecureBoot", 0x80000001), "event 3", "Secure Boot is off in the VM"),
    (0, 11, _other("BootOrder", 0x80000002), "event 12", "the boot order differs; the VM has one NVMe disk"),
    (2, 4, _other("section .cmdline", 0xD), "event 5", "expected section .cmdline (EV_IPL), found "),
]


@pytest.mark.parametrize(("index", "position", "event", "place", "words"), EVENTS)
def test_the_first_event_that_differs_is_explained(  # noqa: PLR0917 - a table
    index: int, position: int, event: model.PredictedEvent, place: str, words: str, run: Any
) -> None:
    reference = guests.reference(gcp_c3=guests.with_event(cos(), rtmr(index), position, event))
    status, out, _ = run(reference, *QUOTE, *LOG)
    assert status is ExitStatus.DOES_NOT_HOLD
    (line,) = [line for line in out.splitlines() if "mismatch: first difference at" in line]
    assert line.startswith(f"  gcp/c3 RTMR{index} sha384: mismatch: first difference at {place}: ")
    assert words in line
    assert line.endswith(f"; look at: {event.cause}")
    assert "MISMATCH: this guest is not what was published" in out
    status, out, _ = run(reference, *QUOTE)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert f"gcp/c3 RTMR{index} sha384: mismatch: one side has no event log to explain it" in out


def test_both_logs_side_by_side(run: Any) -> None:
    event = _other("section .cmdline", 0xD)
    reference = guests.reference(gcp_c3=guests.with_event(cos(), rtmr(2), 4, event))
    _, out, _ = run(reference, *QUOTE, *LOG, "--events")
    differing = [line.split() for line in out.splitlines() if line.endswith(" differs")]
    assert [words[0] for words in differing] == ["5"]


def test_a_register_that_nothing_should_be_measured_into(run: Any) -> None:
    """RTMR3 of a dstack guest against a reference that says zero."""
    registers = {**dstack(), rtmr(3): cos()[rtmr(3)]}
    options = ("--quote", str(guests.DSTACK), "--eventlog", str(guests.DSTACK), *AT)
    status, out, _ = run(guests.reference(gcp_c3=registers), *options)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "RTMR3 sha384: mismatch: first difference at event 1: runtime event system-preparing" in out


def test_a_log_of_another_boot(run: Any) -> None:
    """The quote alone would match: a log that does not lead to it is held against the guest all the same."""
    status, out, _ = run(guests.reference(gcp_c3=cos()), *QUOTE, "--eventlog", str(guests.DSTACK))
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "event log RTMR0: mismatch: the log replays to another value than the quote has" in out


def _forged(tmp_path: Path) -> str:
    """The real log, in which Secure Boot is said to be on. Every digest, and so every register, is as it was."""
    data, name = guests.COS_LOG.read_bytes(), "SecureBoot".encode("utf-16-le")
    place = data.index(name) + len(name)
    assert data[place] == 0
    path = tmp_path / "forged"
    path.write_bytes(data[:place] + b"\1" + data[place + 1 :])
    return str(path)


def test_a_log_with_a_forged_text(run: Any, tmp_path: Path) -> None:
    status, out, _ = run(guests.reference(gcp_c3=cos()), *QUOTE, "--eventlog", _forged(tmp_path))
    assert status is ExitStatus.DOES_NOT_HOLD
    assert (
        "event log text, event 3 (RTMR0): mismatch: FORGED: its digest is not that of its text, variable SecureBoot"
        in out
    )


@pytest.mark.parametrize("forged", [False, True])
def test_the_log_beside_the_quote_in_one_file(forged: bool, run: Any, tmp_path: Path) -> None:  # noqa: FBT001
    """As Confidential Containers give them (guest-components, attester/src/tdx: TdxEvidence)."""
    log = Path(_forged(tmp_path)) if forged else guests.COS_LOG
    parts = {"cc_eventlog": log, "quote": guests.COS_QUOTE}
    evidence = {name: base64.b64encode(path.read_bytes()).decode() for name, path in parts.items()}
    (tmp_path / "evidence.json").write_text(json.dumps(evidence))
    status, out, _ = run(guests.reference(gcp_c3=cos()), "--quote", str(tmp_path / "evidence.json"), *QUOTE[2:])
    assert status is (ExitStatus.DOES_NOT_HOLD if forged else ExitStatus.HOLDS)
    assert "event log RTMR1" in out
    assert ("FORGED" in out) == forged


def test_texts_that_no_digest_covers_are_marked(run: Any) -> None:
    """Shim logs the names of its variables: nothing says that they are these."""
    _, out, _ = run(guests.reference(gcp_c3=cos()), *QUOTE, *LOG, "--events")
    lines = [line for line in out.splitlines() if '"MokListX"' in line]
    assert lines
    assert all("not covered by the digest" in line for line in lines)


def test_a_log_of_a_tpm(run: Any) -> None:
    log = str(quotes.ASSETS / "eventlogs" / "ovmf-swtpm-uki.bin")
    status, _, err = run(guests.reference(gcp_c3=cos()), *QUOTE, "--eventlog", log)
    assert status is ExitStatus.NO_VERDICT
    assert "a TPM event log has PCRs, and a TDX quote has RTMRs" in err


def test_registers_that_the_reference_does_not_mention(run: Any) -> None:
    """Nobody said which firmware is right: no pass."""
    registers = {register: item for register, item in cos().items() if register not in {MRTD, rtmr(0)}}
    status, out, _ = run(guests.reference(tdx=registers), *QUOTE)
    assert status is ExitStatus.NO_VERDICT
    assert "tdx MRTD: not checked: measured, but the reference does not mention this register" in out
    assert "NO VERDICT" in out


def test_ignored_registers_are_shown(run: Any) -> None:
    registers = {**cos(), rtmr(3): guests.ignored("the application's"), pcr(9): guests.ignored("no vTPM")}
    status, out, _ = run(guests.reference(gcp_c3=registers), *QUOTE)
    assert status is ExitStatus.HOLDS
    assert "gcp/c3 RTMR3: ignored, as the reference says: the application's" in out
    assert "gcp/c3 PCR9: ignored, as the reference says: no vTPM" in out


def test_pcrs_are_no_part_of_a_td_quote(run: Any) -> None:
    registers = {**cos(), pcr(4): model.ReferenceRegister(model.Policy.MATCH, "", (_acceptable(sample.PCR4),))}
    status, out, _ = run(guests.reference(gcp_c3=registers), *QUOTE)
    assert status is ExitStatus.HOLDS
    assert "gcp/c3 PCR4: published, but a TD quote has no PCRs: not compared" in out


def _acceptable(value: model.RegisterValue, label: str = "recorded") -> model.AcceptableValue:
    return model.AcceptableValue(label, value)


@pytest.mark.parametrize(
    "platforms",
    [
        {},
        {"uefi-vtpm": {pcr(4): model.ReferenceRegister(model.Policy.MATCH, "", (_acceptable(sample.PCR4),))}},
        {"tdx": {register: guests.ignored("why not") for register in (MRTD, *map(rtmr, range(4)))}},
        {"azure": {rtmr(1): guests.ignored("the paravisor's"), MRTD: guests.ignored("the paravisor's")}},
    ],
)
def test_nothing_to_compare_is_no_match(platforms: dict[str, guests.Registers], run: Any) -> None:
    status, out, _ = run(guests.reference(**platforms), *QUOTE)
    assert status is ExitStatus.NO_VERDICT
    assert "platform: not checked: the reference has no values for the registers of such a guest" in out


def test_only_ignored_registers_of_a_named_platform(run: Any) -> None:
    registers = {register: guests.ignored("why not") for register in (MRTD, *map(rtmr, range(4)))}
    status, out, _ = run(guests.reference(tdx=registers), *QUOTE, "--platform", "tdx")
    assert status is ExitStatus.NO_VERDICT
    assert [line.partition(": not checked: ")[0] for line in out.splitlines()[-2:]] == [
        "  tdx RTMR1 and RTMR2",
        "  tdx firmware",
    ]


MRTD_OF_COS = guests.cos()[0].report.mrtd.hex
OTHER_MRTD = guests.dstack()[0].report.mrtd.hex


def _without(*registers: Any) -> guests.Registers:
    return {register: item for register, item in cos().items() if register not in registers}


@pytest.mark.parametrize(
    "registers",
    [
        {**cos(), MRTD: guests.ignored("any firmware will do")},
        _without(MRTD),
        {**{register: guests.ignored("not ours") for register in cos()}, rtmr(3): cos()[rtmr(3)]},
    ],
)
def test_firmware_that_nobody_vouches_for_gives_no_verdict(registers: guests.Registers, run: Any) -> None:
    """A foreign firmware can extend whatever the reference asks for."""
    status, out, _ = run(guests.reference(gcp_c3=registers), *QUOTE)
    assert status is ExitStatus.NO_VERDICT
    assert "gcp/c3 firmware: not checked: nobody vouches for it" in out


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["rtmr3"], ExitStatus.NO_VERDICT),
        (["rtmr1", "rtmr2"], ExitStatus.NO_VERDICT),
        (["mrtd"], ExitStatus.NO_VERDICT),
        (["mrtd", "rtmr1"], ExitStatus.NO_VERDICT),
        (["mrtd", "rtmr1", "rtmr2"], ExitStatus.HOLDS),
    ],
)
def test_a_published_record_that_asks_for_less(names: list[str], status: ExitStatus, run: Any) -> None:
    """Flashbots' format, in which nobody writes out what is left out."""
    report = guests.cos()[0].report
    values = {name: {"expected": report.value(Register(name.upper())).hex} for name in names}
    record = {"measurement_id": "x", "attestation_type": "dcap-tdx", "measurements": values}
    assert run(json.dumps([record]).encode(), *QUOTE)[0] is status


@pytest.mark.parametrize("unknown", [(rtmr(1),), (rtmr(2),), (rtmr(1), rtmr(2))])
def test_what_the_firmware_booted_has_to_be_compared(unknown: tuple[Any, ...], run: Any) -> None:
    registers = {**cos(), **{register: guests.ignored("why not") for register in unknown}}
    status, out, _ = run(guests.reference(gcp_c3=registers), *QUOTE)
    assert status is ExitStatus.NO_VERDICT
    assert f"gcp/c3 {' and '.join(map(str, unknown))}: not checked: what the firmware booted was not compared" in out


def test_a_policy_that_names_the_firmware(run: Any) -> None:
    reference = guests.reference(gcp_c3={**cos(), MRTD: guests.ignored("any firmware will do")})
    status, out, _ = run(reference, *QUOTE, "--mrtd", OTHER_MRTD, "--mrtd", MRTD_OF_COS)
    assert status is ExitStatus.HOLDS
    assert "gcp/c3 MRTD vouched for" in out
    status, out, _ = run(reference, *QUOTE, "--mrtd", OTHER_MRTD)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "MRTD vouched for: mismatch: another firmware than those that are vouched for" in out
    status, _, err = run(reference, *QUOTE, "--mrtd", "00")
    assert status is ExitStatus.NO_VERDICT
    assert "--mrtd: must be 96 lower case hexadecimal digits" in err


def test_platforms_that_cannot_be_the_guests_are_no_open_question(run: Any) -> None:
    """Both ask for another kernel: whichever is meant, this guest is not it."""
    evil = guests.with_event(cos(), rtmr(2), 4, _other("section .cmdline", 0xD))
    status, out, _ = run(guests.reference(gcp_c3=evil, gcp_c4=evil), *QUOTE)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "fit equally well" not in out
    assert "RTMR2 sha384: mismatch" in out
    status, out, _ = run(guests.reference(gcp_c3=evil, gcp_c4=cos()), *QUOTE)
    assert (status, "platform gcp/c4" in out) == (ExitStatus.HOLDS, True)


def test_one_of_several_values(run: Any) -> None:
    """Two firmware releases are acceptable."""
    (recorded,) = cos()[MRTD].acceptable
    other = _acceptable(model.RegisterValue((Digest.zero(Algorithm.SHA384),), "", ()), "other")
    either = model.ReferenceRegister(model.Policy.ANY_OF, "", (other, recorded))
    assert run(guests.reference(gcp_c3={**cos(), MRTD: either}), *QUOTE)[0] is ExitStatus.HOLDS
    only = replace(either, acceptable=(other, replace(other, label="another")))
    status, out, _ = run(guests.reference(gcp_c3={**cos(), MRTD: only}), *QUOTE)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "gcp/c3 MRTD sha384: mismatch: none of 2 acceptable values; against 'other': another firmware" in out


def test_what_was_not_checked_of_the_quote_is_no_match(run: Any) -> None:
    """Registers alone are those of any time, of a platform with any bug."""
    options = ("--quote", str(guests.COS_QUOTE), "--at", "2026-02-03")
    status, out, _ = run(guests.reference(gcp_c3=cos()), *options)
    assert status is ExitStatus.NO_VERDICT
    assert "acceptable: YES" not in out
    assert [line.partition(": not checked: ")[0] for line in out.splitlines()[-4:]] == [
        "  PCK certificate is not revoked",
        "  PCK CA is not revoked",
        "  REPORTDATA",
        "  TCB status",
    ]
    status, _, err = run(guests.reference(gcp_c3=cos()), *options, "--allow-unchecked", "everything")
    assert status is ExitStatus.NO_VERDICT
    assert err == (
        "error: --allow-unchecked: no such name: 'everything'\nhint: Choose one of: report-data, tcb, revocation, app, channel, tdx.\n"
    )


def test_the_platform_that_fits_is_taken(run: Any) -> None:
    reference = guests.reference(gcp_c3=cos(), qemu=dstack())
    _, out, _ = run(reference, *QUOTE)
    assert "platform gcp/c3" in out.splitlines()
    _, out, _ = run(reference, "--quote", str(guests.DSTACK), *AT)
    assert "platform qemu" in out.splitlines()


def test_several_platforms_that_fit(run: Any) -> None:
    reference = guests.reference(gcp_c3=cos(), gcp_c4=cos())
    status, out, _ = run(reference, *QUOTE)
    assert status is ExitStatus.NO_VERDICT
    assert "platform: not checked: gcp/c3, gcp/c4 fit equally well: choose one with --platform" in out
    for option, name in (("--platform", "gcp/c4"), ("--machine", "c4")):
        status, out, _ = run(reference, *QUOTE, option, name)
        assert status is ExitStatus.HOLDS
        assert "platform gcp/c4" in out.splitlines()


def test_a_platform_that_the_reference_does_not_have(run: Any) -> None:
    status, out, err = run(guests.reference(gcp_c3=cos()), *QUOTE, "--platform", "azure")
    assert (status, out) == (ExitStatus.NO_VERDICT, "")
    assert err == ("error: the reference does not describe the platform 'azure'\nhint: Choose from gcp/c3.\n")


def test_a_quote_that_is_not_authentic_proves_nothing(run: Any) -> None:
    """Its registers are as published, and are not even looked at."""
    options = ("--quote", str(guests.COS_QUOTE), "--at", "2031-07-03", *ALLOWED)
    status, out, _ = run(guests.reference(gcp_c3=cos()), *options)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "authentic: NO" in out
    assert "the PCK certificate expired at 2031-07-02 12:07:37 UTC" in out
    assert out.splitlines()[-2:] == [
        "REFUSED: the quote cannot be relied on",
        "  the quote is not authentic: its registers prove nothing",
    ]
    status, out, _ = run(guests.reference(gcp_c3=cos()), *options, "--json")
    assert json.loads(out)["checklist"]["checks"] == []


def test_a_quote_that_is_not_acceptable_is_compared_all_the_same(run: Any) -> None:
    status, out, _ = run(guests.reference(gcp_c3=cos()), *QUOTE, "--report-data", "01")
    assert status is ExitStatus.DOES_NOT_HOLD
    lines = out.splitlines()
    assert "acceptable: NO" in lines
    assert sum(line.startswith("gcp/c3 ") and line.rstrip().endswith(" match") for line in lines) == 5
    assert "REFUSED: the quote cannot be relied on" in lines
    assert lines[-1].startswith("  the quote is not acceptable: REPORTDATA: mismatch: it is not what was asked for")


def test_the_nonce_that_was_asked_for(run: Any) -> None:
    nonce = quotes.ASSETS / "quotes" / "gcp-cos113-nonce.bin"
    status, out, _ = run(guests.reference(gcp_c3=cos()), *QUOTE, "--nonce", str(nonce))
    assert status is ExitStatus.HOLDS
    assert "not checked: REPORTDATA" not in out


EITHER = "expected either FILE, or --claims, or --quote and what is asked of it"
OF_A_QUOTE = "an option here is asked of a guest's quote, and no quote is given"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ((), EITHER),
        ((*QUOTE[:2], str(guests.COS_LOG)), EITHER),
        ((str(guests.COS_LOG), "--platform", "x"), OF_A_QUOTE),
        (("f", "--allow-debug"), OF_A_QUOTE),
    ],
)
def test_either_a_file_or_a_quote(options: tuple[str, ...], error: str, run: Any) -> None:
    status, out, err = run(guests.reference(gcp_c3=cos()), *options)
    assert (status, out) == (ExitStatus.NO_VERDICT, "")
    assert error in err


def test_firmware_and_machine_as_predicted(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real c3-standard-4 with two disks, against what is predicted for that machine type; its image is somebody else's."""
    reference = released.write_report(tmp_path / "report")
    uki, machine = tmp_path / "report/artifacts" / released.UKI, tmp_path / "machine.json"
    options = ["--machine", "c3-standard-4", "--disks", "2", "--output", str(machine)]
    assert main(["measure", str(uki), *options]) is ExitStatus.HOLDS
    capsys.readouterr()
    platforms = create.create_reference(
        release="r", commit=None, build=sample.build(), measurements=[load_measurements(machine)]
    ).platforms
    quote = quotes.ASSETS / "quotes" / "gcp-c3-standard-4.bin"
    published = create.dump_reference(replace(reference, platforms=platforms))
    status, out, _ = run(published, "--quote", str(quote), "--at", "2026-06-30", "--json", *ALLOWED)
    outcomes = {check["name"]: check["outcome"] for check in json.loads(out)["checklist"]["checks"]}
    assert status is ExitStatus.DOES_NOT_HOLD
    assert outcomes == {
        "gcp/c3-standard-4 MRTD sha384": "match",
        "gcp/c3-standard-4 RTMR0 sha384": "match",
        "gcp/c3-standard-4 RTMR1 sha384": "open",
        "gcp/c3-standard-4 RTMR2 sha384": "mismatch",
        "gcp/c3-standard-4 RTMR3 sha384": "match",
    }

"""`reference show`, `list`, `sign` and `verify` through main(argv)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders import documents, keys
from builders.published_schemas import problems
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create, model
from teekit_verify.reference.signing import dsse
from teekit_verify.registers.registers import pcr


@pytest.fixture
def ref(tmp_path: Path) -> Path:
    path = tmp_path / "reference/base.json"
    path.parent.mkdir()
    path.write_bytes(create.dump_reference(documents.reference()))
    return path


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return keys.pin(tmp_path / "trusted", "alice", "bob")


def _sign(ref: Path, folder: Path, name: str = "alice", kind: str = "ed25519") -> ExitStatus:
    return main(["reference", "sign", str(ref), "--key", str(keys.write_private(folder, name, kind))])


def _verify(ref: Path, trusted: Path, *more: str) -> ExitStatus:
    return main(["reference", "verify", str(ref), "--trusted-keys", str(trusted), *more])


def test_signed_and_verified(tmp_path: Path, ref: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _sign(ref, tmp_path) == ExitStatus.HOLDS
    key = keys.signing_key("alice").id
    assert capsys.readouterr().err == f"wrote {ref}.sig, signed by key {key}\n"
    assert _verify(ref, trusted) == ExitStatus.HOLDS
    assert capsys.readouterr().out == f"good signature of alice (key {key})\nSIGNED: by a trusted key: {ref}\n"


def test_signing_is_deterministic_with_both_kinds_of_key(tmp_path: Path, ref: Path) -> None:
    for kind in ("ed25519", "p256"):
        signature = ref.with_name("base.json.sig")
        signature.unlink(missing_ok=True)
        assert _sign(ref, tmp_path, kind=kind) == ExitStatus.HOLDS
        first = signature.read_bytes()
        signature.unlink()
        assert _sign(ref, tmp_path, kind=kind) == ExitStatus.HOLDS
        assert signature.read_bytes() == first


def test_a_second_signature_is_added(tmp_path: Path, ref: Path, trusted: Path) -> None:
    assert (_sign(ref, tmp_path), _sign(ref, tmp_path, "bob")) == (ExitStatus.HOLDS, ExitStatus.HOLDS)
    (trusted / "alice.pem").unlink()
    assert _verify(ref, trusted) == ExitStatus.HOLDS


def test_nobody_is_trusted_by_default(
    tmp_path: Path, ref: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _sign(ref, tmp_path, "mallory") == ExitStatus.HOLDS
    assert _verify(ref, trusted) == ExitStatus.DOES_NOT_HOLD
    out = capsys.readouterr().out
    assert out == (f"no key: none of the trusted keys made this signature\nNOT SIGNED by a trusted key: {ref}\n")
    assert main(["reference", "verify", str(ref)]) == ExitStatus.NO_VERDICT
    assert "Missing option '--trusted-keys'" in capsys.readouterr().err


def test_a_changed_file_is_not_signed(
    tmp_path: Path, ref: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _sign(ref, tmp_path) == ExitStatus.HOLDS
    ref.write_bytes(ref.read_bytes().replace(b'"base-1"', b'"base-9"'))
    assert _verify(ref, trusted) == ExitStatus.DOES_NOT_HOLD
    out = capsys.readouterr().out
    assert "the signature is about another file, or about other bytes of this one" in out
    assert f"NOT SIGNED by a trusted key: {ref}" in out


def test_expiry_is_judged_on_the_day_asked_for(
    tmp_path: Path, ref: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _sign(ref, tmp_path) == ExitStatus.HOLDS
    (trusted / "alice.pem").write_bytes(b"Expires: 2026-06-30\n" + keys.public_pem("alice"))
    assert _verify(ref, trusted, "--at", "2026-06-30") == ExitStatus.HOLDS
    assert _verify(ref, trusted, "--at", "2026-07-01") == ExitStatus.DOES_NOT_HOLD
    assert "expired: the key of alice was to be trusted until 2026-06-30" in capsys.readouterr().out


def test_a_broken_signature_names_whose_it_claims_to_be(
    tmp_path: Path, ref: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _sign(ref, tmp_path, "mallory") == ExitStatus.HOLDS
    signature = ref.with_name("base.json.sig")
    lying = signature.read_text().replace(keys.signing_key("mallory").id, keys.signing_key("alice").id)
    signature.write_text(lying)
    assert _verify(ref, trusted, "--json") == ExitStatus.DOES_NOT_HOLD
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert problems("signature-check-v1", fields) == []
    assert fields["exit_status"] == 1
    assert fields["signatures"] == [
        {"standing": "bad signature", "owner": "alice", "key_id": keys.signing_key("alice").id}
    ]
    assert _verify(ref, trusted) == ExitStatus.DOES_NOT_HOLD
    assert "bad signature: it names the key of alice, which did not make it" in capsys.readouterr().out


def test_a_signature_elsewhere(tmp_path: Path, ref: Path, trusted: Path) -> None:
    assert _sign(ref, tmp_path) == ExitStatus.HOLDS
    elsewhere = ref.with_name("base.json.sig").rename(tmp_path / "elsewhere")
    assert _verify(ref, trusted, "--signature", str(elsewhere)) == ExitStatus.HOLDS


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is not JSON"), (b'{"payload": "AA', "is not JSON"), (b"{}", "expected a list")]
)
def test_an_unreadable_signature_gives_no_verdict(
    ref: Path, trusted: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ref.with_name("base.json.sig").write_bytes(content)
    assert _verify(ref, trusted) == ExitStatus.NO_VERDICT
    assert message in capsys.readouterr().err


def test_a_missing_signature_gives_no_verdict(ref: Path, trusted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(ref, trusted) == ExitStatus.NO_VERDICT
    assert "base.json: has no signature beside it: no file " in capsys.readouterr().err


def test_a_well_signed_file_that_is_no_reference_gives_no_verdict(
    tmp_path: Path, trusted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sign` would refuse it; somebody else's program did not."""
    path = tmp_path / "odd.json"
    path.write_bytes(b"{}")
    envelope = dsse.sign("application/vnd.teekit-verify.reference+json", b"{}", keys.signing_key("alice"))
    path.with_name("odd.json.sig").write_bytes(envelope.dump())
    assert _verify(path, trusted) == ExitStatus.NO_VERDICT
    assert "is not a document of this tool" in capsys.readouterr().err


def test_a_key_others_can_read_is_warned_about(tmp_path: Path, ref: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = keys.write_private(tmp_path, "alice")
    key.chmod(0o644)
    assert main(["reference", "sign", str(ref), "--key", str(key)]) == ExitStatus.HOLDS
    assert f"warning: other users can read {key}: chmod 600 {key}\n" in capsys.readouterr().err


def test_show_says_what_a_file_holds(ref: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference", "show", str(ref)]) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert out.splitlines()[0] == f"base-1, commit {'a' * 40}"
    assert "image base + debian-kernel" in out
    assert documents.PCR4_SHA256 in out
    assert documents.UKI.sha256.hex in out
    assert "not known: the GPT of the disk is not known" in out


def test_show_names_what_is_ignored_and_why(ref: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = json.loads(ref.read_text())
    fields["commit"] = None
    fields["platforms"]["tdx"]["RTMR1"] = {"policy": "ignore", "reason": "differs on every boot", "acceptable": []}
    ref.write_text(json.dumps(fields))
    assert main(["reference", "show", str(ref)]) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert "commit not stated" in out
    (line,) = (line for line in out.splitlines() if line.startswith("RTMR1"))
    assert line.split(maxsplit=2)[1:] == ["ignore", "differs on every boot"]


def test_show_json_is_the_file(ref: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference", "show", str(ref), "--json"]) == ExitStatus.HOLDS
    assert capsys.readouterr().out.encode() == ref.read_bytes()


def test_list_names_the_files_and_whether_there_is_a_signature(
    tmp_path: Path, ref: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reference", "list", str(ref.parent)]) == ExitStatus.HOLDS
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("base.json"))
    assert line.split()[:6] == ["base.json", "base-1", "base", "+", "debian-kernel", "no"]
    assert _sign(ref, tmp_path) == ExitStatus.HOLDS
    assert main(["reference", "list", str(ref.parent)]) == ExitStatus.HOLDS
    assert "  yes, not checked  " in capsys.readouterr().out


def test_list_tells_of_a_damaged_file(ref: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ref.parent / "odd.json").write_bytes(create.dump_inputs(documents.inputs()))
    assert main(["reference", "list", str(ref.parent)]) == ExitStatus.NO_VERDICT
    out = capsys.readouterr().out
    expected = f"'{model.REFERENCE_SCHEMA}' or '{model.MEASUREMENTS_SCHEMA}'"
    assert f"odd.json: schema: expected {expected}, found '{model.INPUTS_SCHEMA}'" in out
    assert main(["reference", "list", str(ref.parent), "--json"]) == ExitStatus.NO_VERDICT
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert fields["exit_status"] == 2
    assert [item["release"] for item in fields["files"]] == ["base-1", ""]


def test_list_of_nothing_gives_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference", "list", str(tmp_path)]) == ExitStatus.NO_VERDICT
    assert "has no reference files (.json, .pcrlock, .binarypb)" in capsys.readouterr().out


FORMATS = Path(__file__).parents[3] / "assets" / "formats"
ENDORSEMENT, GOOGLE_ROOT = FORMATS / "gce-endorsement.binarypb", FORMATS / "GCE-cc-tcb-root_1.pem"


def test_check_says_which_format_a_file_has(ref: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference", "check", str(ref)]) == ExitStatus.HOLDS
    line = "base-1: 2 artifacts, 3 registers, well formed: reference (teekit-verify/reference/v1)\n"
    assert capsys.readouterr().out == line
    assert main(["reference", "check", str(FORMATS / "flashbots-buildernet.json")]) == ExitStatus.HOLDS
    line = "23 images: 0 artifacts, 79 registers, well formed: Flashbots measurements JSON (a list with attestation types)\n"
    assert capsys.readouterr().out == line


def test_an_endorsement_is_checked_against_a_named_root_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference", "check", str(ENDORSEMENT)]) == ExitStatus.NO_VERDICT
    assert "hint: Give the file of Google's root certificate with --google-root." in capsys.readouterr().err
    assert main(["reference", "check", str(ENDORSEMENT), "--google-root", str(GOOGLE_ROOT)]) == ExitStatus.HOLDS
    assert capsys.readouterr().out.endswith("well formed: launch endorsement of Google Compute Engine\n")


def test_show_tells_the_values_of_other_formats(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reference", "show", str(ENDORSEMENT), "--google-root", str(GOOGLE_ROOT)]) == ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert "firmware 919307640" in out
    (line,) = (line for line in out.splitlines() if line.startswith("MRTD"))
    assert line.split()[1:5] == ["match", "measurement", "1", "sha384"]
    assert line.split()[5].startswith("c1ee9c16e3afc506cfe042c5b846a368")
    assert main(["reference", "show", str(FORMATS / "dstack-mr.json"), "--json"]) == ExitStatus.HOLDS
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (fields["schema"], fields["format"]) == ("teekit-verify/published/v1", "dstack-mr JSON")
    (image,) = fields["images"]
    assert list(image["platforms"]["qemu"]) == ["MRTD", "RTMR0", "RTMR1", "RTMR2"]


def test_list_takes_every_format(ref: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("dstack-mr.json", "gce-endorsement.binarypb", "350-action-efi-application.pcrlock", "README.md"):
        (ref.parent / name).write_bytes((FORMATS / name).read_bytes())
    assert main(["reference", "list", str(ref.parent), "--json", "--google-root", str(GOOGLE_ROOT)]) == ExitStatus.HOLDS
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {item["file"]: item["format"] for item in fields["files"]} == {
        "350-action-efi-application.pcrlock": "systemd-pcrlock component",
        "base.json": "reference (teekit-verify/reference/v1)",
        "dstack-mr.json": "dstack-mr JSON",
        "gce-endorsement.binarypb": "launch endorsement of Google Compute Engine",
    }


def test_add_writes_a_reference_that_accepts_both(
    ref: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = documents.measurements(platforms={**documents.measurements().platforms})
    pcr11 = documents.complete(documents.section_event(".linux", "as newer firmware measures it"))
    changed.platforms["uefi-vtpm"] = {**changed.platforms["uefi-vtpm"], pcr(11): pcr11}
    paths = [tmp_path / name for name in ("old.json", "new.json", "both.json")]
    paths[0].write_bytes(create.dump_measurements(documents.measurements()))
    paths[1].write_bytes(create.dump_measurements(changed))
    assert main(["compare", str(ref), "--claims", str(paths[1])]) == ExitStatus.DOES_NOT_HOLD
    argv = ["reference", "add", str(ref), str(paths[1]), "--label", "newer firmware", "--output", str(paths[2])]
    capsys.readouterr()
    assert main(argv) == ExitStatus.HOLDS
    assert capsys.readouterr().err == f"wrote {paths[2]}\n"
    for path in paths[:2]:
        assert main(["compare", str(paths[2]), "--claims", str(path)]) == ExitStatus.NO_VERDICT
        assert "; 1 register is open" in capsys.readouterr().out
    fields = json.loads(paths[2].read_text())["platforms"]["uefi-vtpm"]
    assert [item["label"] for item in fields["PCR11"]["acceptable"]] == ["rebuild", "newer firmware"]
    assert fields["PCR4"]["policy"] == "match"
    assert main(["reference", "add", str(paths[2]), str(paths[1]), "--label", "x", "--output", str(paths[2])]) == 0
    capsys.readouterr()
    assert main(["reference", "show", str(FORMATS / "dstack-mr-gcp.json")]) == ExitStatus.HOLDS
    assert "firmware 3, machine 8 (in firmware 3)" in capsys.readouterr().out

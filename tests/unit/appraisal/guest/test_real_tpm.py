"""What a released image really answered by its TPM alone (tests/assets/tpm/answer.json), against its release and against what it booted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builders import azure, machine_tpm, quotes
from teekit_verify import api
from teekit_verify.appraisal.guest.live import LiveGuest
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.guest_answer import parse_guest_answer
from teekit_verify.evidence.machine_tpm import parse_public

ANSWER = parse_guest_answer((azure.TPM / "answer.json").read_bytes())
LIVE = LiveGuest("http://localhost:3000", b"\x5a" * 32, None, ANSWER)
RELEASE = Path(__file__).parents[4] / "reference" / "releases" / "tdx-debian-gcp-2026.11.30.2" / "gcp.json"


def appraise(
    folder: Path, live: LiveGuest, reference: bytes, *allowed: str, keys: tuple[Path, ...] = ()
) -> api.GuestAppraisal:
    (folder / "ref.json").write_bytes(reference)
    (folder / "manifest.json").write_bytes(ANSWER.manifests[0])
    policy = api.parse_policy(at=quotes.NOW, allow_unchecked=("channel", *allowed), vtpm_keys=keys)
    given = api.given_apps([folder / "manifest.json"], (), ())
    return api.appraise_guest(folder / "ref.json", live, policy, given=given)


def published(**changed: bytes) -> bytes:
    """What the TPM holds, in swtpm's own words; a test may have published something else."""
    assert ANSWER.tpm is not None
    values = {number: ANSWER.tpm.pcrs["sha256"][number] for number in (4, 9, 11)}
    return machine_tpm.reference(values | {int(name[3:]): value for name, value in changed.items()})


@pytest.fixture
def key(tmp_path: Path) -> Path:
    assert ANSWER.tpm is not None
    (tmp_path / "key").write_bytes(ANSWER.tpm.ak_public)
    return tmp_path / "key"


def against(found: api.GuestAppraisal) -> list[str]:
    return [api.describe(check)[0] for check in found.checks if check.outcome is Outcome.MISMATCH]


def test_everything_but_who_vouches_for_it(tmp_path: Path, key: Path) -> None:
    found = appraise(tmp_path, LIVE, published())
    assert found.status is ExitStatus.NO_VERDICT
    left = [api.describe(check)[0] for check in found.checks if check.outcome is not Outcome.MATCH]
    assert sorted(left) == ["hardware signed a TDX quote", "vTPM"]
    assert found.quote is None
    assert appraise(tmp_path, LIVE, published(), "tdx", keys=(key,)).status is ExitStatus.HOLDS


def test_what_is_not_so(tmp_path: Path, key: Path) -> None:
    other = appraise(tmp_path, replace(LIVE, nonce=bytes(32)), published(), "tdx", keys=(key,))
    assert against(other) == ["nonce of the vTPM's quote", "answer is to this question"]
    bound = appraise(tmp_path, replace(LIVE, tls_key_sha256=b"\1" * 32), published(), "tdx", keys=(key,))
    assert against(bound) == ["nonce of the vTPM's quote", "connection ends in this machine"]
    for name in ("PCR4", "PCR9", "PCR11"):
        found = appraise(tmp_path, LIVE, published(**{name: bytes(32)}), "tdx", keys=(key,))
        assert (found.status, against(found)) == (ExitStatus.DOES_NOT_HOLD, [f"uefi-vtpm {name} sha256"])


def test_it_booted_what_was_released(tmp_path: Path, key: Path) -> None:
    """Predicted from the disk before it was ever booted, and signed by its publisher since."""
    found = appraise(tmp_path, LIVE, RELEASE.read_bytes(), "tdx", keys=(key,))
    assert (found.status, found.appraisal.platform) == (ExitStatus.HOLDS, "uefi-vtpm")
    matched = {api.describe(check)[0] for check in found.checks if check.outcome is Outcome.MATCH}
    assert {f"uefi-vtpm PCR{number} sha256" for number in (4, 5, 9, 11)} <= matched
    assert {f"event log PCR{number}" for number in (4, 5, 9, 11, 15)} <= matched


def test_the_key_is_the_one_that_signed() -> None:
    assert ANSWER.tpm is not None
    assert parse_public(ANSWER.tpm.ak_public).key_size == 2048

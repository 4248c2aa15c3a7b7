r"""The public API: what other programs may build on. Nothing else of this package is promised.

    from datetime import UTC, datetime
    from pathlib import Path
    from teekit_verify import api

    policy = api.policy(
        at=datetime.now(UTC),
        report_data=nonce,                  # 64 bytes, or api.NOT_REQUIRED
        collateral=Path("collateral"),      # or api.NOT_REQUIRED: then neither TCB status nor revocation is known
    )
    guest = api.appraise_guest(Path("ref.json"), api.GuestFiles(Path("quote.bin"), eventlog=Path("ccel.bin")), policy)
    if guest.status is not api.ExitStatus.HOLDS:
        raise SystemExit("\n".join(guest.reasons))

Every function raises TeekitError (`message`, `hint`, and a `code` that never changes meaning) where there is no verdict because something
cannot be read or asked. A verdict is a value: `status` is HOLDS only if all that was asked for was compared whole. Nothing
here reads a clock, prints, or uses the network, but for `rebuild`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from teekit_verify.api.appraising import (
        NOT_REQUIRED,
        ArtifactAppraisal,
        GuestAppraisal,
        NotRequired,
        QuoteVerification,
        appraise_artifact,
        appraise_claims,
        appraise_guest,
        describe,
        google_root,
        parse_policy,
        policy,
        trusted_firmware,
        verify_quote,
    )
    from teekit_verify.api.explaining import explain
    from teekit_verify.api.inspecting import FileKind, identify, inspect
    from teekit_verify.api.measuring import (
        KernelRequest,
        Measured,
        MeasuredFirmware,
        MeasureRequest,
        given_apps,
        measure,
        predict,
    )
    from teekit_verify.api.rebuilding import rebuild, rebuild_request
    from teekit_verify.appraisal.facts import Check, Fact, Why
    from teekit_verify.appraisal.guest.appraise import GuestFiles
    from teekit_verify.appraisal.guest.quote import QuotePolicy
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.boot.machine_request import MachineRequest
    from teekit_verify.core.digest import Algorithm, Digest
    from teekit_verify.core.errors import TeekitError
    from teekit_verify.core.outcome import ExitStatus, Outcome
    from teekit_verify.explanation.tree import Explanation
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.prediction.mrtd import PageOrder
    from teekit_verify.record.rebuild import RebuildRequest, Rebuilt
    from teekit_verify.reference.google_signature import TrustedRoot
    from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr

_PLACES = {
    "teekit_verify.api.appraising": "NOT_REQUIRED ArtifactAppraisal GuestAppraisal NotRequired QuoteVerification appraise_artifact appraise_claims appraise_guest describe google_root parse_policy policy trusted_firmware verify_quote",
    "teekit_verify.api.explaining": "explain",
    "teekit_verify.api.inspecting": "FileKind identify inspect",
    "teekit_verify.api.measuring": "KernelRequest MeasureRequest Measured MeasuredFirmware given_apps measure predict",
    "teekit_verify.api.rebuilding": "rebuild rebuild_request",
    "teekit_verify.appraisal.facts": "Check Fact Why",
    "teekit_verify.appraisal.guest.appraise": "GuestFiles",
    "teekit_verify.appraisal.guest.quote": "QuotePolicy",
    "teekit_verify.appraisal.guest_states": "SecureBoot",
    "teekit_verify.boot.machine_request": "MachineRequest",
    "teekit_verify.core.digest": "Algorithm Digest",
    "teekit_verify.core.errors": "TeekitError",
    "teekit_verify.core.outcome": "ExitStatus Outcome",
    "teekit_verify.explanation.tree": "Explanation",
    "teekit_verify.prediction.given_apps": "GivenApps",
    "teekit_verify.prediction.mrtd": "PageOrder",
    "teekit_verify.record.rebuild": "RebuildRequest Rebuilt",
    "teekit_verify.reference.google_signature": "TrustedRoot",
    "teekit_verify.registers.registers": "MRTD Register pcr rtmr",
}
"""Where each name is made. It is loaded when it is asked for first: a program that verifies quotes rebuilds nothing."""
_MODULES = {name: module for module, names in _PLACES.items() for name in names.split()}

__all__ = [
    "MRTD",
    "NOT_REQUIRED",
    "Algorithm",
    "ArtifactAppraisal",
    "Check",
    "Digest",
    "ExitStatus",
    "Explanation",
    "Fact",
    "FileKind",
    "GivenApps",
    "GuestAppraisal",
    "GuestFiles",
    "KernelRequest",
    "MachineRequest",
    "MeasureRequest",
    "Measured",
    "MeasuredFirmware",
    "NotRequired",
    "Outcome",
    "PageOrder",
    "QuotePolicy",
    "QuoteVerification",
    "RebuildRequest",
    "Rebuilt",
    "Register",
    "SecureBoot",
    "TeekitError",
    "TrustedRoot",
    "Why",
    "appraise_artifact",
    "appraise_claims",
    "appraise_guest",
    "describe",
    "explain",
    "given_apps",
    "google_root",
    "identify",
    "inspect",
    "measure",
    "parse_policy",
    "pcr",
    "policy",
    "predict",
    "rebuild",
    "rebuild_request",
    "rtmr",
    "trusted_firmware",
    "verify_quote",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

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
cannot be read or asked. A verdict is a value: `status` is HOLDS only if all that was asked for was compared completely. Nothing
here reads a clock or prints; what uses the network says so.
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
    from teekit_verify.api.asking import ask_guest
    from teekit_verify.api.auditing import (
        Audited,
        AuditLog,
        Auditor,
        AuditOutcome,
        AuditRequest,
        Basis,
        Filing,
        audit,
        audit_status,
    )
    from teekit_verify.api.booting import boot
    from teekit_verify.api.diffing import diff_publications
    from teekit_verify.api.explaining import explain
    from teekit_verify.api.fetching import fetch_collateral
    from teekit_verify.api.inspecting import FileKind, identify, inspect
    from teekit_verify.api.locking import (
        FetchedPackages,
        check_archive,
        check_lock,
        create_archive,
        diff_locks,
        fetch_image,
        fetch_release,
        prune_archive,
    )
    from teekit_verify.api.measuring import (
        KernelRequest,
        Measured,
        MeasuredFirmware,
        MeasureRequest,
        given_apps,
        measure,
        predict,
        stub_inputs,
    )
    from teekit_verify.api.monitoring import Alarm, AlarmKind, alarm_status, monitor
    from teekit_verify.api.providing import environment_lock, examine_host, provision, release_commit, release_subject
    from teekit_verify.api.publishing import (
        PublishedReference,
        create_reference,
        extend_reference,
        key_is_encrypted,
        load_reference_values,
        load_signing_key,
        public_half,
        sign_reference,
        verify_reference_signature,
    )
    from teekit_verify.api.rebuilderd import JobRequest, rebuild_job, write_jobs
    from teekit_verify.api.rebuilding import load_report, rebuild, rebuild_request
    from teekit_verify.api.releasing import BillOfMaterials, known_releases, release_materials, releases_folder
    from teekit_verify.api.replaying import Replayed, replay
    from teekit_verify.api.running import METADATA_PORT, MOST_KETTLES, LocalOptions, Metadata, Ready, run_local
    from teekit_verify.api.stating import (
        LogCheck,
        WrittenStatement,
        assemble_statement,
        check_statements,
        count_statements,
        export_bundles,
        export_link,
        export_summary,
        show_statement,
        show_statements,
        state,
        state_unsigned,
    )
    from teekit_verify.api.surveying import ReleaseSurvey, survey_releases
    from teekit_verify.api.vetting import vet_packages
    from teekit_verify.appraisal.facts import Check, Fact, Why
    from teekit_verify.appraisal.guest.appraise import AppraisedGuest, GuestFiles
    from teekit_verify.appraisal.guest.live import LiveGuest
    from teekit_verify.appraisal.guest.quote import QuotePolicy
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.appraisal.packages import RebuiltPackages
    from teekit_verify.appraisal.publications import PublicationDiff
    from teekit_verify.appraisal.rebuilt_inputs import SavedAnswers
    from teekit_verify.appraisal.statements.repository import CheckedRepository
    from teekit_verify.appraisal.statements.shown import ShownStatement
    from teekit_verify.appraisal.statements.statement import Independence
    from teekit_verify.appraisal.statements.threshold import Tally
    from teekit_verify.appraisal.subjects import (
        ArtifactCheck,
        EventTextCheck,
        FactCheck,
        GivenCheck,
        QuestionCheck,
        RegisterCheck,
        StatedCheck,
    )
    from teekit_verify.boot.machine_request import MachineRequest
    from teekit_verify.boot.proof import BootProof
    from teekit_verify.core.digest import Algorithm, Digest
    from teekit_verify.core.download.proxies import Proxies
    from teekit_verify.core.errors import TeekitError
    from teekit_verify.core.outcome import ExitStatus, Outcome
    from teekit_verify.core.progress import Progress
    from teekit_verify.documents.identify import DocumentFacts
    from teekit_verify.documents.model import Measurements
    from teekit_verify.documents.release import withdrawal_of
    from teekit_verify.evidence.eventlog import LogKind
    from teekit_verify.evidence.files import Evidence
    from teekit_verify.explanation.tree import Explanation
    from teekit_verify.inspection.disk import DiskFacts
    from teekit_verify.inspection.uki import UkiFacts
    from teekit_verify.prediction.firmware import FirmwareInspection
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.prediction.mrtd import PageOrder
    from teekit_verify.prediction.stub_machine import StubInputs
    from teekit_verify.rebuild.by_hand import become_mkosi
    from teekit_verify.rebuild.evidence import LockCheck
    from teekit_verify.rebuild.host import Finding, Purpose, can_rebuild
    from teekit_verify.rebuild.images import DEBIAN_KERNEL, Target, find_target
    from teekit_verify.rebuild.inputs_archive import Checked, Created
    from teekit_verify.rebuild.lock import EnvironmentIdentity, LockedPackage, PackageLock
    from teekit_verify.rebuild.lock_diff import LockDiff
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.rebuild.shell import become_shell
    from teekit_verify.rebuild.subject import Choice, Subject
    from teekit_verify.record.comparison import ComparisonReport, ReferenceUsed
    from teekit_verify.record.document import RebuildReport
    from teekit_verify.record.rebuild import RebuildRequest, Rebuilt
    from teekit_verify.record.rebuilderd import MadeJob
    from teekit_verify.reference.google_signature import TrustedRoot
    from teekit_verify.reference.identify import PublishedFacts
    from teekit_verify.reference.intel_pcs import Fetched
    from teekit_verify.reference.published import PublishedFile, ReferenceValues
    from teekit_verify.reference.releases import Releases
    from teekit_verify.reference.signing.detached import Verification
    from teekit_verify.reference.signing.keys import SigningKey
    from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr

_PLACES = {
    "teekit_verify.api.appraising": "NOT_REQUIRED ArtifactAppraisal GuestAppraisal NotRequired QuoteVerification appraise_artifact appraise_claims appraise_guest describe google_root parse_policy policy trusted_firmware verify_quote",
    "teekit_verify.api.asking": "ask_guest",
    "teekit_verify.api.auditing": "AuditLog AuditOutcome AuditRequest Audited Auditor Basis Filing audit audit_status",
    "teekit_verify.api.booting": "boot",
    "teekit_verify.api.diffing": "diff_publications",
    "teekit_verify.api.explaining": "explain",
    "teekit_verify.api.fetching": "fetch_collateral",
    "teekit_verify.api.inspecting": "FileKind identify inspect",
    "teekit_verify.api.locking": "FetchedPackages check_archive check_lock create_archive diff_locks fetch_image fetch_release prune_archive",
    "teekit_verify.api.measuring": "KernelRequest MeasureRequest Measured MeasuredFirmware given_apps measure predict stub_inputs",
    "teekit_verify.api.monitoring": "Alarm AlarmKind alarm_status monitor",
    "teekit_verify.api.providing": "environment_lock examine_host provision release_commit release_subject",
    "teekit_verify.api.publishing": "PublishedReference create_reference extend_reference key_is_encrypted load_reference_values load_signing_key public_half sign_reference verify_reference_signature",
    "teekit_verify.api.rebuilderd": "JobRequest rebuild_job write_jobs",
    "teekit_verify.api.rebuilding": "load_report rebuild rebuild_request",
    "teekit_verify.api.releasing": "BillOfMaterials known_releases release_materials releases_folder",
    "teekit_verify.api.replaying": "Replayed replay",
    "teekit_verify.api.running": "METADATA_PORT MOST_KETTLES LocalOptions Metadata Ready run_local",
    "teekit_verify.api.stating": "LogCheck WrittenStatement assemble_statement check_statements count_statements export_bundles export_link export_summary show_statement show_statements state state_unsigned",
    "teekit_verify.api.surveying": "ReleaseSurvey survey_releases",
    "teekit_verify.api.vetting": "vet_packages",
    "teekit_verify.appraisal.facts": "Check Fact Why",
    "teekit_verify.appraisal.guest.appraise": "AppraisedGuest GuestFiles",
    "teekit_verify.appraisal.guest.live": "LiveGuest",
    "teekit_verify.appraisal.guest.quote": "QuotePolicy",
    "teekit_verify.appraisal.guest_states": "SecureBoot",
    "teekit_verify.appraisal.packages": "RebuiltPackages",
    "teekit_verify.appraisal.publications": "PublicationDiff",
    "teekit_verify.appraisal.rebuilt_inputs": "SavedAnswers",
    "teekit_verify.appraisal.statements.repository": "CheckedRepository",
    "teekit_verify.appraisal.statements.shown": "ShownStatement",
    "teekit_verify.appraisal.statements.statement": "Independence",
    "teekit_verify.appraisal.statements.threshold": "Tally",
    "teekit_verify.appraisal.subjects": "ArtifactCheck EventTextCheck FactCheck GivenCheck QuestionCheck RegisterCheck StatedCheck",
    "teekit_verify.boot.machine_request": "MachineRequest",
    "teekit_verify.boot.proof": "BootProof",
    "teekit_verify.core.digest": "Algorithm Digest",
    "teekit_verify.core.download.proxies": "Proxies",
    "teekit_verify.core.errors": "TeekitError",
    "teekit_verify.core.outcome": "ExitStatus Outcome",
    "teekit_verify.core.progress": "Progress",
    "teekit_verify.documents.identify": "DocumentFacts",
    "teekit_verify.documents.model": "Measurements",
    "teekit_verify.documents.release": "withdrawal_of",
    "teekit_verify.evidence.eventlog": "LogKind",
    "teekit_verify.evidence.files": "Evidence",
    "teekit_verify.explanation.tree": "Explanation",
    "teekit_verify.inspection.disk": "DiskFacts",
    "teekit_verify.inspection.uki": "UkiFacts",
    "teekit_verify.prediction.firmware": "FirmwareInspection",
    "teekit_verify.prediction.given_apps": "GivenApps",
    "teekit_verify.prediction.mrtd": "PageOrder",
    "teekit_verify.prediction.stub_machine": "StubInputs",
    "teekit_verify.rebuild.by_hand": "become_mkosi",
    "teekit_verify.rebuild.evidence": "LockCheck",
    "teekit_verify.rebuild.host": "Finding Purpose can_rebuild",
    "teekit_verify.rebuild.images": "DEBIAN_KERNEL Target find_target",
    "teekit_verify.rebuild.inputs_archive": "Checked Created",
    "teekit_verify.rebuild.lock": "EnvironmentIdentity LockedPackage PackageLock",
    "teekit_verify.rebuild.lock_diff": "LockDiff",
    "teekit_verify.rebuild.provision": "Provision",
    "teekit_verify.rebuild.shell": "become_shell",
    "teekit_verify.rebuild.subject": "Choice Subject",
    "teekit_verify.record.comparison": "ComparisonReport ReferenceUsed",
    "teekit_verify.record.document": "RebuildReport",
    "teekit_verify.record.rebuild": "RebuildRequest Rebuilt",
    "teekit_verify.record.rebuilderd": "MadeJob",
    "teekit_verify.reference.google_signature": "TrustedRoot",
    "teekit_verify.reference.identify": "PublishedFacts",
    "teekit_verify.reference.intel_pcs": "Fetched",
    "teekit_verify.reference.published": "PublishedFile ReferenceValues",
    "teekit_verify.reference.releases": "Releases",
    "teekit_verify.reference.signing.detached": "Verification",
    "teekit_verify.reference.signing.keys": "SigningKey",
    "teekit_verify.registers.registers": "MRTD Register pcr rtmr",
}
"""Where each name is made. It is loaded when it is asked for first: a program that verifies quotes rebuilds nothing."""
_MODULES = {name: module for module, names in _PLACES.items() for name in names.split()}

__all__ = [
    "DEBIAN_KERNEL",
    "METADATA_PORT",
    "MOST_KETTLES",
    "MRTD",
    "NOT_REQUIRED",
    "Alarm",
    "AlarmKind",
    "Algorithm",
    "AppraisedGuest",
    "ArtifactAppraisal",
    "ArtifactCheck",
    "AuditLog",
    "AuditOutcome",
    "AuditRequest",
    "Audited",
    "Auditor",
    "Basis",
    "BillOfMaterials",
    "BootProof",
    "Check",
    "Checked",
    "CheckedRepository",
    "Choice",
    "ComparisonReport",
    "Created",
    "Digest",
    "DiskFacts",
    "DocumentFacts",
    "EnvironmentIdentity",
    "EventTextCheck",
    "Evidence",
    "ExitStatus",
    "Explanation",
    "Fact",
    "FactCheck",
    "Fetched",
    "FetchedPackages",
    "FileKind",
    "Filing",
    "Finding",
    "FirmwareInspection",
    "GivenApps",
    "GivenCheck",
    "GuestAppraisal",
    "GuestFiles",
    "Independence",
    "JobRequest",
    "KernelRequest",
    "LiveGuest",
    "LocalOptions",
    "LockCheck",
    "LockDiff",
    "LockedPackage",
    "LogCheck",
    "LogKind",
    "MachineRequest",
    "MadeJob",
    "MeasureRequest",
    "Measured",
    "MeasuredFirmware",
    "Measurements",
    "Metadata",
    "NotRequired",
    "Outcome",
    "PackageLock",
    "PageOrder",
    "Progress",
    "Provision",
    "Proxies",
    "PublicationDiff",
    "PublishedFacts",
    "PublishedFile",
    "PublishedReference",
    "Purpose",
    "QuestionCheck",
    "QuotePolicy",
    "QuoteVerification",
    "Ready",
    "RebuildReport",
    "RebuildRequest",
    "Rebuilt",
    "RebuiltPackages",
    "ReferenceUsed",
    "ReferenceValues",
    "Register",
    "RegisterCheck",
    "ReleaseSurvey",
    "Releases",
    "Replayed",
    "SavedAnswers",
    "SecureBoot",
    "ShownStatement",
    "SigningKey",
    "StatedCheck",
    "StubInputs",
    "Subject",
    "Tally",
    "Target",
    "TeekitError",
    "TrustedRoot",
    "UkiFacts",
    "Verification",
    "Why",
    "WrittenStatement",
    "alarm_status",
    "appraise_artifact",
    "appraise_claims",
    "appraise_guest",
    "ask_guest",
    "assemble_statement",
    "audit",
    "audit_status",
    "become_mkosi",
    "become_shell",
    "boot",
    "can_rebuild",
    "check_archive",
    "check_lock",
    "check_statements",
    "count_statements",
    "create_archive",
    "create_reference",
    "describe",
    "diff_locks",
    "diff_publications",
    "environment_lock",
    "examine_host",
    "explain",
    "export_bundles",
    "export_link",
    "export_summary",
    "extend_reference",
    "fetch_collateral",
    "fetch_image",
    "fetch_release",
    "find_target",
    "given_apps",
    "google_root",
    "identify",
    "inspect",
    "key_is_encrypted",
    "known_releases",
    "load_reference_values",
    "load_report",
    "load_signing_key",
    "measure",
    "monitor",
    "parse_policy",
    "pcr",
    "policy",
    "predict",
    "provision",
    "prune_archive",
    "public_half",
    "rebuild",
    "rebuild_job",
    "rebuild_request",
    "release_commit",
    "release_materials",
    "release_subject",
    "releases_folder",
    "replay",
    "rtmr",
    "run_local",
    "show_statement",
    "show_statements",
    "sign_reference",
    "state",
    "state_unsigned",
    "stub_inputs",
    "survey_releases",
    "trusted_firmware",
    "verify_quote",
    "verify_reference_signature",
    "vet_packages",
    "withdrawal_of",
    "write_jobs",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

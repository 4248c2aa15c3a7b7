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
here reads a clock, prints, or uses the network, but for `rebuild` and `ask_guest`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

from teekit_verify.appraisal.artifact import compare_with_published
from teekit_verify.appraisal.facts import Check, Fact, Requested, Why
from teekit_verify.appraisal.guest import appraise as guests
from teekit_verify.appraisal.guest.appraise import GuestFiles
from teekit_verify.appraisal.guest.live import LiveGuest, appraise_live
from teekit_verify.appraisal.guest.policy import REPORT_DATA_BYTES, ReportDataRequest, read_root
from teekit_verify.appraisal.guest.quote import QuoteAppraisal, QuotePolicy, Unchecked, appraise_quote
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import Proxies
from teekit_verify.core.download import guest_channel as channel
from teekit_verify.core.download.guest_channel import parse_guest_address
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents.app_manifest import read_manifest, require_hostname
from teekit_verify.documents.load import load_measurements
from teekit_verify.evidence.authenticity import QuoteSignature, parse_signature
from teekit_verify.evidence.collateral import read_collateral
from teekit_verify.evidence.guest_answer import NONCE_BYTES, PATH, parse_guest_answer
from teekit_verify.evidence.quote import Quote, read_quote
from teekit_verify.explanation import explain as explanations
from teekit_verify.explanation.tree import Explanation
from teekit_verify.prediction import image
from teekit_verify.prediction.given_apps import GivenApps
from teekit_verify.prediction.machines import gcp_machines
from teekit_verify.rebuild.images import DEBIAN_KERNEL
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.provision import Provision
from teekit_verify.rebuild.subject import Choice
from teekit_verify.record.rebuild import RebuildRequest, Rebuilt
from teekit_verify.record.rebuild import rebuild as run_rebuild
from teekit_verify.reference.formats import load_published
from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr
from teekit_verify.wording.checks import detail_of, name_of, reason_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from teekit_verify.appraisal.checklist import Checklist, Conclusion
    from teekit_verify.appraisal.guest.registers import PresentedAppraisal
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.core.progress import Progress
    from teekit_verify.documents.model import Measurements
    from teekit_verify.reference.google_signature import TrustedRoot
    from teekit_verify.reference.published import PublishedFile, ReferenceValues

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
    "GivenApps",
    "GuestAppraisal",
    "GuestFiles",
    "LiveGuest",
    "NotRequired",
    "Outcome",
    "QuoteVerification",
    "RebuildRequest",
    "Rebuilt",
    "Register",
    "TeekitError",
    "Why",
    "appraise_artifact",
    "appraise_claims",
    "appraise_guest",
    "ask_guest",
    "describe",
    "explain",
    "given_apps",
    "pcr",
    "policy",
    "predict",
    "rebuild",
    "rebuild_request",
    "rtmr",
    "verify_quote",
]


class NotRequired(Enum):
    """Said of what a verifier must be told: it may stay unchecked, and the verdict shows that it did."""

    NOT_REQUIRED = "not required"


NOT_REQUIRED: Literal[NotRequired.NOT_REQUIRED] = NotRequired.NOT_REQUIRED


def policy(
    *,
    at: datetime,
    report_data: bytes | NotRequired,
    collateral: Path | NotRequired,
    trusted_root: Path | None = None,
    allow_debug: bool = False,
    allow_service_td: bool = False,
    allow_sept_ve: bool = False,
) -> QuotePolicy:
    """What is asked of a quote.

    `at`: the time, with its zone, at which certificates and collateral must be valid. `report_data`: the 64 bytes that the guest was
    asked to put into REPORTDATA. `collateral`: a file or folder with Intel's. `trusted_root`: a PEM file in place of Intel's root.

    Raises TeekitError for a time without a zone, REPORTDATA of another length, and files that cannot be read.
    """
    if at.tzinfo is None:
        raise TeekitError("the time has no zone", hint="Give datetime.now(UTC), or another with tzinfo.")
    unchecked: set[Unchecked] = set()
    request = None
    if isinstance(report_data, NotRequired):
        unchecked.add(Unchecked.REPORT_DATA)
    elif len(report_data) != REPORT_DATA_BYTES:
        raise TeekitError(f"REPORTDATA: expected {REPORT_DATA_BYTES} bytes, found {len(report_data)}", hint="Pad it.")
    else:
        request = ReportDataRequest((report_data,), Requested.GIVEN)
    if isinstance(collateral, NotRequired):
        unchecked |= {Unchecked.TCB, Unchecked.REVOCATION}
    return QuotePolicy(
        at=at,
        trusted_root=read_root(trusted_root),
        report_data=request,
        allow_debug=allow_debug,
        allow_service_td=allow_service_td,
        allow_sept_ve=allow_sept_ve,
        collateral=None if isinstance(collateral, NotRequired) else read_collateral(collateral),
        allow_unchecked=frozenset(unchecked),
    )


def predict(
    artifact: Path,
    *,
    platforms: Sequence[str] = (),
    machines: Sequence[str] = (),
    firmware: Path | None = None,
    profile: str = "0",
) -> Measurements:
    """What a guest will measure that boots a UKI, or a disk with one, by platform and register, with the events.

    `platforms`: `gcp`, `azure`, `qemu`, `tdx`, `uefi-vtpm`; all that the file is for if there are none. `machines`: types of Google
    Cloud, for MRTD and RTMR0 as well; `firmware` is theirs where it is on no record. `profile` is the number or ID of a UKI's profile.
    """
    chosen = image.platforms_for(artifact, platforms or (["gcp"] if machines else []))
    wanted = gcp_machines(chosen, machines, firmware=firmware) if machines else None
    return image.measure_file(artifact, chosen, machines=wanted, profile=profile)


@dataclass(frozen=True, slots=True)
class ArtifactAppraisal:
    """An artifact against published values. `values` are the published ones that come closest."""

    published: PublishedFile
    values: ReferenceValues
    measurements: Measurements
    checklist: Checklist
    conclusion: Conclusion

    @property
    def status(self) -> ExitStatus:
        return self.conclusion.status

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.checklist.checks

    @property
    def reasons(self) -> tuple[str, ...]:
        """In words, for people."""
        return reason_lines(self.conclusion.reasons)


def appraise_artifact(reference: Path, artifact: Path, *, root: TrustedRoot | None = None) -> ArtifactAppraisal:
    """A UKI or disk against a file of reference values, of any format that is read. `root` is for those that Google signs."""
    published = load_published(reference, root)
    measured = image.measure_for(artifact, published.platforms, published.artifacts)
    return ArtifactAppraisal(published, *_in_order(compare_with_published(published.values, measured), measured))


def appraise_claims(reference: Path, measurements: Path, *, root: TrustedRoot | None = None) -> ArtifactAppraisal:
    """A measurements.json, which is somebody's word about an artifact, against reference values."""
    published, claimed = load_published(reference, root), load_measurements(measurements)
    compared = compare_with_published(published.values, claimed, claimed=True)
    return ArtifactAppraisal(published, *_in_order(compared, claimed))


def _in_order(
    compared: tuple[ReferenceValues, Checklist, Conclusion], measured: Measurements
) -> tuple[ReferenceValues, Measurements, Checklist, Conclusion]:
    values, checklist, conclusion = compared
    return values, measured, checklist, conclusion


@dataclass(frozen=True, slots=True)
class QuoteVerification:
    """A quote by itself: nothing is said of its registers."""

    quote: Quote
    signature: QuoteSignature
    appraisal: QuoteAppraisal

    @property
    def status(self) -> ExitStatus:
        return self.appraisal.status

    @property
    def registers(self) -> Mapping[Register, Digest]:
        """MRTD and RTMR0..3, as quoted."""
        return {register: self.quote.report.value(register) for register in (MRTD, *map(rtmr, range(4)))}


def verify_quote(quote: Path, asked: QuotePolicy) -> QuoteVerification:
    """Whether a quote is authentic, and its TD acceptable. Registers are not compared."""
    parsed = read_quote(quote)
    signature = parse_signature(parsed)
    return QuoteVerification(parsed, signature, appraise_quote(parsed, signature, asked))


@dataclass(frozen=True, slots=True)
class GuestAppraisal:
    """A running guest against published values."""

    published: PublishedFile
    quote: Quote
    signature: QuoteSignature
    appraisal: PresentedAppraisal

    @property
    def status(self) -> ExitStatus:
        return self.appraisal.conclusion.status

    @property
    def checks(self) -> tuple[Check, ...]:
        """Of the quote, then of the registers."""
        about = self.appraisal.quote
        return (*about.authentic, *about.acceptable, *self.appraisal.checklist.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """In words, for people."""
        return reason_lines(self.appraisal.conclusion.reasons)


def appraise_guest(
    reference: Path,
    evidence: GuestFiles | LiveGuest,
    asked: QuotePolicy,
    *,
    platform: str | None = None,
    secure_boot: SecureBoot | None = None,
    firmware: Sequence[Digest] = (),
    root: TrustedRoot | None = None,
    given: GivenApps | None = None,
) -> GuestAppraisal:
    """What a guest presents against a file of reference values: in files, or as `ask_guest` brings it.

    `given` is what the machine should have been given to run (`given_apps`); without it, what the reference says of that. `platform` names one of the reference's (None: the one that fits). `firmware`: MRTDs that the caller vouches for, where the reference
    does not have one. `secure_boot` is what the caller knows where the evidence does not say.
    """
    published = load_published(reference, root)
    appraise = appraise_live if isinstance(evidence, LiveGuest) else guests.appraise_guest
    guest = appraise(evidence, published.values, asked, platform, secure_boot, firmware=firmware, given=given)  # type: ignore[arg-type]
    return GuestAppraisal(published, guest.quote, guest.signature, guest.appraisal)


def ask_guest(url: str, *, nonce: bytes, proxies: Proxies | None = None) -> LiveGuest:
    """Asks a live machine who it is, at `https://HOST` or `http://HOST:3000`, over a connection of its own.

    `nonce`: 32 bytes that were never used before: secrets.token_bytes(32). Proxies are those of the environment, unless they are given.
    Certificates need no authority: the key of the connection has to be the one that the quote names.

    Raises TeekitError where there is no answer in a minute and a half, or one that is no attestation.
    """
    if len(nonce) != NONCE_BYTES:
        raise TeekitError(
            f"nonce: expected {NONCE_BYTES} bytes, found {len(nonce)}", hint="Use secrets.token_bytes(32)."
        )
    address = parse_guest_address(url)
    chosen = Proxies.from_environment(os.environ) if proxies is None else proxies
    reply = channel.ask_guest(address, f"{PATH}?nonce={nonce.hex()}", chosen)
    return LiveGuest(str(address), nonce, reply.tls_key_sha256, parse_guest_answer(reply.body), reply.not_vouched_for)


def given_apps(manifests: Sequence[Path], *, hostnames: Sequence[str] | None = None) -> GivenApps:
    """What a machine should have been given to run: manifest i for kettle i. `hostnames`: None where any will do."""
    names = None if hostnames is None else tuple(map(require_hostname, hostnames))
    return GivenApps(tuple(map(read_manifest, manifests)), names)


def explain(a: Path, b: Path, *, folder: Path, with_diffoscope: bool = False) -> Explanation:
    """Why two files differ, down to the file in the initrd; `differences` is empty if every byte is equal.

    `folder` takes temporary files without names. diffoscope, if wanted, looks at the files that differ in the end.
    """
    return explanations.explain(a, b, folder=folder, with_diffoscope=with_diffoscope)


def rebuild_request(
    checkout: Path,
    output: Path,
    *,
    workspace: Path,
    cache: Path,
    progress: Progress,
    snapshot_archive: str,
    image: str = "base",
    profiles: Sequence[str] = (DEBIAN_KERNEL,),
    release: str | None = None,
    mirror: str | None = None,
) -> RebuildRequest:
    """A request for the usual case: an image of this checkout, or one of its releases. Others are RebuildRequest itself.

    `output` takes the report, `workspace` the builds, `cache` what is fetched; `progress` is told what happens. `mirror` and
    `snapshot_archive` are addresses of Debian archives.
    """
    choice = Choice(
        image=image,
        profiles=tuple(profiles),
        source=None,
        release=release,
        commit=None,
        repository=None,
        tag_key=None,
        mkosi_args=None,
        allow_dirty=False,
    )
    bringing = Provision(Project.find(checkout), cache, progress, mirror, snapshot_archive)
    return RebuildRequest(choice, bringing, output, workspace)


def rebuild(request: RebuildRequest) -> Rebuilt:
    """The main job: builds twice, compares with what was published, leaves the report folder. `report.verdict` decides.

    Raises TeekitError where there is no verdict: a build failed, inputs are missing, a folder cannot be written.
    """
    return run_rebuild(request)


def describe(check: Check) -> tuple[str, str]:
    """A check in words, for people: its name, and what was found. Decide by its `subject`, `outcome` and `reason`."""
    return name_of(check), detail_of(check)

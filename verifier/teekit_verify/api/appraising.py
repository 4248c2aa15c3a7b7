"""Appraisal: a quote, a guest, or an artifact against what was published."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Literal

from teekit_verify.appraisal.facts import Requested
from teekit_verify.appraisal.guest.policy import (
    REPORT_DATA_BYTES,
    ReportDataRequest,
    parse_time,
    read_root,
    read_roots,
    read_vtpm_key,
    requested_report_data,
)
from teekit_verify.appraisal.guest.quote import QuoteAppraisal, QuotePolicy, Unchecked, appraise_quote
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, choose_from, printable
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.authenticity import QuoteSignature, parse_signature
from teekit_verify.evidence.collateral import read_collateral
from teekit_verify.evidence.quote import Quote, read_quote
from teekit_verify.registers.registers import MRTD, Register, rtmr
from teekit_verify.wording.checks import detail_of, name_of, reason_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from teekit_verify.appraisal.checklist import Checklist, Conclusion
    from teekit_verify.appraisal.facts import Check
    from teekit_verify.appraisal.guest.appraise import GuestFiles
    from teekit_verify.appraisal.guest.live import LiveGuest
    from teekit_verify.appraisal.guest.registers import PresentedAppraisal
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.core.outcome import ExitStatus
    from teekit_verify.documents.model import Measurements
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.reference.google_signature import TrustedRoot
    from teekit_verify.reference.published import PublishedFile, ReferenceValues


_MAX_CERTIFICATES_BYTES = 1 << 20


class NotRequired(Enum):
    """In place of something that a verifier must be told: it may stay unchecked, and the verdict says that it was."""

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
        raise TeekitError("the time has no time zone", hint="Give datetime.now(UTC), or another with tzinfo.")
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


def parse_policy(
    *,
    at: datetime | str,
    report_data: str | None = None,
    nonce: Path | None = None,
    public_key: Path | None = None,
    collateral: Path | None = None,
    trusted_root: Path | None = None,
    allow_unchecked: Sequence[str] = (),
    allow_debug: bool = False,
    allow_sept_ve: bool = False,
    allow_service_td: bool = False,
    service_tds: Sequence[str] = (),
    azure_root: Path | None = None,
    vtpm_keys: Sequence[Path] = (),
) -> QuotePolicy:
    """The same from text, as options have it. What is left out stays open, which means no verdict unless `allow_unchecked` names it.

    `at` as 2026-02-03T04:05:06Z; `report_data` and `service_tds` in hexadecimal; `nonce` and `public_key` are files.
    `azure_root` is a PEM file of roots that are trusted for a vTPM's key besides Microsoft's of 2023 and Google's; `vtpm_keys` are keys of TPMs that the caller vouches for,
    in PEM or as a TPM's public area.

    Raises TeekitError for text that does not parse, and files that cannot be read.
    """
    return QuotePolicy(
        at=parse_time(at) if isinstance(at, str) else at,
        trusted_root=read_root(trusted_root),
        report_data=requested_report_data(report_data, nonce, public_key),
        allow_debug=allow_debug,
        allow_service_td=allow_service_td,
        allow_sept_ve=allow_sept_ve,
        collateral=None if collateral is None else read_collateral(collateral),
        allow_unchecked=_unchecked(allow_unchecked),
        service_tds=tuple(map(_service_td, service_tds)),
        azure_roots=read_roots(azure_root),
        vtpm_keys=tuple(map(read_vtpm_key, vtpm_keys)),
    )


def _service_td(text: str) -> bytes:
    from teekit_verify.documents import fields

    try:
        return fields.parse_digest(Algorithm.SHA384, text).value
    except ValueError as error:
        raise TeekitError(
            f"--service-td: {error}", hint="Give MRSERVICETD as `inspect` shows it for a TD that you know."
        ) from error


def _unchecked(names: Sequence[str]) -> frozenset[Unchecked]:
    known = {item.value: item for item in Unchecked}
    wanted = [name.strip() for text in names for name in text.split(",")]
    for name in wanted:
        if name not in known:
            raise TeekitError(
                f"--allow-unchecked: no such name: '{printable(name[:40])}'", hint=choose_from(name, known)
            )
    return frozenset(known[name] for name in wanted)


def google_root(path: Path, at: datetime | str) -> TrustedRoot:
    """The root that a launch endorsement of Google's must lead to, at a time. Raises TeekitError."""
    from teekit_verify.reference.google_signature import TrustedRoot, load_certificate

    return TrustedRoot(load_certificate(path), parse_time(at) if isinstance(at, str) else at)


def trusted_firmware(mrtds: Sequence[str], endorsement: Path | None, root: TrustedRoot | None) -> tuple[Digest, ...]:
    """The MRTDs that somebody vouches for: in hexadecimal, or in Google's launch endorsement.

    Raises TeekitError for anything else, and NotAuthenticError for a bad signature.
    """
    from teekit_verify.documents import fields

    digests = []
    for text in mrtds:
        try:
            digests.append(fields.parse_digest(Algorithm.SHA384, text))
        except ValueError as error:
            raise TeekitError(f"--mrtd: {error}", hint="Give what `measure FIRMWARE` prints.") from error
    if endorsement is not None:
        digests += _endorsed(endorsement, root)
    return tuple(digests)


def _endorsed(endorsement: Path, root: TrustedRoot | None) -> Iterator[Digest]:
    from teekit_verify.reference.formats import gce_endorsement, load_published

    published = load_published(endorsement, root)
    if published.format != gce_endorsement.FORMAT.name:
        raise TeekitError(
            f"{endorsement}: is not a launch endorsement, but: {published.format}",
            hint="Give other files of reference values as REF.",
        )
    for values in published.values:
        for registers in values.platforms.values():
            for item in registers[MRTD].acceptable:
                yield from item.register.values or ()


@frozen
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
    from teekit_verify.appraisal.artifact import compare_with_published
    from teekit_verify.prediction import image
    from teekit_verify.reference.formats import load_published

    published = load_published(reference, root)
    measured = image.measure_for(artifact, published.platforms, published.artifacts)
    return ArtifactAppraisal(published, *_in_order(compare_with_published(published.values, measured), measured))


def appraise_claims(reference: Path, measurements: Path, *, root: TrustedRoot | None = None) -> ArtifactAppraisal:
    """A measurements.json, which is somebody's word about an artifact, against reference values."""
    from teekit_verify.appraisal.artifact import compare_with_published
    from teekit_verify.documents.load import load_measurements
    from teekit_verify.reference.formats import load_published

    published, claimed = load_published(reference, root), load_measurements(measurements)
    compared = compare_with_published(published.values, claimed, claimed=True)
    return ArtifactAppraisal(published, *_in_order(compared, claimed))


def _in_order(
    compared: tuple[ReferenceValues, Checklist, Conclusion], measured: Measurements
) -> tuple[ReferenceValues, Measurements, Checklist, Conclusion]:
    values, checklist, conclusion = compared
    return values, measured, checklist, conclusion


@frozen
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


@frozen
class GuestAppraisal:
    """A running guest against published values. `quote` and `signature` are None of a live machine that has a TPM's quote only."""

    published: PublishedFile
    quote: Quote | None
    signature: QuoteSignature | None
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
    vtpm_issuers: Sequence[Path] = (),
) -> GuestAppraisal:
    """What a guest presents against a file of reference values: in files, or as `ask_guest` brought it. What `asked` says of REPORTDATA
    does not count for that: the question decides.

    `given` is what the guest should have been given to run; None is what the reference says. `platform` names one of the
    reference's (None: the one that fits). `firmware`: MRTDs that the caller vouches for, where the reference
    does not have one. `secure_boot` is what the caller knows where the evidence does not say. `vtpm_issuers`: of a live machine of Azure or
    Google Cloud, the certificates above that of its vTPM's key, with which Microsoft or Google vouches for it.
    """
    from teekit_verify.appraisal.guest import appraise as guests
    from teekit_verify.appraisal.guest.live import LiveGuest, appraise_live
    from teekit_verify.reference.formats import load_published

    published = load_published(reference, root)
    if isinstance(evidence, LiveGuest):
        issuers = [read_bounded(path, _MAX_CERTIFICATES_BYTES, "certificates") for path in vtpm_issuers]
        guest = appraise_live(
            evidence, published.values, asked, platform, secure_boot, firmware=firmware, given=given, issuers=issuers
        )
    else:
        guest = guests.appraise_guest(
            evidence, published.values, asked, platform, secure_boot, firmware=firmware, given=given
        )
    return GuestAppraisal(published, guest.quote, guest.signature, guest.appraisal)


def describe(check: Check) -> tuple[str, str]:
    """A check in words, for people: its name, and what was found. Decide by its `subject`, `outcome` and `reason`."""
    return name_of(check), detail_of(check)

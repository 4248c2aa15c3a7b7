"""From the files that a guest gave to what is thought of it.

Rules. Evidence of Azure's kind is appraised with its vTPM, or not at all. Secure Boot is what the evidence says; the caller may say it
only where the evidence does not. A log beside the quote counts only through the registers that it leads to (`registers`).
Non-rules: names of files. What kind a file is, its bytes say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.guest.presented import of_azure, of_quote
from teekit_verify.appraisal.guest.quote import appraise_quote
from teekit_verify.appraisal.guest.registers import PresentedAppraisal, appraise_presented
from teekit_verify.appraisal.guest.vtpm import appraise_azure, is_certified
from teekit_verify.appraisal.guest_states import SecureBoot, logged_secure_boot, reported_secure_boot
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.authenticity import QuoteSignature, parse_signature
from teekit_verify.evidence.azure import holds_certificates, is_azure_evidence, read_vtpm
from teekit_verify.evidence.files import log_beside_quote, read_log
from teekit_verify.evidence.quote import Quote, read_quote
from teekit_verify.evidence.runtime_log import read_runtime_log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.appraisal.guest.quote import QuotePolicy
    from teekit_verify.core.digest import Digest
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.reference.published import ReferenceValues


@frozen
class GuestFiles:
    """`vtpm` are the parts of an Azure guest's evidence beside its quote; none where `quote` is JSON with all of them. Without
    `eventlog`, the log of a TD may be in the file of its quote. `ima` is the list of files that IMA measured, `runtime_log` that of what
    the guest was given to run.
    """

    quote: Path
    vtpm: tuple[Path, ...] = ()
    eventlog: Path | None = None
    ima: Path | None = None
    runtime_log: Path | None = None


@frozen
class AppraisedGuest:
    """What was read, and what is thought of it. A live machine may have no TDX quote, but a TPM's."""

    quote: Quote | None
    signature: QuoteSignature | None
    appraisal: PresentedAppraisal


def appraise_guest(
    files: GuestFiles,
    published: Sequence[ReferenceValues],
    policy: QuotePolicy,
    platform: str | None = None,
    secure_boot: SecureBoot | None = None,
    *,
    firmware: Sequence[Digest] = (),
    given: GivenApps | None = None,
) -> AppraisedGuest:
    """`platform` names one of the published ones; without it, the one is taken that fits. `secure_boot` is what the caller says of
    it where the evidence says nothing. `firmware`: MRTDs vouched for. `given` is what the guest should have been given to run.

    Raises TeekitError for files that cannot be read or are malformed, and for a platform that was not published.
    """
    quote = read_quote(files.quote)
    signature = parse_signature(quote)
    log = None if files.eventlog is None else read_log(files.eventlog)
    if files.vtpm or is_azure_evidence(files.quote):
        vtpm = read_vtpm(_vtpm_files(files))
        about_quote = appraise_azure(quote, signature, vtpm, policy)
        presented = of_azure(quote, vtpm.pcrs, log, vouched_for=is_certified(about_quote))
        said = reported_secure_boot(vtpm.report.configuration)
    else:
        log = log_beside_quote(files.quote) if log is None else log
        about_quote = appraise_quote(quote, signature, policy)
        presented = of_quote(quote, log)
        said = logged_secure_boot(log)
    ima = None if files.ima is None else read_log(files.ima)
    runtime = None if files.runtime_log is None else read_runtime_log(files.runtime_log)
    presented = replace(presented, ima=ima, secure_boot=agreed(said, secure_boot), runtime=runtime)
    appraisal = appraise_presented(published, presented, about_quote, platform, firmware=firmware, given=given)
    return AppraisedGuest(quote, signature, appraisal)


def _vtpm_files(files: GuestFiles) -> tuple[Path, ...]:
    """Certificates alone are added to a document that has the rest."""
    if files.vtpm and not all(map(holds_certificates, files.vtpm)):
        return files.vtpm
    return (files.quote, *files.vtpm)


def agreed(said: SecureBoot | None, asked: SecureBoot | None) -> SecureBoot | None:
    """What the evidence says; else what the caller does. Raises TeekitError where they contradict each other."""
    if said is None or asked is None or asked in {SecureBoot.EITHER, said}:
        return said or asked
    raise TeekitError(
        f"Secure Boot is {said.value} in the guest's evidence, and --secure-boot says {asked.value}",
        hint="Leave --secure-boot out, or give the evidence of another guest.",
    )

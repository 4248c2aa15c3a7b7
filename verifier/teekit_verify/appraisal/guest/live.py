"""A live machine's answer to a question: whether it is of now, of this connection, and of the machine that was published.

Rules. What the answer says of itself decides nothing in its favour. REPORTDATA has to be what the nonce and the key of this very connection
give: an old answer, or one that was fetched from the machine by somebody in the middle, has another one. Everything else is decided as of
evidence in files (appraisal.guest.registers). What the answer tells beside that (its nonce, its key, manifests, hostnames) is held
against what is known, to name what is wrong, and because readers may look at it.
Non-rules: which authority vouches for the certificate. Over plain HTTP the machine is proven and the connection is not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import Checklist, Conclusion, Note
from teekit_verify.appraisal.facts import Because, Check, Fact, FactCheck, Why
from teekit_verify.appraisal.guest.answered import TdQuote, read_evidence
from teekit_verify.appraisal.guest.appraise import AppraisedGuest, agreed
from teekit_verify.appraisal.guest.given import read_given
from teekit_verify.appraisal.guest.quote import Unchecked
from teekit_verify.appraisal.guest.registers import appraise_presented
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.authenticity import parse_signature
from teekit_verify.evidence.guest_answer import report_data_of
from teekit_verify.evidence.quote import DUMMY_MARK, parse_quote_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.appraisal.guest.presented import Presented
    from teekit_verify.appraisal.guest.quote import QuotePolicy
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.core.digest import Digest
    from teekit_verify.evidence.guest_answer import GuestAnswer
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.reference.published import ReferenceValues


@frozen
class LiveGuest:
    """What was asked, over which connection, and the answer. `tls_key_sha256` is that of the connection, None over plain HTTP;
    `not_vouched_for` is why no authority vouches for its certificate, empty where one does.
    """

    url: str
    nonce: bytes
    tls_key_sha256: bytes | None
    answer: GuestAnswer
    not_vouched_for: str = ""

    @property
    def report_data(self) -> bytes:
        """What REPORTDATA must be."""
        return report_data_of(self.nonce, self.tls_key_sha256)


def appraise_live(
    live: LiveGuest,
    published: Sequence[ReferenceValues],
    policy: QuotePolicy,
    platform: str | None = None,
    secure_boot: SecureBoot | None = None,
    *,
    firmware: Sequence[Digest] = (),
    given: GivenApps | None = None,
    issuers: Sequence[bytes] = (),
) -> AppraisedGuest:
    """As `appraise_guest` of files. What `policy` asks of REPORTDATA does not count: the question decides that. `issuers`: certificates
    above that of Azure's vTPM, PEM or DER, which the machine does not have; without them, its own says nothing.

    A machine without a TDX quote is appraised by its TPM's, for what that is worth (appraisal.guest.machine_tpm).

    Raises TeekitError for an answer without any quote, and for parts that are malformed.
    """
    quote = None if live.answer.tdx is None else parse_quote_bytes(live.answer.tdx.quote)
    signature = None if quote is None else parse_signature(quote)
    td = None if quote is None or signature is None else TdQuote(quote, signature)
    evidence = read_evidence(live.answer, live.report_data, td, policy, issuers)
    if evidence is None:
        raise UnsupportedInputError(
            f"{live.url}: the machine has neither a TDX quote nor a TPM quote: nothing shows what it is",
            hint="Ask a confidential VM with TDX.",
        )
    presented = replace(evidence.presented, secure_boot=agreed(evidence.secure_boot, secure_boot))
    appraisal = appraise_presented(
        published, presented, evidence.about, platform, firmware=firmware, given=given, even_so=True
    )
    checklist = _told(live, presented, policy) + evidence.beside + appraisal.checklist
    conclusion = _with(appraisal.conclusion, checklist, appraisal.checklist, quote)
    return AppraisedGuest(quote, signature, replace(appraisal, checklist=checklist, conclusion=conclusion))


def _told(live: LiveGuest, presented: Presented, policy: QuotePolicy) -> Checklist:
    checks = [
        _same(Fact.ANSWER_NONCE, live.nonce.hex(), live.answer.nonce.hex(), Why.OLD_ANSWER),
        *_channel(live),
        *_lists(live.answer, presented),
    ]
    allowed = Unchecked.CHANNEL in policy.allow_unchecked
    passed = tuple(check for check in checks if allowed and check.outcome is Outcome.NOT_CHECKED)
    return Checklist(tuple(check for check in checks if check not in passed), passed)


def _lists(answer: GuestAnswer, presented: Presented) -> tuple[Check, ...]:
    """Of an answer without a log there is nothing to hold them against; they decide nothing."""
    events = None if presented.runtime is None else presented.runtime.telling(presented.tells_apps)
    if events is None:
        return ()
    given, names = read_given(events), ",".join(answer.hostnames)
    return (
        _same(Fact.MANIFEST_LIST, _listed(given.manifests), _listed(answer.manifests), Why.LIST_DIFFERS),
        _same(Fact.HOSTNAME_LIST, given.hostnames or "", names, Why.LIST_DIFFERS),
    )


def _listed(manifests: Sequence[bytes]) -> str:
    """To be compared, and shown by its length at most: two lists are equal if these are."""
    return ",".join(manifest.hex() for manifest in manifests)


def _channel(live: LiveGuest) -> tuple[Check, ...]:
    subject, key, told = FactCheck(Fact.CHANNEL), live.tls_key_sha256, live.answer.tls_key_sha256
    if key is None and told is None:
        return (Check(subject, Outcome.NOT_CHECKED, reason=Because(Why.PLAIN_HTTP)),)
    expected, found = ("none" if it is None else it.hex() for it in (told, key))
    return (_same(Fact.CHANNEL, expected, found, Why.OTHER_TLS_KEY),)


def _same(fact: Fact, expected: str, found: str, why: Why) -> Check:
    if expected == found:
        return Check(FactCheck(fact), Outcome.MATCH, expected, found)
    return Check(FactCheck(fact), Outcome.MISMATCH, expected, found, Because(why))


def _with(before: Conclusion, checklist: Checklist, of_registers: Checklist, quote: Quote | None) -> Conclusion:
    """What the answer itself shows comes first."""
    told = tuple(check for check in checklist.checks if check not in of_registers.checks)
    against = tuple(check for check in told if check.outcome is Outcome.MISMATCH)
    left = tuple(check for check in told if check.outcome not in {Outcome.MATCH, Outcome.MISMATCH})
    dummy = (Note.DUMMY_QUOTE,) if quote is not None and quote.user_data == DUMMY_MARK else ()
    status = before.status
    if against or dummy:
        status = ExitStatus.DOES_NOT_HOLD
    elif left and status is ExitStatus.HOLDS:
        status = ExitStatus.NO_VERDICT
    return Conclusion(status, (*dummy, *against, *before.reasons, *left))

"""The appraisal of a quote, for people and as JSON: authentic and acceptable are two answers, on lines of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.guest.quote import Answer, Unchecked, unchecked
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.sgx_extension import read_platform
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, rtmr
from teekit_verify.report.layout import STYLES, show_line, show_outcome, show_table, styled
from teekit_verify.wording.checks import detail_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.appraisal.guest.quote import QuoteAppraisal
    from teekit_verify.evidence.authenticity import QuoteSignature
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.report.console import Console, Text

_NO_VERDICT = "NO VERDICT: nothing speaks against this quote, but not everything was checked"
_ASKED_WITH = {
    Unchecked.REPORT_DATA: "--nonce, --report-data or --public-key",
    Unchecked.TCB: "--collateral",
    Unchecked.REVOCATION: "--collateral",
}
SCHEMA = "teekit-verify/quote/v1"


def show_quote_appraisal(quote: Quote, signature: QuoteSignature, appraisal: QuoteAppraisal, out: Console) -> None:
    """Registers and versions, the numbered checklist, what was not checked, and the two answers last."""
    show_line(out, styled(f"TDX quote, version {quote.version}, {quote.attestation_key_name}", "bold"))
    rows = [(styled(name), styled(value)) for name, value in _facts(quote, signature).items()]
    show_table(out, ("field", "value"), rows)
    number = _show_checks("is it authentic?", appraisal.authentic, 1, out)
    _show_checks("is it acceptable?", appraisal.acceptable, number, out)
    out.print()
    show_answers(appraisal, out, is_outcome=appraisal.status is not ExitStatus.NO_VERDICT)
    if appraisal.status is ExitStatus.NO_VERDICT:
        show_outcome(out, appraisal.status, _NO_VERDICT)
        for check in appraisal.unsettled:
            show_line(out, styled(f"{name_of(check)}: {_how_to_settle(check)}"), indent=2)


def _how_to_settle(check: Check) -> str:
    """The option that asks for it, or that lets it be."""
    name = unchecked(check)
    if name is None or check.outcome is Outcome.ERROR:  # it was asked for, and nothing lets that be
        return detail_of(check)
    return f"ask for it with {_ASKED_WITH[name]}, or say --allow-unchecked {name.value}"


def show_answers(appraisal: QuoteAppraisal, out: Console, *, is_outcome: bool = False) -> None:
    """What was not checked, whether the quote is authentic, and whether it is acceptable (`is_outcome`: of the whole)."""
    for check in appraisal.not_checked:
        out.not_checked(styled(f"not checked: {name_of(check)}: {detail_of(check)}", STYLES[Outcome.NOT_CHECKED]))
    show_answer = out.outcome if is_outcome else out.line
    _show_answer("authentic", appraisal, appraisal.authentic, out, out.line)
    if appraisal.is_authentic:
        _show_answer("acceptable", appraisal, appraisal.acceptable, out, show_answer)
    else:
        show_answer(styled("acceptable: NO: what is not authentic proves nothing", STYLES[Outcome.MISMATCH]))


def _show_checks(title: str, checks: tuple[Check, ...], first: int, out: Console) -> int:
    """The number after the last."""
    out.print()
    rows = [
        (
            styled(number),
            styled(name_of(check)),
            styled(check.outcome.value, STYLES[check.outcome]),
            styled(detail_of(check) or check.found),
        )
        for number, check in enumerate(checks, start=first)
    ]
    show_table(out, ("", title, "outcome", ""), rows)
    return first + len(checks)


def _show_answer(
    word: str, appraisal: QuoteAppraisal, checks: tuple[Check, ...], out: Console, show: Callable[[Text], None]
) -> None:
    """A no with its reasons; a yes, or that it is open, with how much was not checked."""
    answer, count = appraisal.answer(checks), sum(check.outcome is Outcome.NOT_CHECKED for check in checks)
    match answer:
        case Answer.YES:
            rest = f" in everything checked; {count} not checked, see above" if count else ""
            show(styled(f"{word}: YES{rest}", STYLES[Outcome.MATCH]))
            return
        case Answer.OPEN:
            rest = f"; {count} not checked, see above" if count else ""
            show(styled(f"{word}: OPEN: nothing speaks against it{rest}", STYLES[Outcome.OPEN]))
        case Answer.NO:
            show(styled(f"{word}: NO", STYLES[Outcome.MISMATCH]))
    for check in checks:
        if check.outcome in {Outcome.MISMATCH, Outcome.ERROR}:
            show_line(out, styled(f"{name_of(check)}: {detail_of(check)}"), indent=2)


def _facts(quote: Quote, signature: QuoteSignature) -> dict[str, str]:
    report = quote.report
    registers = {register.name: report.value(register).hex for register in (MRTD, *map(rtmr, range(RTMR_COUNT)))}
    extra = {"extra bytes": quote.extra_bytes_in_words} if quote.extra_bytes else {}
    service = {} if report.tee_tcb_svn2 is None else {"TEE_TCB_SVN2": report.tee_tcb_svn2.hex()}
    return {
        **registers,
        "REPORTDATA": report.report_data.hex(),
        "MRSEAM": report.mrseam.hex,
        "TD attributes": f"{report.td_attributes.hex()} ({', '.join(report.attribute_names()) or 'none'})",
        "XFAM": report.xfam.hex(),
        "TEE_TCB_SVN": report.tee_tcb_svn.hex(),
        **service,
        "quoting enclave": f"ISVSVN {signature.qe_report.svn}, MRENCLAVE {signature.qe_report.mrenclave.hex()}",
        "platform": _platform(signature),
        **extra,
    }


def _platform(signature: QuoteSignature) -> str:
    try:
        platform = read_platform(signature.chain.leaf)
    except TeekitError as error:
        return f"not known: {error.message}"
    components = " ".join(map(str, platform.components))
    return (
        f"FMSPC {platform.fmspc.hex()}, PCE {platform.pce_id.hex()}, PCESVN {platform.pce_svn}, "
        f"SGX TCB components {components}"
    )


def render_quote_appraisal(quote: Quote, signature: QuoteSignature, appraisal: QuoteAppraisal) -> dict[str, object]:
    """What `quote --json` prints."""
    return {
        "schema": SCHEMA,
        "exit_status": int(appraisal.status),
        "version": quote.version,
        "attestation_key": quote.attestation_key_name,
        "fields": _facts(quote, signature),
        "authentic": _answered(appraisal, appraisal.authentic),
        "acceptable": _answered(appraisal, appraisal.acceptable),
        "not_checked": [name_of(check) for check in appraisal.not_checked],
        "allowed_unchecked": sorted(name.value for name in appraisal.allowed),
        "unsettled": [name_of(check) for check in appraisal.unsettled],
    }


def _answered(appraisal: QuoteAppraisal, checks: tuple[Check, ...]) -> dict[str, object]:
    from teekit_verify.record.json_report import plain

    answer = appraisal.answer(checks)
    return {"holds": answer is Answer.YES, "answer": answer.value, "checks": plain(checks)}

"""The appraisal of a quote, for people and as JSON: authentic and acceptable are two answers, on lines of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import Check, Outcome
from teekit_verify.evidence.sgx_extension import read_platform
from teekit_verify.record.json_report import plain
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, rtmr
from teekit_verify.report.layout import STYLES, show_line, show_table, styled

if TYPE_CHECKING:
    from rich.console import Console

    from teekit_verify.appraisal.guest.quote import QuoteAppraisal
    from teekit_verify.evidence.authenticity import QuoteSignature
    from teekit_verify.evidence.quote import Quote

SCHEMA = "teekit-verify/quote/v1"


def show_quote_appraisal(quote: Quote, signature: QuoteSignature, appraisal: QuoteAppraisal, out: Console) -> None:
    """Registers and versions, the numbered checklist, what was not checked, and the two answers last."""
    show_line(out, styled(f"TDX quote, version {quote.version}, {quote.attestation_key_name}", "bold"))
    rows = [(styled(name), styled(value)) for name, value in _facts(quote, signature).items()]
    show_table(out, ("field", "value"), rows)
    number = _show_checks("is it authentic?", appraisal.authentic, 1, out)
    _show_checks("is it acceptable?", appraisal.acceptable, number, out)
    out.print()
    show_answers(appraisal, out)


def show_answers(appraisal: QuoteAppraisal, out: Console) -> None:
    """What was not checked, whether the quote is authentic, and whether it is acceptable."""
    for check in appraisal.not_checked:
        show_line(out, styled(f"not checked: {check.name}: {check.detail}", STYLES[Outcome.NOT_CHECKED]))
    _show_answer("authentic", appraisal.is_authentic, appraisal.authentic, out)
    if appraisal.is_authentic:
        _show_answer("acceptable", appraisal.is_acceptable, appraisal.acceptable, out)
    else:
        show_line(out, styled("acceptable: NO: what is not authentic proves nothing", STYLES[Outcome.MISMATCH]))


def _show_checks(title: str, checks: tuple[Check, ...], first: int, out: Console) -> int:
    """The number after the last."""
    out.print()
    rows = [
        (
            styled(number),
            styled(check.name),
            styled(check.outcome.value, STYLES[check.outcome]),
            styled(check.found if check.outcome is Outcome.MATCH else check.detail),
        )
        for number, check in enumerate(checks, start=first)
    ]
    show_table(out, ("", title, "outcome", ""), rows)
    return first + len(checks)


def _show_answer(word: str, holds: bool, checks: tuple[Check, ...], out: Console) -> None:  # noqa: FBT001
    if holds:
        unchecked = sum(check.outcome is Outcome.NOT_CHECKED for check in checks)
        rest = f" in everything checked; {unchecked} not checked, see above" if unchecked else ""
        show_line(out, styled(f"{word}: YES{rest}", STYLES[Outcome.MATCH]))
        return
    show_line(out, styled(f"{word}: NO", STYLES[Outcome.MISMATCH]))
    for check in checks:
        if check.outcome in {Outcome.MISMATCH, Outcome.ERROR}:
            show_line(out, styled(f"{check.name}: {check.detail}"), indent=2)


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
        "authentic": {"holds": appraisal.is_authentic, "checks": plain(appraisal.authentic)},
        "acceptable": {"holds": appraisal.is_acceptable, "checks": plain(appraisal.acceptable)},
        "not_checked": [check.name for check in appraisal.not_checked],
    }

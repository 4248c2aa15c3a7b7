"""What is asked of a quote, wherever one is given: the options of `quote` and of `compare --quote`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from teekit_verify.appraisal.guest.quote import QuotePolicy, Unchecked

ReportDataOption = Annotated[
    str | None,
    typer.Option(metavar="HEX", help="What REPORTDATA must be; zeros follow if it is shorter."),
]
NonceOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A file with what REPORTDATA must be, of 1 to 64 bytes; zeros follow."),
]
PublicKeyOption = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="REPORTDATA must be the SHA-256, SHA-384 or SHA-512 of this key (DER, SPKI)."),
]
AllowDebugOption = Annotated[bool, typer.Option("--allow-debug", help="Do not refuse a debug TD.")]
AllowUncheckedOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-unchecked",
        metavar="NAMES",
        help="What may stay unchecked: report-data, tcb, revocation, app, channel; several with commas. Without it, that is no verdict.",
    ),
]
AllowServiceTdOption = Annotated[
    bool, typer.Option("--allow-service-td", help="Do not refuse a TD with a service TD bound to it (MRSERVICETD).")
]
ServiceTdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--service-td", metavar="HEX", help="A service TD that may be bound to it: MRSERVICETD. May be repeated."
    ),
]
AllowSeptVeOption = Annotated[bool, typer.Option("--allow-sept-ve", help="Do not refuse a TD without SEPT_VE_DISABLE.")]
CollateralOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Revocation lists, TCB info and QE identity that Intel published.", exists=True),
]
AtOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="The time to check at, as 2026-02-03T04:05:06Z. [default: now]"),
]
TrustedRootOption = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="The root to trust. [default: Intel SGX Root CA]"),
]


def quote_policy(
    report_data: str | None,
    nonce: Path | None,
    public_key: Path | None,
    collateral: Path | None,
    at: str | None,
    trusted_root: Path | None,
    *,
    allow_debug: bool,
    allow_unchecked: list[str] | None = None,
    allow_service_td: bool = False,
    allow_sept_ve: bool = False,
    service_tds: list[str] | None = None,
) -> QuotePolicy:
    """Raises TeekitError for what cannot be asked."""
    from teekit_verify.appraisal.guest.policy import parse_time, read_root, requested_report_data
    from teekit_verify.appraisal.guest.quote import QuotePolicy
    from teekit_verify.evidence.collateral import read_collateral

    return QuotePolicy(
        at=datetime.now(UTC) if at is None else parse_time(at),
        trusted_root=read_root(trusted_root),
        report_data=requested_report_data(report_data, nonce, public_key),
        allow_debug=allow_debug,
        allow_service_td=allow_service_td,
        allow_sept_ve=allow_sept_ve,
        collateral=None if collateral is None else read_collateral(collateral),
        allow_unchecked=_unchecked(allow_unchecked),
        service_tds=tuple(map(_service_td, service_tds or ())),
    )


def _service_td(text: str) -> bytes:
    from teekit_verify.core.digest import Algorithm
    from teekit_verify.core.errors import TeekitError
    from teekit_verify.documents import fields

    try:
        return fields.parse_digest(Algorithm.SHA384, text).value
    except ValueError as error:
        raise TeekitError(
            f"--service-td: {error}", hint="Give MRSERVICETD as `inspect` shows it for a TD that you know."
        ) from error


def _unchecked(names: list[str] | None) -> frozenset[Unchecked]:
    from teekit_verify.appraisal.guest.quote import Unchecked
    from teekit_verify.core.errors import TeekitError, printable

    known = {item.value: item for item in Unchecked}
    wanted = [name.strip() for text in names or () for name in text.split(",")]
    for name in wanted:
        if name not in known:
            raise TeekitError(
                f"--allow-unchecked: no such name: '{printable(name[:40])}'", hint=f"Choose from {', '.join(known)}."
            )
    return frozenset(known[name] for name in wanted)

"""What is asked of a quote, wherever one is given: the options of `quote` and of `compare --quote`, in groups."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.api import QuotePolicy

AtOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="The time to check at, as 2026-02-03T04:05:06Z. [default: now]"),
]
TrustedRootOption = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="The root to trust. [default: Intel SGX Root CA]"),
]


@frozen
class ReportDataOptions:
    """What REPORTDATA must be, in one of three ways."""

    HEADING: ClassVar = "REPORTDATA"
    report_data: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="What REPORTDATA must be; zeros follow if it is shorter."),
    ] = None
    nonce: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file with what REPORTDATA must be, of 1 to 64 bytes; zeros follow."),
    ] = None
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="REPORTDATA must be the SHA-256, SHA-384 or SHA-512 of this key (DER, SPKI)."),
    ] = None


@frozen
class TrustOptions:
    """What signatures and the TCB are judged by."""

    HEADING: ClassVar = "How the quote is judged"
    collateral: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Revocation lists, TCB info and QE identity that Intel published.", exists=True
        ),
    ] = None
    at: AtOption = None
    trusted_root: TrustedRootOption = None


@frozen
class ExceptionOptions:
    """What is accepted although it would be refused, or would leave no verdict."""

    HEADING: ClassVar = "Exceptions"
    allow_unchecked: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-unchecked",
            metavar="NAMES",
            help="What may stay unchecked: report-data, tcb, revocation, app, channel, tdx, separated by commas. Anything else that is unchecked means no verdict.",
        ),
    ] = None
    allow_debug: Annotated[bool, typer.Option("--allow-debug", help="Do not refuse a debug TD.")] = False
    allow_sept_ve: Annotated[
        bool, typer.Option("--allow-sept-ve", help="Do not refuse a TD without SEPT_VE_DISABLE.")
    ] = False
    allow_service_td: Annotated[
        bool, typer.Option("--allow-service-td", help="Do not refuse a TD with a service TD bound to it (MRSERVICETD).")
    ] = False
    service_td: Annotated[
        list[str] | None,
        typer.Option(
            "--service-td", metavar="HEX", help="A service TD that may be bound to it: MRSERVICETD. May be repeated."
        ),
    ] = None


def quote_policy(
    asked: ReportDataOptions,
    trust: TrustOptions,
    exceptions: ExceptionOptions,
    azure_root: Path | None = None,
    vtpm_keys: Sequence[Path] = (),
) -> QuotePolicy:
    """Raises TeekitError for what cannot be asked."""
    from teekit_verify import api

    return api.parse_policy(
        at=trust.at or datetime.now(UTC),
        report_data=asked.report_data,
        nonce=asked.nonce,
        public_key=asked.public_key,
        collateral=trust.collateral,
        trusted_root=trust.trusted_root,
        allow_unchecked=exceptions.allow_unchecked or (),
        allow_debug=exceptions.allow_debug,
        allow_sept_ve=exceptions.allow_sept_ve,
        allow_service_td=exceptions.allow_service_td,
        service_tds=exceptions.service_td or (),
        azure_root=azure_root,
        vtpm_keys=vtpm_keys,
    )

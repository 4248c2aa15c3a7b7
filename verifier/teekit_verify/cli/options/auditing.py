"""Options of the commands that audit releases and that watch over what auditors said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

if TYPE_CHECKING:
    from teekit_verify.api import AuditLog

StatementsOption = Annotated[
    Path,
    typer.Option(
        "--statements",
        metavar="DIR",
        help="The repository of statements: RELEASE/AUDITOR.intoto.jsonl, keys/AUDITOR.pem.",
        exists=True,
        file_okay=False,
    ),
]
AuditorOption = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Your name as an auditor: letters, digits, '-' and '_'.")
]
ReferencesOption = Annotated[
    Path | None,
    typer.Option(
        "--references",
        metavar="DIR",
        help="The folder of releases. [default: reference/releases]",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]
LogPolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--log-policy",
        metavar="FILE",
        help="Look the statements up in a transparency log: the Sigsum policy you trust, its logs and witnesses.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
RequireLoggedOption = Annotated[
    bool, typer.Option("--require-logged", help="A statement in no log does not count; needs --log-policy.")
]


@dataclass(frozen=True)
class AuditLogOptions:
    """Where an auditor's own statements should be, beside the repository."""

    HEADING: ClassVar = "Transparency log"
    log_policy: LogPolicyOption = None
    require_logged: Annotated[
        bool,
        typer.Option("--require-logged", help="A statement in no log is undecided until its proof is there."),
    ] = False
    submit_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Submit new statements (sigsum-submit): your Ed25519 key as OpenSSH keeps it; a public one asks an agent.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None

    def given(self) -> AuditLog | None:
        from teekit_verify import api

        if self.log_policy is None:
            if self.require_logged or self.submit_key is not None:
                raise typer.BadParameter("--require-logged and --submit-key need --log-policy FILE")
            return None
        return api.AuditLog.load(self.log_policy, required=self.require_logged, submit_key=self.submit_key)

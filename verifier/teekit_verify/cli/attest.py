"""`teekit-verify attest`: sign what a rebuild found, and count what several auditors signed."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.attest_keys import public_key
from teekit_verify.cli.attest_repository import check_repository
from teekit_verify.cli.options.groups import GroupedCommand, grouped
from teekit_verify.cli.options.shared import DebugOption, JsonOption, say
from teekit_verify.cli.options.signing import (
    IndependenceOptions,
    OnOption,
    OptionalKeyOption,
    PassphraseOption,
    TrustedKeysOption,
    day,
    signing_key,
)
from teekit_verify.cli.pages import HtmlOption, write_page
from teekit_verify.core.outcome import ExitStatus

attest = typer.Typer(
    help="Sign the verdict of a rebuild, count those that agree.",
    rich_markup_mode=None,
)


@attest.command("create", cls=GroupedCommand)
@grouped
def create(
    independence: IndependenceOptions,
    report: Annotated[
        Path, typer.Argument(metavar="REPORT", help="The report folder of your rebuild.", exists=True, file_okay=False)
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="Your name as an auditor: letters, digits, '-' and '_'.")],
    key: OptionalKeyOption = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="The folder for NAME.intoto.jsonl.")] = Path(),
    commit: Annotated[
        str | None,
        typer.Option(metavar="COMMIT", help="The source commit. [default: what the reference says, if there is one]"),
    ] = None,
    statement_only: Annotated[
        bool,
        typer.Option("--statement-only", help="Write what is to be signed, for a key in hardware: then `attest sign`."),
    ] = False,
    passphrase_file: PassphraseOption = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write a signed statement of what your rebuild found.

    It says the verdict, the artifacts, the inputs and the predicted registers.
    REPRODUCED and UNREFERENCED count in `attest verify`; MISMATCH is shown there. Other verdicts cannot be attested.
    """
    from teekit_verify import api

    if (key is None) != statement_only:
        raise typer.BadParameter("name --key FILE, or --statement-only to sign by other means")
    if key is None:
        waiting = api.state_unsigned(report, name, output, commit=commit, independence=independence.said())
        say(f"wrote {output}: sign {waiting.file.name} and the .tbs beside it, then run `attest sign`")
        return ExitStatus.HOLDS
    private = signing_key(key, passphrase_file)
    stated = api.state(report, private, name, output, commit=commit, independence=independence.said())
    say(f"wrote {stated.file}: {stated.verdict.value}, signed by key {private.id}")
    return ExitStatus.HOLDS


@attest.command("sign", cls=GroupedCommand)
def sign(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="What `attest create --statement-only` wrote, with signatures.",
            exists=True,
            file_okay=False,
        ),
    ],
    public_key: Annotated[
        Path, typer.Option(metavar="FILE", help="The public half of the key that signed: a PEM file.", dir_okay=False)
    ],
    output: Annotated[Path, typer.Option(metavar="DIR", help="The folder for NAME.intoto.jsonl.")] = Path(),
    debug: DebugOption = False,
) -> ExitStatus:
    """Put together a statement that was signed elsewhere.

    Beside each NAME.PART.tbs stands its signature, NAME.PART.sig, or a DSSE envelope, NAME.PART.dsse.json. docs/statements.md
    """
    from teekit_verify import api

    stated = api.assemble_statement(folder, public_key, output)
    say(f"wrote {stated.file}: {stated.verdict.value}")
    return ExitStatus.HOLDS


@attest.command("verify", cls=GroupedCommand)
def verify(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="The auditors' statements: files, or folders of them.")
    ],
    threshold: Annotated[int, typer.Option(metavar="N", min=1, help="How many auditors must agree.")],
    trusted_keys: TrustedKeysOption,
    artifact: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A file that the statements must be about.",
            exists=True,
            dir_okay=False,
            allow_dash=True,
        ),
    ] = None,
    log_policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Look the statements up in a transparency log: the Sigsum policy you trust, its logs and witnesses.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    proofs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder of the proofs, FILE.sigsum-proof. [default: beside the statements]",
            show_default=False,
            exists=True,
            file_okay=False,
        ),
    ] = None,
    require_logged: Annotated[
        bool, typer.Option("--require-logged", help="A statement in no log does not count; needs --log-policy.")
    ] = False,
    on: OnOption = None,
    html: HtmlOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Count the auditors who agree.

    Statements agree if their artifacts, source commit and inputs are equal. Each owner of keys has one vote.
    A statement is logged if a key of its auditor submitted it to a log of the policy, and enough of its witnesses have seen it.

    Exit status: 0 the threshold is reached, 1 it is not, 2 a statement could not be read.
    """
    from teekit_verify import api
    from teekit_verify.report import attest_report, layout

    if log_policy is None and (require_logged or proofs is not None):
        raise typer.BadParameter("--require-logged and --proofs need --log-policy FILE")
    log = None if log_policy is None else api.LogCheck(log_policy, proofs, require_logged)
    result = api.count_statements(files, threshold, trusted_keys, day(on), artifact=artifact, log=log)
    if json_output:
        typer.echo(attest_report.render(result).decode(), nl=False)
    else:
        attest_report.show(result, layout.console(sys.stdout))
    write_page(html, f"attest verify: {threshold} auditors", result.status, partial(attest_report.show, result))
    return result.status


@attest.command("show", cls=GroupedCommand)
def show(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A statement, also in a Sigstore bundle, or a folder of them.")
    ],
    trusted_keys: Annotated[
        Path | None,
        typer.Option("--trusted-keys", metavar="DIR", help="Also check its signature: a folder of OWNER.pem."),
    ] = None,
    on: OnOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what a statement says.

    Exit status: 0 it was read, 1 none of --trusted-keys signed it, 2 it is not a statement.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, statement_report

    if file.is_dir():
        found = api.show_statements(file, trusted_keys=trusted_keys, on=day(on))
        if json_output:
            typer.echo(statement_report.render_all(file, found).decode(), nl=False)
        else:
            statement_report.show_all(found, layout.console(sys.stdout))
        return max(shown.status for shown in found)
    shown = api.show_statement(file, trusted_keys=trusted_keys, on=day(on))
    if json_output:
        typer.echo(statement_report.render(shown).decode(), nl=False)
    else:
        statement_report.show(shown, layout.console(sys.stdout))
    return shown.status


@attest.command("export", cls=GroupedCommand)
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A statement.")],
    sigstore_bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write its envelopes as Sigstore bundles into this folder.")
    ] = None,
    rebuilderd_link: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write an in-toto link, as rebuilderd signs them, into this folder; needs --key."
        ),
    ] = None,
    verification_summary: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a verification summary of SLSA's into this folder; needs --key."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The private key that signed the statement; a link wants Ed25519."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write a statement as other programs read it.

    A bundle keeps the signature. A link has no verdict in it, so none is made of a MISMATCH; a summary is made of REPRODUCED only.
    """
    from teekit_verify import api

    if sigstore_bundle is None and rebuilderd_link is None and verification_summary is None:
        raise typer.BadParameter("name --sigstore-bundle DIR, --rebuilderd-link DIR or --verification-summary DIR")
    if (rebuilderd_link is None and verification_summary is None) != (key is None):
        raise typer.BadParameter("--key goes with --rebuilderd-link and --verification-summary")
    private = None if key is None else signing_key(key, passphrase_file)
    written = [] if sigstore_bundle is None else api.export_bundles(file, sigstore_bundle)
    if rebuilderd_link is not None and private is not None:
        written += api.export_link(file, private, rebuilderd_link)
    if verification_summary is not None and private is not None:
        written.append(api.export_summary(file, private, verification_summary))
    for path in written:
        say(f"wrote {path}")
    return ExitStatus.HOLDS


attest.command("public-key", cls=GroupedCommand)(public_key)
attest.command("check-repository", cls=GroupedCommand)(check_repository)

"""Statements of auditors: made from one's own rebuild, and counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements import export, outer, statement
from teekit_verify.appraisal.statements.across import check_across
from teekit_verify.appraisal.statements.create import payloads, signed_statement, source_commit
from teekit_verify.appraisal.statements.export import LINK, LINK_KEY, PROVENANCE_BUNDLE, SUMMARY
from teekit_verify.appraisal.statements.logged import SUFFIXES, find_logged, proofs_beside, submitters
from teekit_verify.appraisal.statements.repository import CheckedRepository, LogRule
from teekit_verify.appraisal.statements.shown import read_shown
from teekit_verify.appraisal.statements.threshold import cast, tally
from teekit_verify.core.digest import digest_file
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import create_folder, write_whole
from teekit_verify.documents.codec import read_bounded
from teekit_verify.record.attestable import load_rebuilt
from teekit_verify.reference.signing.keys import load_trusted_key, load_trusted_keys
from teekit_verify.reference.signing.log_policy import load_policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from teekit_verify.appraisal.rebuild.verdict import Verdict
    from teekit_verify.appraisal.statements.shown import ShownStatement
    from teekit_verify.appraisal.statements.statement import Independence
    from teekit_verify.appraisal.statements.threshold import Tally
    from teekit_verify.reference.signing.keys import SigningKey


_MAX_STATEMENTS = 10_000


@dataclass(frozen=True, slots=True)
class WrittenStatement:
    """Where a statement was written, and the verdict that it states."""

    file: Path
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class LogCheck:
    """Whether statements are in a transparency log (Sigsum). `policy` is the file that names logs and witnesses; `proofs` the folder of the proofs,
    None for those beside the statements. `required`: what is not logged does not count.
    """

    policy: Path
    proofs: Path | None = None
    required: bool = False


def state(
    report: Path,
    key: SigningKey,
    name: str,
    folder: Path,
    *,
    commit: str | None = None,
    independence: Independence | None = None,
) -> WrittenStatement:
    """Write `name`.intoto.jsonl, a signed statement of what a rebuild found (`report` is its folder).

    `commit` is the source's, where the report has none. `independence` is what the auditor says of itself. Raises TeekitError for verdicts that cannot be stated, and for another commit.
    """
    rebuilt = load_rebuilt(report)
    data = signed_statement(rebuilt, name, source_commit(rebuilt, commit), key, independence)
    create_folder(folder)
    file = folder / f"{name}.intoto.jsonl"
    write_whole(file, data)
    return WrittenStatement(file, rebuilt.verdict)


def state_unsigned(
    report: Path, name: str, folder: Path, *, commit: str | None = None, independence: Independence | None = None
) -> WrittenStatement:
    """The same for a key that this program does not have: the payloads, and the bytes to be signed, into `folder`.

    `file` is what a signature of the verdict is over. Raises TeekitError as `state` does.
    """
    rebuilt = load_rebuilt(report)
    files = outer.unsigned(name, payloads(rebuilt, name, source_commit(rebuilt, commit), independence))
    create_folder(folder)
    for file, data in files.items():
        write_whole(folder / file, data)
    return WrittenStatement(folder / f"{name}.verdict{outer.TO_BE_SIGNED}", rebuilt.verdict)


def assemble_statement(folder: Path, public_key: Path, output: Path) -> WrittenStatement:
    """Write NAME.intoto.jsonl, of what `state_unsigned` wrote and the signatures that were put beside it.

    `public_key` is a PEM file. Raises TeekitError where a signature is missing or not by this key: then nothing is written.
    """
    found, data = outer.assemble(folder, load_trusted_key(public_key))
    create_folder(output)
    file = output / f"{found.predicate.auditor}.intoto.jsonl"
    write_whole(file, data)
    return WrittenStatement(file, found.predicate.verdict)


def statements_in(places: Sequence[Path]) -> list[Path]:
    """The files as they are; of a folder the statements in it (not in folders in it), by name. Raises TeekitError if it has none."""
    found: list[Path] = []
    for place in places:
        inside = _inside(place) if place.is_dir() else [place]
        if not inside:
            raise TeekitError(
                f"{place}: has no statements (NAME{' or NAME'.join(SUFFIXES)})", hint="Name the files of the auditors."
            )
        found += inside
    if len(found) > _MAX_STATEMENTS:
        raise TeekitError(f"there are more than {_MAX_STATEMENTS} statements", hint="Name fewer.")
    return found


def _inside(folder: Path) -> list[Path]:
    try:
        names = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    except OSError as error:
        raise TeekitError(f"{folder}: cannot be read: {error.strerror}", hint="Name a readable folder.") from error
    return [path for path in names if not path.name.endswith(PROVENANCE_BUNDLE)]


def show_statement(file: Path, *, trusted_keys: Path | None = None, on: date | None = None) -> ShownStatement:
    """What is in a statement. With `trusted_keys` (a folder of OWNER.pem; `on` is the day for them) also whether one of them signed it.

    Raises TeekitError for what is no statement.
    """
    trusted = None if trusted_keys is None else load_trusted_keys(trusted_keys)
    return read_shown(file.name, str(file), read_bounded(file), trusted, on)


def show_statements(
    folder: Path, *, trusted_keys: Path | None = None, on: date | None = None
) -> tuple[ShownStatement, ...]:
    """The same for each statement of a folder, by name; at least one. Raises TeekitError, also for one that is no statement."""
    trusted = None if trusted_keys is None else load_trusted_keys(trusted_keys)
    return tuple(read_shown(file.name, str(file), read_bounded(file), trusted, on) for file in statements_in([folder]))


def export_bundles(file: Path, folder: Path) -> list[Path]:
    """Write the statement's envelopes as Sigstore bundles: NAME.sigstore.json, and of its provenance NAME.provenance.sigstore.json.

    Their signatures are not checked. Raises TeekitError for what is no statement.
    """
    made = export.bundles(statement.read_file(read_bounded(file), str(file)), str(file))
    return [_exported(file, folder, suffix, data) for suffix, data in made.items()]


def export_link(file: Path, key: SigningKey, folder: Path) -> list[Path]:
    """Write NAME.in-toto.link, an in-toto link of what the statement says, and NAME.in-toto.pub, the key as those who read links want it.

    Raises TeekitError for a statement that `key` did not sign.
    """
    envelopes = statement.read_file(read_bounded(file), str(file))
    made = export.link(envelopes, key, str(file))
    return [_exported(file, folder, LINK, made), _exported(file, folder, LINK_KEY, export.link_key(key))]


def export_summary(file: Path, key: SigningKey, folder: Path) -> Path:
    """Write NAME.vsa.json, a verification summary of SLSA's of a REPRODUCED statement. Raises TeekitError for others, and for those of other keys."""
    return _exported(file, folder, SUMMARY, export.verification_summary(read_bounded(file), file.name, key, str(file)))


def _exported(file: Path, folder: Path, suffix: str, data: bytes) -> Path:
    name = next((file.name.removesuffix(known) for known in SUFFIXES if file.name.endswith(known)), file.stem)
    create_folder(folder)
    target = folder / f"{name}{suffix}"
    write_whole(target, data)
    return target


def check_statements(
    folder: Path,
    *,
    earlier: Path | None = None,
    others: Sequence[Path] = (),
    log_policy: Path | None = None,
    require_logged: bool = False,
) -> CheckedRepository:
    """Whether a repository of statements is in order, and whether its auditors agree. `earlier` is what it was before.

    `others` are repositories in which the same auditors should have said the same. `log_policy` is for the proofs of a log in `folder`; without,
    its own file `policy` is. `require_logged`: each statement must have a good one. Raises TeekitError for folders, keys or a policy that cannot be
    read. What is wrong with a statement is in the result.
    """
    policy = None if log_policy is None else load_policy(log_policy)
    return check_across(folder, earlier, others, LogRule(policy, require_logged))


def count_statements(
    files: Sequence[Path],
    threshold: int,
    trusted_keys: Path,
    on: date,
    *,
    artifact: Path | None = None,
    log: LogCheck | None = None,
) -> Tally:
    """How many owners of trusted keys state the same; `status` is HOLDS if these are `threshold` or more.

    `files`: also folders, of which each statement is counted. `trusted_keys`: a folder of OWNER.pem. `on`: the day on which keys must not
    have expired. `artifact`: a file that the statements must be about. `log`: look for their proofs. Raises TeekitError for files that cannot
    be read, but for proofs: why one is none is in the result.
    """
    trusted = load_trusted_keys(trusted_keys)
    wanted = (artifact.name, digest_file(artifact)) if artifact else None
    policy = None if log is None else load_policy(log.policy)
    votes = []
    for file in statements_in(files):
        data = read_bounded(file)
        vote = cast(str(file), statement.read_file(data, str(file)), trusted, on)
        if log is not None and policy is not None and vote.statement is not None:
            keys = submitters((key for key in trusted if not key.expired(on)), vote.owner)
            vote = replace(vote, log=find_logged(data, proofs_beside(file, log.proofs), keys, policy))
        votes.append(vote)
    return tally(votes, threshold, wanted, log_required=log is not None and log.required)

"""A repository of statements: RELEASE/AUDITOR.intoto.jsonl, and keys/AUDITOR.pem. Data only; this is what its CI asks of a change.

In order is not in agreement: a MISMATCH is in order, and must be publishable. Keys in it show that a file is its auditor's, and are
nobody's trust: who counts statements pins keys of their own.

Rules. A statement is in order if its auditor's key signed it, and its folder, file name and content say the same. What an earlier
state of the repository had must still be there, byte for byte. Nothing but what has a place here may be added, no link is followed.
Non-rules: contradictions are shown, and refuse no change; proofs of a transparency log are counted, and not checked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.contradiction import Claim
from teekit_verify.appraisal.statements.export import PROVENANCE_BUNDLE
from teekit_verify.appraisal.statements.logged import PROOF, SUFFIXES
from teekit_verify.appraisal.statements.repository_proofs import CheckedProofs, check_proofs
from teekit_verify.appraisal.statements.shown import ShownStatement, read_shown
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import read_bounded, walk
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.reference.signing.keys import load_trusted_keys
from teekit_verify.reference.signing.log import LogStanding
from teekit_verify.reference.signing.log_policy import load_policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from teekit_verify.reference.signing.keys import TrustedKey
    from teekit_verify.reference.signing.log import LogFinding
    from teekit_verify.reference.signing.log_policy import LogPolicy

KEYS, POLICY = "keys", "policy"
_MAX_FILES = 100_000
RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,200}")
AUDITOR = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BESIDE = re.compile(r"README(\.md)?|LICENSE(\.md)?|policy|\..+")
"""What else may stand at the top: hidden files are the forge's and git's."""
ANY_DAY = date.min
"""A key that has expired since made its statements all the same; `attest verify` says whether they count."""


class Fault(Enum):
    """Why a file is not in order."""

    UNKNOWN_FILE = "unknown_file"
    LINK = "link"
    UNREADABLE = "unreadable"
    NO_KEY = "no_key"
    NOT_SIGNED = "not_signed"
    WRONG_SIGNER = "wrong_signer"
    WRONG_AUDITOR = "wrong_auditor"
    WRONG_RELEASE = "wrong_release"
    CHANGED = "changed"
    REMOVED = "removed"
    KEY_ADDED = "key_added"
    BAD_PROOF = "bad_proof"
    NOT_LOGGED = "not_logged"


class Conflict(Enum):
    """How auditors disagree about a release, though every file is in order."""

    MISMATCH = "mismatch"
    DIFFERENT_RESULTS = "different_results"
    OWN_STATEMENTS = "own_statements"
    OTHER_KEY = "other_key"


@dataclass(frozen=True, slots=True)
class FaultyFile:
    """`file` is its path in the repository; `detail` what the reader said, else empty. `elsewhere` names another repository that it is in.

    `log` is for BAD_PROOF and NOT_LOGGED: why.
    """

    file: str
    fault: Fault
    detail: str = ""
    elsewhere: str = ""
    log: LogStanding | None = None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """MISMATCH: each of `auditors` built something else than was published. OTHER_KEY: who has this name elsewhere signs with another key.
    Otherwise: what they state differs. `elsewhere` names the repository that has the other statement, and is empty within one.
    """

    release: str
    conflict: Conflict
    auditors: tuple[str, ...]
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class FiledStatement:
    """A statement in order. `compared` is whether it was compared with the release; one of an UNREFERENCED rebuild was not.

    `logged` is whether its proof is good, null where there is no policy to tell.
    """

    file: str
    release: str
    auditor: str
    verdict: Verdict
    compared: bool
    logged: bool | None = None


@dataclass(frozen=True, slots=True)
class CheckedRepository:
    """`proofs_not_checked`: proofs of a transparency log without a policy to check them by. `against_earlier`: whether there was a state to hold it to.

    `others`: the repositories that it was held against.
    """

    folder: str
    statements: tuple[FiledStatement, ...]
    faults: tuple[FaultyFile, ...]
    contradictions: tuple[Contradiction, ...]
    proofs_not_checked: int
    against_earlier: bool
    others: tuple[str, ...] = ()

    @property
    def status(self) -> ExitStatus:
        """NO_VERDICT if a file is not in order, or there is none; else DOES_NOT_HOLD if auditors disagree."""
        if self.faults or not self.statements:
            return ExitStatus.NO_VERDICT
        return ExitStatus.DOES_NOT_HOLD if self.contradictions else ExitStatus.HOLDS


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in a repository: paths, the keys in it, the statements that are in order, and what is not."""

    files: tuple[str, ...]
    keys: tuple[TrustedKey, ...]
    statements: tuple[tuple[FiledStatement, ShownStatement], ...]
    faults: tuple[FaultyFile, ...]


def read_repository(folder: Path) -> Reading:
    """Raises TeekitError for a folder that cannot be read, and for keys of which one is no key or stands there twice."""
    files = _files(folder)
    if linked := [file for file in files if _is_key_or_their_folder(file) and (folder / file).is_symlink()]:
        # A change of a stranger's may name any file of this host as a key: none is opened.
        return Reading((), (), (), tuple(FaultyFile(file, Fault.LINK) for file in linked))
    if not (folder / KEYS).is_dir():
        raise TeekitError(
            f"{folder}: has no folder '{KEYS}' with the auditors' public keys",
            hint=f"Name a repository of statements: RELEASE/AUDITOR.intoto.jsonl, {KEYS}/AUDITOR.pem.",
        )
    keys = load_trusted_keys(folder / KEYS)
    found = [_read(folder, file, keys) for file in files if _placed(file) and not (folder / file).is_symlink()]
    read = tuple(item for item in found if isinstance(item, tuple))
    faults = (*_misplaced(folder, files), *(item for item in found if isinstance(item, FaultyFile)))
    return Reading(tuple(files), keys, read, faults)


@dataclass(frozen=True, slots=True)
class LogRule:
    """`policy` is for proofs of a log, None for the repository's own. `required`: each statement must have a good one."""

    policy: LogPolicy | None = None
    required: bool = False


def check_repository(folder: Path, earlier: Path | None = None, log: LogRule | None = None) -> CheckedRepository:
    """`earlier` is a checkout of what the repository was before: no statement, key, proof or policy of it may be changed or removed.

    Raises TeekitError as `read_repository` does, for a policy that cannot be read, and where one is required and there is none.
    """
    return checked(folder, read_repository(folder), earlier, log)


def checked(folder: Path, reading: Reading, earlier: Path | None, log: LogRule | None = None) -> CheckedRepository:
    """The same for a repository that was read already."""
    rule = log or LogRule()
    faults = list(reading.faults)
    if earlier is not None and reading.files:
        faults += _touched(folder, reading.files, earlier)
    policy = rule.policy or _own_policy(folder, reading.files)
    if rule.required and policy is None:
        raise TeekitError(f"{folder}: has no policy that says what is logged", hint="Name one with --log-policy.")
    proofs = CheckedProofs({}, {}) if policy is None else _proofs(folder, reading, policy)
    faults += [_bad_proof(file, finding) for file, finding in proofs.bad.items()]
    faults += _not_logged(proofs.of_statements) if rule.required else ()
    return CheckedRepository(
        str(folder),
        tuple(replace(filed, logged=_good(proofs.of_statements.get(filed.file))) for filed, _ in reading.statements),
        tuple(sorted(faults, key=lambda item: (item.file, item.fault.value))),
        tuple(_contradictions(reading.statements)),
        0 if policy is not None else sum(file.endswith(PROOF) for file in reading.files),
        earlier is not None,
    )


def _own_policy(folder: Path, files: Sequence[str]) -> LogPolicy | None:
    """Raises TeekitError for one that cannot be read. A link is none, and a fault."""
    place = folder / POLICY
    if POLICY not in files or place.is_symlink():
        return None
    return load_policy(place)


def _proofs(folder: Path, reading: Reading, policy: LogPolicy) -> CheckedProofs:
    placed = [(filed.file, filed.auditor) for filed, _ in reading.statements]
    proofs = [file for file in reading.files if _is_proof(file)]
    return check_proofs(folder, placed, proofs, reading.keys, policy)


def _good(finding: LogFinding | None) -> bool | None:
    return None if finding is None else finding.standing is LogStanding.LOGGED


def _bad_proof(file: str, finding: LogFinding | None) -> FaultyFile:
    if finding is None:  # no statement that is in order has its name
        return FaultyFile(file, Fault.BAD_PROOF)
    return FaultyFile(file, Fault.BAD_PROOF, finding.detail, log=finding.standing)


def _not_logged(findings: Mapping[str, LogFinding]) -> Iterator[FaultyFile]:
    for file, finding in findings.items():
        if finding.standing is not LogStanding.LOGGED:
            yield FaultyFile(file, Fault.NOT_LOGGED, finding.detail, log=finding.standing)


def _files(folder: Path) -> list[str]:
    """Paths below `folder`, sorted, but for hidden folders at the top. Links to folders are among them, and not followed."""
    found: list[str] = []
    for place, folders, names in walk(folder, _cannot_be_read):
        if Path(place) == folder:
            folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found += [(Path(place) / name).relative_to(folder).as_posix() for name in (*names, *links)]
        if len(found) > _MAX_FILES:
            raise TeekitError(f"{folder}: has more than {_MAX_FILES} files", hint="Name a repository of statements.")
    return sorted(found)


def _cannot_be_read(error: OSError) -> None:
    raise TeekitError(f"{error.filename}: cannot be read: {error.strerror}", hint="Name a readable folder.") from error


def _placed(file: str) -> tuple[str, str] | None:
    """Release and auditor of a statement, by its name; None for what is none."""
    release, _, name = file.partition("/")
    auditor = statement_name(name)
    known = release != KEYS and RELEASE.fullmatch(release) and auditor is not None
    return (release, auditor) if known and auditor is not None else None


def statement_name(name: str) -> str | None:
    """The auditor that a statement's file is called by; None for a file that is none."""
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
    if suffix is None or name.endswith(PROVENANCE_BUNDLE):
        return None
    auditor = name.removesuffix(suffix)
    return auditor if AUDITOR.fullmatch(auditor) else None


def _misplaced(folder: Path, files: Sequence[str]) -> Iterator[FaultyFile]:
    for file in files:
        if (folder / file).is_symlink():
            yield FaultyFile(file, Fault.LINK)
        elif not (_placed(file) or _is_key(file) or _is_proof(file) or _BESIDE.fullmatch(file)):
            yield FaultyFile(file, Fault.UNKNOWN_FILE)


def _is_key(file: str) -> bool:
    place, _, name = file.partition("/")
    return place == KEYS and "/" not in name and name.endswith(".pem")


def _is_key_or_their_folder(file: str) -> bool:
    return file == KEYS or file.startswith(f"{KEYS}/")


def _is_proof(file: str) -> bool:
    release, _, name = file.partition("/")
    named = bool(RELEASE.fullmatch(release)) and bool(AUDITOR.fullmatch(name.split(".")[0]))
    return named and release != KEYS and "/" not in name and name.endswith(PROOF)


def _read(folder: Path, file: str, keys: Sequence[TrustedKey]) -> tuple[FiledStatement, ShownStatement] | FaultyFile:
    release, auditor = _placed(file) or ("", "")
    if all(key.owner != auditor for key in keys):
        return FaultyFile(file, Fault.NO_KEY)
    # Or many auditors would cost the square of their number.
    likely_first = sorted(keys, key=lambda key: key.owner != auditor)
    try:
        shown = read_shown(file, file, codec.read_bounded(folder / file), likely_first, ANY_DAY)
    except TeekitError as error:
        return FaultyFile(file, Fault.UNREADABLE, error.message)
    if shown.standing is not Standing.GOOD:
        return FaultyFile(file, Fault.NOT_SIGNED)
    said = shown.statement.predicate
    wrong = {
        Fault.WRONG_SIGNER: shown.owner != auditor,
        Fault.WRONG_AUDITOR: said.auditor != auditor,
        Fault.WRONG_RELEASE: said.reference is not None and said.reference.release != release,
    }
    for fault, applies in wrong.items():
        if applies:
            return FaultyFile(file, fault)
    return FiledStatement(file, release, auditor, said.verdict, said.reference is not None), shown


def _contradictions(read: Sequence[tuple[FiledStatement, ShownStatement]]) -> Iterator[Contradiction]:
    by_release: dict[str, dict[str, set[tuple[Claim, bool]]]] = defaultdict(lambda: defaultdict(set))
    for filed, shown in read:
        stated = Claim.of(shown.statement), filed.verdict is Verdict.MISMATCH
        by_release[filed.release][filed.auditor].add(stated)
    for release, said in sorted(by_release.items()):
        yield from _within(release, said)


def _within(release: str, said: Mapping[str, set[tuple[Claim, bool]]]) -> Iterator[Contradiction]:
    """Of one release. An auditor who says two things is told of once more, by name."""
    for auditor, stated in sorted(said.items()):
        if len(stated) > 1:
            yield Contradiction(release, Conflict.OWN_STATEMENTS, (auditor,))
    different = sorted(name for name, stated in said.items() if any(mismatch for _, mismatch in stated))
    if different:
        yield Contradiction(release, Conflict.MISMATCH, tuple(different))
    if len({claim for stated in said.values() for claim, _ in stated}) > 1 and len(said) > 1:
        yield Contradiction(release, Conflict.DIFFERENT_RESULTS, tuple(sorted(said)))


def _touched(folder: Path, files: Sequence[str], earlier: Path) -> Iterator[FaultyFile]:
    """Statements, proofs and keys only grow in number, and the policy stays, also if there is none. Another key of an auditor who has one already is for people to look at."""
    found = _files(earlier)
    before = {file for file in found if _placed(file) or _is_key(file) or _is_proof(file) or file == POLICY}
    now = set(files)
    for file in sorted(before):
        if file not in now:
            yield FaultyFile(file, Fault.REMOVED)
        elif (folder / file).is_symlink() or _bytes(earlier / file) != _bytes(folder / file):
            yield FaultyFile(file, Fault.CHANGED)
    if POLICY in now - before:  # whoever writes it decides what is called logged
        yield FaultyFile(POLICY, Fault.CHANGED)
    owners = {_owner(file) for file in before if _is_key(file)}
    for file in files:
        if _is_key(file) and file not in before and _owner(file) in owners:
            yield FaultyFile(file, Fault.KEY_ADDED)


def _owner(key_file: str) -> str:
    return Path(key_file).name.split(".")[0]


def _bytes(path: Path) -> bytes:
    return read_bounded(path, codec.MAX_DOCUMENT_BYTES, "a statement")

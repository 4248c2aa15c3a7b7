"""What `reference show` and `reference list` say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import walk
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec
from teekit_verify.documents.create import dump_reference
from teekit_verify.documents.inputs import inputs_digest
from teekit_verify.documents.release import RELEASE_SCHEMA
from teekit_verify.record import json_report
from teekit_verify.reference.formats import load_published
from teekit_verify.report.apps import show_apps
from teekit_verify.report.layout import show_line, show_table, styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import AcceptableValue, Reference, ReferenceRegister
    from teekit_verify.reference.google_signature import TrustedRoot
    from teekit_verify.report.console import Console, Text

LIST_SCHEMA = "teekit-verify/reference-list/v1"
_SUFFIXES = (".json", ".pcrlock", ".binarypb")
_MAX_FILES = 10_000
_OTHER_SCHEMAS = (RELEASE_SCHEMA, "teekit-verify/gcp-facts/v1")
_JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def render(reference: Reference) -> bytes:
    """What `reference show --json` prints of a file of this project: the document itself."""
    return dump_reference(reference)


def show(reference: Reference, out: Console) -> None:
    """The release, its inputs, its files, and each register with its policy and acceptable values."""
    show_line(out, styled(reference.release, "bold"), ", commit ", styled(reference.commit or "not stated"))
    inputs = reference.inputs
    show_line(out, "image ", styled(" + ".join((inputs.image, *inputs.profiles))))
    show_line(out, f"inputs sha256 {inputs_digest(inputs).hex}")
    show_line(out, f"  {len(inputs.packages)} packages, {len(inputs.source_files)} source files")
    show_line(out, "  environment ", styled(inputs.environment.nar_hash))
    if reference.apps is not None:
        show_apps(reference.apps, out)
    out.print()
    rows = [(styled(a.name), styled(a.size_bytes), styled(a.sha256.hex)) for a in reference.artifacts]
    show_table(out, ("artifact", "bytes", "sha256"), rows)
    for platform, registers in reference.platforms.items():
        out.print()
        lines = [row for name, register in registers.items() for row in register_rows(str(name), register)]
        show_table(out, (platform, "policy", "label", "bank", "value"), lines)


def register_rows(name: str, register: ReferenceRegister) -> Iterator[tuple[Text, ...]]:
    policy = register.policy.value
    if register.reason:
        yield styled(name), styled(policy), styled(""), styled(""), styled(register.reason)
    for value in register.acceptable:
        banks = [(bank.value, value.register.value(bank)) for bank in value.register.banks]
        for bank, digest in banks or [("", None)]:
            content = digest.hex if digest else f"not known: {value.register.missing}"
            yield styled(name), styled(policy), styled(_label(value)), styled(bank), styled(content)


def _label(value: AcceptableValue) -> str:
    """With the groups of values that it belongs to, unless these say no more."""
    return value.label if value.groups in {(), (value.label,)} else f"{value.label} (in {', '.join(value.groups)})"


@frozen
class ListedFile:
    """A file of a folder of references; `problem` says why it is none, and the other fields are then empty."""

    file: str
    problem: str
    format: str = ""
    release: str = ""
    image: str = ""
    commit: str | None = None
    sha256: Digest | None = None
    has_signature_file: bool = False


@frozen
class Listing:
    directory: str
    files: tuple[ListedFile, ...]

    @property
    def status(self) -> ExitStatus:
        damaged = not self.files or any(item.problem for item in self.files)
        return ExitStatus.NO_VERDICT if damaged else ExitStatus.HOLDS


def list_directory(directory: Path, root: TrustedRoot | None = None) -> Listing:
    """Every file that is named like one of a known format, in folders below too, sorted by path. `root`: see `load_published`.

    What is known to be something else (release.json, facts of machines, JSON schemas) is passed over. Links to folders are not followed.
    Raises TeekitError for a folder that cannot be read, and for more files than anybody looks at.
    """
    paths = sorted(_candidates(directory))
    if len(paths) > _MAX_FILES:
        raise TeekitError(f"{directory}: has more than {_MAX_FILES} files", hint="Name a folder of reference files.")
    found = (_listed(path, path.relative_to(directory).as_posix(), root) for path in paths)
    return Listing(str(directory), tuple(item for item in found if item is not None))


def _candidates(directory: Path) -> Iterator[Path]:
    for folder, _, names in walk(directory, _cannot_be_read):
        yield from (Path(folder) / name for name in names if name.endswith(_SUFFIXES))


def _cannot_be_read(error: OSError) -> None:
    """What was left out would look like what is not there."""
    raise TeekitError(f"{error.filename}: cannot be read: {error.strerror}", hint="Name a readable folder.") from error


def _is_something_else(path: Path) -> bool:
    """By its content: a reference with a misspelt schema is damaged, not something else."""
    try:
        fields = codec.bounded_json(codec.read_bounded(path), str(path))
    except TeekitError:
        return False
    return isinstance(fields, dict) and (
        fields.get("schema") in _OTHER_SCHEMAS or fields.get("$schema") == _JSON_SCHEMA
    )


def _listed(path: Path, name: str, root: TrustedRoot | None) -> ListedFile | None:
    try:
        published = load_published(path, root)
    except TeekitError as error:
        return None if _is_something_else(path) else ListedFile(name, error.message)
    first, *others = published.values
    release = f"{len(others) + 1} images" if others else first.name
    signed = path.with_name(path.name + ".sig").is_file()
    return ListedFile(name, "", published.format, release, first.image, first.commit, published.sha256, signed)


def show_list(listing: Listing, out: Console) -> None:
    good = [item for item in listing.files if not item.problem]
    if good:
        rows = [
            (
                styled(item.file),
                styled(item.release),
                styled(item.image),
                styled("yes, not checked" if item.has_signature_file else "no"),
                styled(item.format),
                styled(item.sha256.hex if item.sha256 else ""),
            )
            for item in good
        ]
        show_table(out, ("file", "release", "image", "signature file", "format", "sha256"), rows)
    for item in listing.files:
        if item.problem:
            out.outcome(styled(item.problem, "bold red"))
    if not listing.files:
        out.outcome(styled(f"{listing.directory}: has no reference files ({', '.join(_SUFFIXES)})"))


def render_list(listing: Listing) -> bytes:
    """What `reference list --json` prints."""
    return json_report.render({"schema": LIST_SCHEMA, "exit_status": int(listing.status)}, listing)

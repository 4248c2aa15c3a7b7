"""What changed between two publications, as findings about the newer one: what came out is an error, what went in a note."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.published_registers import DIFFERENT
from teekit_verify.report.sarif.findings import Finding, Level, Rule
from teekit_verify.wording import publications as words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.appraisal.publications import PublicationDiff
    from teekit_verify.rebuild.input_changes import InputChanges


def of_diff(diff: PublicationDiff) -> Iterator[Finding]:
    """Registers, artifacts and what is stated besides, then the inputs that they come from."""
    file = diff.sides[1].given
    for item in (item for item in diff.registers if item.state in DIFFERENT):
        place = f"{item.platform} {item.register}"
        yield Finding(Rule.REGISTER, Level.ERROR, place, words.register_words(item), file)
    for register in diff.undecided:
        place = f"{register.platform} {register.register}"
        yield Finding(Rule.REGISTER, Level.WARNING, place, words.register_words(register), file)
    for change in diff.artifacts:
        yield Finding(Rule.ARTIFACT, Level.ERROR, change.name, words.artifact_words(change), file)
    for letter, names in zip("AB", diff.images, strict=True):
        for name in names:
            yield Finding(Rule.ARTIFACT, Level.ERROR, name, f"image {name}: only in {letter}", file)
    for statement in diff.statements:
        yield Finding(Rule.EVIDENCE, Level.ERROR, statement.name, words.statement_words(statement), file)
    if diff.apps_changed:
        yield Finding(Rule.EVIDENCE, Level.ERROR, "apps", "what may run on it changed", file)
    for line in words.source_lines(diff):
        yield Finding(Rule.INPUT_DRIFT, Level.NOTE, "source", line, file)
    if diff.inputs is not None and not diff.inputs.is_same:
        yield from _inputs(diff.inputs, file)


def _inputs(changes: InputChanges, file: str) -> Iterator[Finding]:
    for package in changes.packages:
        message = f"{package.name}: {words.package_words(package)}"
        yield Finding(Rule.INPUT_DRIFT, Level.NOTE, package.name, message, file)
    for source in changes.source_files:
        message = f"{source.path}: {words.change_words(source.change)}"
        yield Finding(Rule.INPUT_DRIFT, Level.NOTE, source.path, message, file)
    if not changes.packages and not changes.source_files:
        for line in words.input_lines(changes):
            yield Finding(Rule.INPUT_DRIFT, Level.NOTE, "inputs", line, file)

"""What to type next, for this very report: with its files, its folder and its reference."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.record.document import RebuildReport


def next_commands(report: RebuildReport) -> list[tuple[str, str]]:
    """(what for, the command line). Words in capitals are for the reader to fill in."""
    return [(what, shlex.join(("./scripts/teekit-verify", *words))) for what, words in _commands(report)]


def _commands(report: RebuildReport) -> Iterator[tuple[str, tuple[str, ...]]]:
    folder = report.directory
    reference = report.reference.path if report.reference is not None else None
    match report.verdict:
        case Verdict.REPRODUCED:
            if report.may_be_stated:
                yield "Sign it", ("attest", "create", folder, "--key", "KEY.pem", "--name", "YOUR-NAME")
            if reference is not None:
                yield "Check a machine", ("compare", reference, "--quote", "QUOTE", "--eventlog", "EVENTLOG")
        case Verdict.UNREFERENCED:
            # rebuild refuses the two options together
            words = (word for word in report.command[1:] if word != "--no-reference")
            yield "Compare it", (*words, "--reference", "REFERENCE.json")
        case Verdict.MISMATCH:
            for name in _changed_files(report):
                yield f"Name the culprit in {name}", ("explain", "PUBLISHED", f"{folder}/artifacts/{name}")
        case Verdict.NONDETERMINISTIC:
            for pair in report.artifacts[:3]:
                if not pair.same:
                    both = (f"{folder}/artifacts/{pair.name}", f"{folder}/artifacts/B/{pair.name}")
                    yield f"See all that differs in {pair.name}", ("explain", *both)
        case Verdict.INPUT_DRIFT:
            if report.reference is not None and report.reference.commit is not None:
                yield "Rebuild that commit", ("rebuild", "--commit", report.reference.commit)
        case Verdict.FAILED:
            yield "See what the host lacks", ("doctor",)


def _changed_files(report: RebuildReport) -> list[str]:
    """Of build A, those that are not as published; all if none is (then only a register differs)."""
    published = {item.name: item for item in report.published.artifacts} if report.published is not None else {}
    names = [pair.name for pair in report.artifacts if pair.name in published and published[pair.name] != pair.a]
    return names[:3] or [pair.name for pair in report.artifacts][:1]

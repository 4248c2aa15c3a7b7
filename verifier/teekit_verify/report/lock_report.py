"""What `lock diff` and `lock check` say: on the terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.rebuild.evidence import Doubt
from teekit_verify.rebuild.lock_diff import Alarm, Evidence, History
from teekit_verify.report import lock_effect
from teekit_verify.report.layout import show_line, show_outcome, show_table, styled
from teekit_verify.report.lock_effect import code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.rebuild.evidence import IndexFact, LockCheck
    from teekit_verify.rebuild.lock_diff import Change, LockDiff, RedFlag, SourceChange
    from teekit_verify.report.console import Console

DIFF_SCHEMA = "teekit-verify/lock-diff/v1"
CHECK_SCHEMA = "teekit-verify/lock-check/v1"
_MAX_DOUBTS = 20
_MAX_CVES = 12

_DOUBTS = {
    Doubt.NOT_SIGNED: "is not signed by a key of the Debian archive keyring",
    Doubt.OTHER_SUITE: "is the Release file of another suite",
    Doubt.NO_DATE: "has no date",
    Doubt.INDEX_NOT_IN_RELEASE: "does not name the Packages file that the lock names",
    Doubt.NO_INDEX_OF_ARCHIVE: "no signed index of its archive",
    Doubt.NOT_LISTED: "not in the signed index",
    Doubt.OTHER_BYTES: "in the signed index with other bytes",
}
_ALARMS = {
    Alarm.DOWNGRADE: "older than before",
    Alarm.OTHER_BYTES: "the same version with other bytes",
    Alarm.OTHER_ARCHIVE: "from another archive",
    Alarm.NOT_ASKED_FOR: "no stage asks for it",
    Alarm.NOT_DEBIANS: "not in the signed index",
    Alarm.INDEX_REFUSED: "the signed index is not valid",
    Alarm.OTHER_SUITE: "the lock is of another suite",
    Alarm.OLDER_SNAPSHOT: "the lock is older than before",
    Alarm.OTHER_REPOSITORY: "another repository, or another key of it, is trusted",
    Alarm.OTHER_SOURCE: "the source changed too",
    Alarm.UNEXPLAINED: "changed in the image, and no package that changed explains it",
}
_HISTORIES = {
    History.CUT_OFF: "the changelog ends before the old version",
    History.NOT_FETCHED: "changelog not read: the new package is not in the download cache",
    History.NOT_CARRIED: "no changed package of this source carries a changelog between the two versions",
    History.OLD_UNKNOWN: "changelog not read: the old package, which would name its source's version, is not in the download cache",
    History.NOT_DEBIANS: "an npm package",
}
_EVIDENCE = {
    Evidence.CHECKED: "every package of the new lock was followed to Debian's signature, but for those named below",
    Evidence.NOT_NAMED: "not checked: the new lock names no signed index",
    Evidence.NOT_HERE: "not checked: the signed index that the new lock names is not in the download cache",
}


def diff_status(diff: LockDiff) -> ExitStatus:
    """A red flag is one, whatever else could not be looked into."""
    if diff.flags:
        return ExitStatus.DOES_NOT_HOLD
    return ExitStatus.HOLDS if diff.effect is None or diff.effect.is_whole else ExitStatus.NO_VERDICT


def check_status(check: LockCheck) -> ExitStatus:
    return ExitStatus.HOLDS if check.holds else ExitStatus.DOES_NOT_HOLD


def show_diff(diff: LockDiff, out: Console) -> None:
    """Counts, then source by source, the red flags last."""
    show_line(out, styled(_summary(diff), "bold"))
    show_line(out, styled(f"signed index: {_evidence(diff)}"))
    for source in diff.sources:
        out.print()
        show_line(out, styled(source.source, "bold"))
        for change in source.changes:
            show_line(out, styled(_change(change)), indent=2)
        for line in _history(source):
            show_line(out, styled(line), indent=2)
    out.print()
    if diff.effect is not None:
        show_line(out, styled(lock_effect.summary(diff.effect), "bold"))
        for line in lock_effect.lines(diff.effect):
            show_line(out, styled(line), indent=2)
        out.print()
    for flag in diff.flags:
        show_line(out, styled(f"red flag: {_flag(flag)}", "bold red"))
    show_outcome(out, diff_status(diff), _conclusion(diff))


def _summary(diff: LockDiff) -> str:
    changes = diff.changes()
    added, gone = sum(item.old is None for item in changes), sum(item.new is None for item in changes)
    return (
        f"{len(changes) - added - gone} packages changed, {added} new, {gone} gone, {diff.same} the same; "
        f"{diff.snapshots[0]} -> {diff.snapshots[1]}, suite {' -> '.join(dict.fromkeys(diff.suites))}"
    )


def _evidence(diff: LockDiff) -> str:
    if diff.check is None:
        return _EVIDENCE[diff.evidence]
    if diff.check.holds:
        return f"all {diff.check.listed} Debian packages of the new lock are in it"
    return f"{diff.check.listed} packages of the new lock are in it; see the red flags"


def _change(change: Change) -> str:
    old, new = change.old, change.new
    if old is None or new is None:
        item = old or new
        return (
            f"{change.name} {item.version if item else ''} ({item.archive if item else ''}): {'gone' if old else 'new'}"
        )
    if (old.version, old.sha256, old.archive) == (new.version, new.sha256, new.archive):
        return f"{change.name} {new.version}: the same, for other images: {_images(change)}"
    archive = new.archive if old.archive == new.archive else f"{old.archive} -> {new.archive}"
    return f"{change.name} {old.version} -> {new.version} ({archive})"


def _images(change: Change) -> str:
    old, new = (set(item.targets) if item else set[str]() for item in (change.old, change.new))
    return ", ".join([*(f"+ {name}" for name in sorted(new - old)), *(f"- {name}" for name in sorted(old - new))])


def _history(source: SourceChange) -> Iterator[str]:
    if not source.source_known and source.history is not History.NOT_DEBIANS:
        yield "its source is not known: the package is not in the download cache"
    if source.history in _HISTORIES:
        yield _HISTORIES[source.history]
    if source.entries:
        yield f"{len(source.entries)} changelog entries: {', '.join(entry.version for entry in source.entries)}"
        yield f"named in changelogs: {_cves(source)}"


def _cves(source: SourceChange) -> str:
    shown = ", ".join(source.cves[:_MAX_CVES]) or "no CVE"
    more = len(source.cves) - _MAX_CVES
    return shown + (f" and {more} more" if more > 0 else "")


def _flag(flag: RedFlag) -> str:
    values = " -> ".join(value for value in (flag.old, flag.new) if value)
    return f"{flag.package + ': ' if flag.package else ''}{_ALARMS[flag.alarm]} ({values})"


def _conclusion(diff: LockDiff) -> str:
    count = len(diff.flags)
    if not count and diff.effect is not None and not diff.effect.is_whole:
        return "no red flag, but the effect on the image is not settled"
    return f"{count} red flags: this is more than a refresh" if count else "no red flag"


def diff_as_markdown(diff: LockDiff) -> str:
    """The text of a pull request. Changelogs are foreign text: they stand in code blocks, names between backquotes."""
    lines = [f"**{_conclusion(diff)}**", "", f"{_summary(diff)}.", "", f"Signed index: {_evidence(diff)}.", ""]
    lines += [f"- :red_circle: {code(_flag(flag))}" for flag in diff.flags]
    lines += ["", "| source | package | old | new | archive | CVEs named in changelogs |", "|---|---|---|---|---|---|"]
    for source in diff.sources:
        lines += [_row(source, change, first=number == 0) for number, change in enumerate(source.changes)]
    if diff.effect is not None:
        lines += lock_effect.as_markdown(diff.effect)
    for source in diff.sources:
        if source.entries or source.history in _HISTORIES:
            lines += ["", *_details(source)]
    return "\n".join(lines) + "\n"


def _row(source: SourceChange, change: Change, *, first: bool) -> str:
    old, new = change.old, change.new
    versions = (old.version if old else "new", new.version if new else "gone")
    if old and new and old.sha256 == new.sha256 and old.targets != new.targets:
        versions = (old.version, f"for other images: {_images(change)}")
    archives = dict.fromkeys(item.archive for item in (old, new) if item)
    cells = [source.source, change.name, *versions, " -> ".join(archives)]
    return f"| {' | '.join(map(code, cells))} | {_cves(source) if first and source.entries else ''} |"


def _details(source: SourceChange) -> Iterator[str]:
    yield f"<details><summary>{source.source}: {len(source.entries)} changelog entries</summary>"
    yield ""
    if source.history in _HISTORIES:
        yield f"{_HISTORIES[source.history]}."
    for entry in source.entries:
        text = "\n".join(map(printable, entry.text.split("\n")))
        fence = "`" * (1 + max(2, *map(len, re.findall("`+", text)), 2))
        yield f"\n{code(entry.version)}, {code(entry.distribution)}\n\n{fence}text\n{text}\n{fence}"
    yield ""
    yield "</details>"


def diff_as_json(diff: LockDiff) -> str:
    return _as_json(
        DIFF_SCHEMA,
        diff_status(diff),
        {
            "suites": list(diff.suites),
            "snapshots": list(diff.snapshots),
            "same": diff.same,
            "evidence": diff.evidence.value,
            "red_flags": [
                {"alarm": flag.alarm.value, "package": flag.package, "old": flag.old, "new": flag.new}
                for flag in diff.flags
            ],
            "sources": [_source_as_json(source) for source in diff.sources],
            "check": None if diff.check is None else _check_document(diff.check),
            "effect": None if diff.effect is None else lock_effect.as_document(diff.effect),
        },
    )


def _source_as_json(source: SourceChange) -> dict[str, Any]:
    return {
        "source": source.source,
        "source_known": source.source_known,
        "history": source.history.value,
        "cves_named_in_changelogs": list(source.cves),
        "entries": [
            {"version": item.version, "distribution": item.distribution, "cves": list(item.cves), "text": item.text}
            for item in source.entries
        ],
        "packages": [
            {
                "name": change.name,
                **{
                    side: None
                    if item is None
                    else item.model_dump(include={"version", "architecture", "archive", "sha256", "targets"})
                    for side, item in (("old", change.old), ("new", change.new))
                },
            }
            for change in source.changes
        ],
    }


def show_check(check: LockCheck, out: Console) -> None:
    """Each index with its date and signers, what is in doubt, the conclusion last."""
    show_table(
        out, ("archive", "suite", "dated", "signed by"), (tuple(map(styled, _cells(fact))) for fact in check.indexes)
    )
    for fact in check.indexes:
        if fact.doubt is not None:
            show_line(out, styled(f"InRelease of {fact.suite} {_DOUBTS[fact.doubt]}", "bold red"))
        if fact.has_expired_key:
            show_line(out, styled(f"{fact.suite}: a key that signed it has expired since", "yellow"))
    for item in check.doubts[:_MAX_DOUBTS]:
        show_line(out, styled(f"{item.name} {item.version} ({item.architecture}): {_DOUBTS[item.doubt]}", "bold red"))
    if len(check.doubts) > _MAX_DOUBTS:
        show_line(out, f"and {len(check.doubts) - _MAX_DOUBTS} more")
    if check.npm:
        show_line(out, styled(f"{check.npm} npm packages are not Debian's: nothing is said of them", "yellow"))
    words = f"{check.listed} packages are in Debian's signed index"
    if not check.holds:
        words = f"this lock is not shown to be Debian's: {words}, {len(check.doubts)} are not"
    show_outcome(out, check_status(check), words)


def _cells(fact: IndexFact) -> tuple[str, str, str, str]:
    date = f"{fact.date:%Y-%m-%d %H:%M} UTC" if fact.date else "-"
    return fact.archive, fact.suite, date, ", ".join(signer[-16:] for signer in fact.signers) or "-"


def check_as_json(check: LockCheck) -> str:
    return _as_json(CHECK_SCHEMA, check_status(check), _check_document(check))


def _check_document(check: LockCheck) -> dict[str, Any]:
    return {
        "listed": check.listed,
        "npm": check.npm,
        "indexes": [
            {
                "archive": fact.archive,
                "suite": fact.suite,
                "date": fact.date.isoformat() if fact.date else None,
                "signers": list(fact.signers),
                "has_expired_key": fact.has_expired_key,
                "doubt": fact.doubt.value if fact.doubt else None,
            }
            for fact in check.indexes
        ],
        "doubts": [
            {
                "name": item.name,
                "version": item.version,
                "architecture": item.architecture,
                "doubt": item.doubt.value,
            }
            for item in check.doubts
        ],
    }


def _as_json(schema: str, status: ExitStatus, content: dict[str, Any]) -> str:
    return json.dumps({"schema": schema, "exit_status": int(status), **content}, indent=2) + "\n"

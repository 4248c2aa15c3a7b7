"""What each verdict means to somebody who has never seen this project, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict

if TYPE_CHECKING:
    from teekit_verify.record.document import RebuildReport


@dataclass(frozen=True, slots=True)
class Words:
    """`headline` answers "is this the published image?"; `meaning` says how that is known. `next_steps` are imperative.

    `accent` is good, bad or open: how the page is coloured.
    """

    accent: str
    headline: str
    meaning: str
    next_steps: tuple[str, ...]


WORDS = {
    Verdict.REPRODUCED: Words(
        "good",
        "Yes: this is the published image.",
        "Built twice from source, under different conditions, it came out bit for bit as it was published, and so did the "
        "measurements that a machine will have after booting it, as far as they are known.",
        (
            "To stand by this result in public, sign it: `teekit-verify attest create`.",
            "To learn whether a running machine booted this image, check its hardware-signed quote against the same reference.",
        ),
    ),
    Verdict.UNREFERENCED: Words(
        "open",
        "The build is reproducible, but there is nothing published to compare it with.",
        "Both builds are bit for bit the same. Whether they match what anybody runs or publishes was not checked.",
        (
            "If somebody gave you a reference file, run the command again with `--reference FILE`.",
            "If you publish this image, make its reference file: `teekit-verify reference create`.",
        ),
    ),
    Verdict.MISMATCH: Words(
        "bad",
        "No: this is not the published image.",
        "Both builds are the same, and were made from the inputs that the reference names. What was published is "
        "something else: it was not made from that source in that way, or was changed afterwards.",
        (
            "Do not trust machines that boot the published image until this is explained.",
            "Look at the first event that differs, under Registers: it names the part of the image.",
            (
                "If you can get the published file, name the culprit inside: `teekit-verify explain PUBLISHED REBUILT`. "
                "The rebuilt files are in the folder `artifacts` beside this report."
            ),
            "Send this report to the publisher.",
        ),
    ),
    Verdict.NONDETERMINISTIC: Words(
        "bad",
        "No answer: two builds of the same source differ.",
        "The same inputs gave different files, so an equal file would be luck, and a different one proves nothing.",
        (
            "Look at Differences: it names the files that differ, and what usually causes such a difference.",
            "Fix the cause in the image's source, and rebuild.",
        ),
    ),
    Verdict.INPUT_DRIFT: Words(
        "open",
        "No answer: the inputs are not the published ones.",
        "A build can only give the published bytes if it consumes what the publisher's build consumed. This one did not.",
        (
            "Look at Inputs: everything that is not the same is named there.",
            "Rebuild the commit that the reference was made from, with the lock that is in it.",
        ),
    ),
    Verdict.FAILED: Words(
        "open",
        "No answer: there is no result to judge.",
        "The rebuild ended before it could compare everything that has to be compared. This says nothing about the image.",
        (
            "Read the reason; the complete logs are in the folder `logs` beside this report.",
            "Run `teekit-verify doctor`, which says what this host lacks.",
            "Run the same command again: it continues where it can.",
        ),
    ),
}


def headline(report: RebuildReport) -> str:
    """The answer, with the number of registers that nobody knows the value of."""
    is_yes = report.verdict is Verdict.REPRODUCED
    count = len(report.checklist.open_registers) if report.checklist is not None and is_yes else 0
    more = f" {count} register{' is' if count == 1 else 's are'} open." if count else ""
    return WORDS[report.verdict].headline + more


def next_steps(report: RebuildReport) -> tuple[str, ...]:
    """As the verdict has them, but for what a statement cannot tell."""
    steps = WORDS[report.verdict].next_steps
    if report.verdict is not Verdict.REPRODUCED or report.may_be_stated:
        return steps
    return (
        "To stand by this result in public, publish this report: a statement cannot tell what is noted above.",
        *steps[1:],
    )


LIMITS = (
    (
        "Two builds on one host prove that the build repeats itself. They do not prove that the host is honest: a host that lies, "
        "lies twice. For that, several people have to rebuild independently, and say so."
    ),
    "This says nothing about what the source does. A back door in the source is reproduced like everything else.",
    (
        "The inputs are binary packages, as Debian's signed index lists them, or that of a repository which is named above. They are "
        "not rebuilt here."
    ),
    "Only the registers that are compared above are covered. Others, such as those of the firmware, are not.",
    "An image is not a machine. Only its hardware-signed quote says what a machine really booted.",
)
"""What a pass does not mean."""

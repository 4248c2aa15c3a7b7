"""A monitor of releases, their inputs, and what auditors say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.api.providing import release_subject
from teekit_verify.appraisal.statements.repository import LogRule
from teekit_verify.appraisal.statements.watched import Alarm, AlarmKind, status_of
from teekit_verify.rebuild import asked, inputs_archive
from teekit_verify.record.monitoring import MonitorRequest
from teekit_verify.record.monitoring import monitor as run_monitor
from teekit_verify.reference.signing.keys import load_trusted_keys
from teekit_verify.reference.signing.log_policy import load_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from teekit_verify.core.outcome import ExitStatus
    from teekit_verify.rebuild.provision import Provision

__all__ = ["Alarm", "AlarmKind", "alarm_status", "monitor"]


def monitor(
    bringing: Provision,
    statements: Path,
    on: date,
    *,
    references: Path | None = None,
    others: Sequence[Path] = (),
    inputs: Sequence[str] = (),
    trusted_keys: Path | None = None,
    threshold: int = 1,
    max_age_days: int | None = None,
    locks: bool = False,
    log_policy: Path | None = None,
    max_unlogged_days: int | None = None,
) -> Iterator[Alarm]:
    """Everything that is wrong with a repository of statements, with the releases, and with their inputs, as it is found. Uses the network.

    `references` is the folder of releases, None the checkout's. `inputs` are archives that should have all of them. `locks`: ask for every locked package
    where a rebuild would. A release should be stated reproduced by `threshold` owners of `trusted_keys` (a folder; None: of keys in the repository)
    when it is older than `max_age_days`; a statement should be in a log of `log_policy` (None: of the repository's) when it is older than
    `max_unlogged_days`. Raises TeekitError where there is nothing to look at.
    """
    request = MonitorRequest(
        statements,
        references or bringing.project.references / "releases",
        bringing.cache,
        on,
        others,
        inputs,
        None if trusted_keys is None else load_trusted_keys(trusted_keys),
        threshold,
        max_age_days,
        None if log_policy is None else LogRule(load_policy(log_policy)),
        max_unlogged_days,
    )

    def lost_files(release: str) -> Iterator[tuple[str, str, str]]:
        with release_subject(bringing, release, None, references) as subject:
            environment, image = inputs_archive.locks_of(subject)
            wanted = ((environment, environment.packages), (image, image.for_target(subject.target.key)))
            for locked, packages in wanted:
                for file, reason in asked.lost(subject.bringing.files(locked, packages), bringing.store):
                    yield file.name, str(file.digest), reason.value

    return run_monitor(request, lost_files if locks else None)


def alarm_status(alarms: Iterable[Alarm]) -> ExitStatus:
    """HOLDS without any; DOES_NOT_HOLD with one; NO_VERDICT where something could not be found out."""
    return status_of(alarms)

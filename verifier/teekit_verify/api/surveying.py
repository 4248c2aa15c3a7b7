"""Published releases and what auditors say of them: what the site is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.repository import LogRule
from teekit_verify.appraisal.statements.survey import Keys, survey
from teekit_verify.core.errors import TeekitError
from teekit_verify.reference.signing.keys import load_trusted_keys
from teekit_verify.reference.signing.log_policy import load_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from teekit_verify.appraisal.statements.survey import Surveyed
    from teekit_verify.reference.signing.keys import TrustedKey


@dataclass(frozen=True, slots=True)
class ReleaseSurvey:
    """`releases` can be gone through once; each is read when its turn comes. `folder` is that of the releases."""

    folder: Path
    auditors: tuple[TrustedKey, ...]
    releases: Iterator[Surveyed]


def survey_releases(
    references: Path,
    statements: Path | None,
    trusted_keys: Path,
    on: date,
    *,
    publisher_keys: Path | None = None,
    log_policy: Path | None = None,
    require_logged: bool = False,
) -> ReleaseSurvey:
    """Every release of `references` (or of `releases` in it), and how each statement in `statements` stands to it.

    `statements` is a repository of RELEASE/AUDITOR.intoto.jsonl. `trusted_keys` are the auditors' (a folder of OWNER.pem), good on the day
    `on`; `publisher_keys` also asks who signed the reference files. `log_policy` is for proofs of a log beside the statements, and with
    `require_logged` statements in no log do not count. Raises TeekitError for keys that cannot be read, and for a folder without
    releases.
    """
    folder = references / "releases" if (references / "releases").is_dir() else references
    if not any(folder.glob("*/release.json")):
        raise TeekitError(f"{folder}: has no releases (NAME/release.json)", hint="Name the folder `reference`.")
    auditors = load_trusted_keys(trusted_keys)
    publishers = None if publisher_keys is None else load_trusted_keys(publisher_keys)
    rule = LogRule(None if log_policy is None else load_policy(log_policy), require_logged)
    return ReleaseSurvey(folder, auditors, survey(folder, statements, Keys(auditors, publishers, on, rule)))

"""The page of the auditors: whose keys are trusted, what each stated, and what each says of itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.report.site import words
from teekit_verify.wording.statements import independence_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from teekit_verify.appraisal.statements.survey import SurveyedRelease
    from teekit_verify.reference.signing.keys import TrustedKey


@dataclass(slots=True)
class Auditor:
    """`keys` are (id, last day or None, whether that is past); `said` what it says of itself, each once."""

    owner: str
    keys: list[tuple[str, date | None, bool]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    stated: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many statements count for what: (accent, words) -> number."""


class Auditors:
    """Told of one release after the other."""

    def __init__(self, keys: Sequence[TrustedKey], on: date) -> None:
        self._by_owner: dict[str, Auditor] = {}
        for key in keys:
            auditor = self._by_owner.setdefault(key.owner, Auditor(key.owner))
            auditor.keys.append((key.id, key.expires, key.expired(on)))

    def take(self, release: SurveyedRelease) -> None:
        for entry in release.entries:
            if entry.statement is None:
                continue
            auditor, weight = self._by_owner[entry.owner], words.WEIGHTS[entry.weight]
            auditor.stated[weight.accent, weight.text] += 1
            line = independence_words(entry.statement.predicate.independence)
            if line and line not in auditor.said:
                auditor.said.append(line)

    def __iter__(self) -> Iterator[Auditor]:
        yield from (self._by_owner[owner] for owner in sorted(self._by_owner))

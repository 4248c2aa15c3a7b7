"""All files of the site, one release after the other. The same releases, statements and day give the same bytes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from teekit_verify.appraisal.rebuilt_inputs import SavedAnswers
from teekit_verify.appraisal.statements.survey import SurveyedRelease
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec
from teekit_verify.documents.fields import natural
from teekit_verify.documents.inputs import inputs_digest
from teekit_verify.reference.releases import SIGNATURE
from teekit_verify.report.html.page import templates
from teekit_verify.report.site import feed, views, words
from teekit_verify.report.site.auditors import Auditors
from teekit_verify.report.site.reports import reports_of
from teekit_verify.wording.packages import rebuilders_say
from teekit_verify.wording.statements import independence_words, packages_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from teekit_verify.appraisal.statements.survey import Surveyed
    from teekit_verify.reference.signing.keys import TrustedKey
    from teekit_verify.report.site.reports import Reports
    from teekit_verify.report.site.views import Summary, Told

MARK = ".teekit-verify-site"
"""The file by which a folder is known as one that may be replaced."""


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """`on` is the day that the site is made for. `address` is where it will stand, without a slash at its end, or empty.

    `releases` is the folder of releases, `reports` one of report folders (RELEASE/AUDITOR) or None. `rebuilders_said` is of the
    packages that went in.
    """

    on: date
    keys: Sequence[TrustedKey]
    releases: Path
    reports: Path | None = None
    address: str = ""
    rebuilders_said: SavedAnswers = field(default_factory=SavedAnswers)


class SitePages:
    """`files` makes them; what else is here is whole when they are all made."""

    def __init__(self, surveyed: Iterable[Surveyed], options: SiteOptions) -> None:
        self._surveyed, self._options = surveyed, options
        self._templates = templates()
        self._templates.filters.update(place=views.place, shell=shlex.quote)
        self._auditors = Auditors(options.keys, options.on)
        self._statuses: set[ExitStatus] = set()
        self.summaries: list[Summary] = []
        self.contradictions: list[Told] = []

    @property
    def status(self) -> ExitStatus:
        """NO_VERDICT if there is no release, or something cannot be read; DOES_NOT_HOLD if something contradicts or is not in order."""
        if not self.summaries or ExitStatus.NO_VERDICT in self._statuses:
            return ExitStatus.NO_VERDICT
        return ExitStatus.DOES_NOT_HOLD if ExitStatus.DOES_NOT_HOLD in self._statuses else ExitStatus.HOLDS

    def files(self) -> Iterator[tuple[str, bytes]]:
        """(path in the site, content). Raises TeekitError for what cannot be read as a whole."""
        for release in self._surveyed:
            if isinstance(release, SurveyedRelease):
                yield from self._release(release)
            else:
                self.summaries.append(views.damaged(release))
                self._statuses.add(ExitStatus.NO_VERDICT)
        newest = _newest_first(self.summaries)
        entries = feed.entries(newest, self.contradictions)
        yield "index.html", self._page("site_index.html.j2", "", releases=newest, told=self.contradictions)
        yield "auditors.html", self._page("site_auditors.html.j2", "", auditors=list(self._auditors))
        yield "feed.atom", self._page("site_feed.xml.j2", "", entries=entries, feed=feed)
        yield "style.css", self._templates.get_template("site.css.j2").render().encode()

    def _page(self, template: str, root: str, **more: Any) -> bytes:
        """`root` leads from the page to the site's own folder."""
        page = self._templates.get_template(template)
        return page.render(root=root, on=self._options.on, address=self._options.address, **more).encode()

    def _release(self, release: SurveyedRelease) -> Iterator[tuple[str, bytes]]:
        summary = views.summary(release, self._options.on)
        told = list(views.told(release))
        self.summaries.append(summary)
        self.contradictions += told
        self._statuses.add(release.status)
        self._auditors.take(release)
        reports = reports_of(release, self._options.reports)
        reference = self._reference(release)
        yield from reference
        yield from reports.pages
        for entry in release.entries:
            if entry.statement is not None:
                yield views.statement_file(release.known.name, entry), entry.data
            if entry.proof is not None:
                yield views.proof_file(release.known.name, entry), entry.proof[1]
        yield summary.page, self._release_page(release, summary, told, reports, dict(reference))

    def _reference(self, release: SurveyedRelease) -> list[tuple[str, bytes]]:
        """The reference file, byte for byte, and its signatures."""
        known = release.known
        path = self._options.releases / known.name / known.release.reference
        data = codec.read_bounded(path)
        if Digest.of(Algorithm.SHA256, data) != known.sha256:
            raise TeekitError(f"{path}: was changed while it was read", hint="Run it again.")
        name = f"references/{views.place(known.name)}.json"
        signature = path.with_name(path.name + SIGNATURE)
        if not known.has_signature_file or signature.is_symlink():
            return [(name, data)]
        return [(name, data), (name + SIGNATURE, codec.read_bounded(signature))]

    def _release_page(
        self,
        release: SurveyedRelease,
        summary: Summary,
        told: list[Told],
        reports: Reports,
        reference: dict[str, bytes],
    ) -> bytes:
        published = release.known.reference
        said = self._options.rebuilders_said.of(published.inputs.packages)
        return self._page(
            "site_release.html.j2",
            "../",
            release=release,
            known=release.known,
            said=release.known.release,
            summary=summary,
            lead=words.lead(release),
            told=told,
            statements=views.statement_views(release, frozenset(reports.auditors)),
            unfit=reports.unfit,
            independence=independence_words,
            published=published,
            platforms=list(views.platforms(published)),
            ignored=views.ignored(published),
            inputs_sha256=inputs_digest(published.inputs).hex,
            is_address=views.is_address,
            copies=list(reference),
            rebuilt=said,
            standing=rebuilders_say(said),
            packages_words=packages_words,
        )


def _newest_first(summaries: Sequence[Summary]) -> list[Summary]:
    """By day, those without one last; on one day by name, the higher version first."""
    named = sorted(summaries, key=lambda item: natural(item.name), reverse=True)
    return sorted(named, key=lambda item: 0 if item.released is None else item.released.toordinal(), reverse=True)

"""Whether a guest runs what it should: what it measured of what it was given, against what somebody wanted it to be given.

Rules. Only an image that measures before anything starts can be believed, and only the reference says that it is one. Of the log, nothing
but the contents count, under whichever register they stand: the value is computed from them, and has to be the quoted one. Then events must come in the order of the
format and end with the closing one, and each manifest, each app and the hostnames are compared by themselves, so that what differs is named.
Without a log, the value that the manifests lead to has to be the quoted one.
Non-rules: hostnames that nobody asked about are shown, not compared: they decide which names lead to the app, not which app it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.facts import (
    Because,
    Check,
    EventName,
    EventTextCheck,
    ForgedText,
    GivenCheck,
    GivenPart,
    RegisterCheck,
    RegisterSource,
    Why,
)
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import Outcome
from teekit_verify.prediction.given_apps import GivenApps, predict_contents
from teekit_verify.registers.measured import Measured, hashed_bytes, split_hashed
from teekit_verify.registers.replay import extend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register

_SHOWN = 200
_APP = re.compile(rb"(0|[1-9][0-9]?) [0-9a-f]{64}")
_ORDER = [kind.value for kind in Measured]
_ONCE = {Measured.HOSTNAMES.value, Measured.CLOSED.value}


@frozen
class Given:
    """What a guest measured, as its log tells it: contents of manifests and apps by their place, and the hostnames.

    `problem` is what is wrong with the order of the events, and `at` the event that shows it.
    """

    manifests: tuple[bytes, ...] = ()
    apps: tuple[bytes, ...] = ()
    hostnames: str | None = None
    problem: Why | None = None
    at: str = ""


def read_given(events: Sequence[Event]) -> Given:
    """The events of one register. Reads on behind what is wrong, so that all of it can be shown."""
    found: dict[str, list[bytes]] = {kind: [] for kind in _ORDER}
    problem, at, place = None, "", 0
    for event in events:
        kind, content = split_hashed(event.data) or ("", event.data)
        why = _out_of_place(kind, content, place, found)
        if why is not None and problem is None:
            problem, at = why, event.description
        if kind in found:
            place = max(place, _ORDER.index(kind))
            found[kind].append(content)
    if problem is None and not found[Measured.CLOSED.value]:
        problem = Why.NOT_CLOSED
    names = found[Measured.HOSTNAMES.value]
    return Given(
        tuple(found[Measured.MANIFEST.value]),
        tuple(found[Measured.APP.value]),
        names[0].decode("ascii", "replace") if names else None,
        problem,
        printable(at[:_SHOWN]),
    )


def _out_of_place(kind: str, content: bytes, place: int, found: dict[str, list[bytes]]) -> Why | None:
    if found[Measured.CLOSED.value]:
        return Why.AFTER_CLOSED
    if kind not in found:
        return Why.UNKNOWN_EVENT
    again = kind in _ONCE and bool(found[kind])
    early = kind == Measured.CLOSED.value and not found[Measured.HOSTNAMES.value]
    later = kind != Measured.APP.value or _comes_after(content, found[kind])
    return None if _ORDER.index(kind) >= place and not again and not early and later else Why.OUT_OF_ORDER


def _comes_after(content: bytes, before: Sequence[bytes]) -> bool:
    """An event for each kettle at most, by its number."""
    match, last = _APP.fullmatch(content), _APP.fullmatch(before[-1]) if before else None
    return match is not None and (not before or (last is not None and int(match[1]) > int(last[1])))


def appraise_given(
    register: Register,
    quoted: Digest | None,
    events: Sequence[Event] | None,
    wanted: Sequence[GivenApps],
    *,
    is_measured: bool,
) -> Checklist:
    """`quoted` is the value in evidence, None if it has none; `events` those of the guest's log, None without any. `wanted` are all
    that will do; `is_measured` is whether the reference says that the image measures.
    """
    if not is_measured:
        return _unchecked(Why.APPS_NOT_MEASURED)
    if quoted is None:
        return _unchecked(Why.APPS_NOT_QUOTED)
    if events is None:
        return _by_value(quoted, wanted)
    given = read_given(events)
    order = Check(GivenCheck(GivenPart.ORDER), Outcome.MATCH)
    if given.problem is not None:
        order = Check(GivenCheck(GivenPart.ORDER), Outcome.MISMATCH, "", given.at, Because(given.problem))
    checks = (*forged(events), leads_to(register, quoted, events), order)
    return Checklist(checks) + _closest(given, wanted)


def _unchecked(why: Why, found: str = "") -> Checklist:
    return Checklist((Check(GivenCheck(GivenPart.WHOLE), Outcome.NOT_CHECKED, found=found, reason=Because(why)),))


def _replayed(contents: Iterable[bytes], bank: Algorithm) -> Digest:
    value = Digest.zero(bank)
    for content in contents:
        value = extend(value, Digest.of(bank, content))
    return value


def leads_to(register: Register, quoted: Digest, events: Sequence[Event]) -> Check:
    """Whether the contents lead to the quoted value: what the log says of digests does not count."""
    found = _replayed((event.data for event in events), quoted.algorithm)
    subject = RegisterCheck("", register, source=RegisterSource.EVENT_LOG)
    if found == quoted:
        return Check(subject, Outcome.MATCH, quoted.hex, found.hex)
    return Check(subject, Outcome.MISMATCH, quoted.hex, found.hex, Because(Why.LOG_REPLAYS_OTHERWISE))


def forged(events: Sequence[Event]) -> Iterator[Check]:
    """A check that fails for each event whose digest is not that of its content."""
    for number, event in enumerate(events, start=1):
        if any(digest != Digest.of(digest.algorithm, event.data) for digest in event.digests):
            name = EventName(event.description, event.event_type)
            yield Check(EventTextCheck(event.register, number), Outcome.MISMATCH, reason=ForgedText(name))


def _by_value(quoted: Digest, wanted: Sequence[GivenApps]) -> Checklist:
    if not wanted:
        return _unchecked(Why.APPS_NOT_ASKED)
    for given in wanted:
        contents = [hashed_bytes(kind.value, content) for kind, content in predict_contents(given)]
        if _replayed(contents, quoted.algorithm) == quoted:
            return Checklist(tuple(_all_match(given)))
    if any(given.hostnames is None for given in wanted):
        return _unchecked(Why.NO_RUNTIME_LOG)
    reason = Because(Why.REGISTER_OTHERWISE)
    return Checklist((Check(GivenCheck(GivenPart.WHOLE), Outcome.MISMATCH, "", quoted.hex, reason),))


def _all_match(given: GivenApps) -> Iterator[Check]:
    for number, manifest in enumerate(given.manifests):
        sha256 = manifest.sha256.hex
        yield Check(GivenCheck(GivenPart.APP, number), Outcome.MATCH, sha256, sha256)


def _closest(given: Given, wanted: Sequence[GivenApps]) -> Checklist:
    if not wanted:
        return _unchecked(Why.APPS_NOT_ASKED, _shown(given))
    compared = [_compare(given, one) for one in wanted]
    return min(compared, key=lambda checklist: len(checklist.of(Outcome.MISMATCH)))


def _shown(given: Given) -> str:
    return "; ".join(f"app {_text(content)}" for content in given.apps) or "no app"


def _compare(given: Given, wanted: GivenApps) -> Checklist:
    expected_apps = [manifest.sha256.hex for manifest in wanted.manifests]
    manifests = _listed(
        GivenPart.MANIFEST,
        [manifest.content for manifest in wanted.manifests],
        list(given.manifests),
        (Why.OTHER_MANIFEST, Why.MANIFEST_ELSEWHERE),
    )
    asked = [f"{number} {sha256}".encode("ascii") for number, sha256 in enumerate(expected_apps)]
    return Checklist((*manifests, *_apps(asked, given.apps))) + _hostnames(given, wanted)


def _listed(part: GivenPart, wanted: list[bytes], found: list[bytes], whys: tuple[Why, Why]) -> Iterator[Check]:
    """Place by place; `whys`: it is another one, or one that was wanted in another place."""
    for number in range(max(len(wanted), len(found))):
        subject = GivenCheck(part, number)
        want, have = (items[number] if number < len(items) else None for items in (wanted, found))
        expected, seen = (_text(content) for content in (want, have))
        if want == have:
            yield Check(subject, Outcome.MATCH, expected, seen)
            continue
        other = whys[have in wanted] if want is not None else Why.GIVEN_TOO
        yield Check(subject, Outcome.MISMATCH, expected, seen, Because(Why.NOT_GIVEN if have is None else other))


def _apps(wanted: list[bytes], found: Sequence[bytes]) -> Iterator[Check]:
    """By the kettle that each is for. One that did not start has no event; two for one kettle are no order of ours."""
    by_kettle = {content.partition(b" ")[0]: content for content in found}
    extra = [content for content in found if content not in by_kettle.values()]
    sums = {content.partition(b" ")[2] for content in wanted}
    for number, want in enumerate(wanted):
        have = by_kettle.pop(b"%d" % number, None)
        expected, seen = _sum(want), _sum(have)
        if have == want:
            yield Check(GivenCheck(GivenPart.APP, number), Outcome.MATCH, expected, seen)
            continue
        why = Why.NOT_GIVEN if have is None else Why.APP_ELSEWHERE if have.partition(b" ")[2] in sums else Why.OTHER_APP
        yield Check(GivenCheck(GivenPart.APP, number), Outcome.MISMATCH, expected, seen, Because(why))
    for content in (*by_kettle.values(), *extra):
        yield Check(GivenCheck(GivenPart.APP), Outcome.MISMATCH, "", _text(content), Because(Why.GIVEN_TOO))


def _hostnames(given: Given, wanted: GivenApps) -> Checklist:
    subject, found = GivenCheck(GivenPart.HOSTNAMES), given.hostnames
    seen = printable(found[:_SHOWN]) if found else "none"
    if wanted.hostnames is None:
        reason = Because(Why.HOSTNAMES_NOT_ASKED)
        return Checklist((), (Check(subject, Outcome.NOT_CHECKED, found=seen, reason=reason),))
    names = ",".join(wanted.hostnames)
    if found == names:
        return Checklist((Check(subject, Outcome.MATCH, names or "none", seen),))
    return Checklist((Check(subject, Outcome.MISMATCH, names or "none", seen, Because(Why.OTHER_HOSTNAMES)),))


def _text(content: bytes | None) -> str:
    return "" if content is None else printable(" ".join(content.decode("utf-8", "replace").split())[:_SHOWN])


def _sum(content: bytes | None) -> str:
    return "" if content is None else _text(content.partition(b" ")[2])


def matched(checklist: Checklist, wanted: Sequence[GivenApps]) -> GivenApps | None:
    """Which of `wanted` the guest was shown to run: each app of it, with nothing against it and nothing left open."""
    about = [check for check in checklist.checks if isinstance(check.subject, GivenCheck)]
    apps = [check.found for check in about if check.subject == GivenCheck(GivenPart.APP, _number(check))]
    log = checklist.of(Outcome.MISMATCH)
    if not about or any(check.outcome is not Outcome.MATCH for check in about) or any(map(_is_of_log, log)):
        return None
    return next((it for it in wanted if [manifest.sha256.hex for manifest in it.manifests] == apps), None)


def _number(check: Check) -> int | None:
    return check.subject.number if isinstance(check.subject, GivenCheck) else None


def _is_of_log(check: Check) -> bool:
    """The log leads elsewhere, or has a forged text."""
    subject = check.subject
    of_register = isinstance(subject, RegisterCheck) and subject.source is RegisterSource.EVENT_LOG
    return of_register or isinstance(subject, EventTextCheck)

"""The sources of one file: which to ask next, for how long, and what each has said so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.core.download.faults import Fault, Missing, Reason, Refusal, RemoteFile
from teekit_verify.core.download.health import Health, source_of

if TYPE_CHECKING:
    from teekit_verify.core.download.patience import Patience

_TOO_LONG = 5.0  # seconds to wait for one source while there is another
_GRACE = 0.25  # seconds to wait for a source to show that it answers
_LOOK_AGAIN = 0.05
_MOST_PARTS = 100  # and one for each of
_PART_BYTES = 1 << 16


@dataclass(slots=True, eq=False)
class Try:
    """One source of the file. `setbacks`: how often it was silent or had other bytes (`wrong`), so that others go before it;
    `discarded`: a part from before was of no use; `due` is a time (monotonic seconds).
    """

    url: str
    source: str
    attempts: int = 0
    parts: int = 0
    due: float = 0.0
    setbacks: int = 0
    wrong: int = 0
    discarded: bool = False
    closed: bool = False
    refusal: Refusal | None = None


@dataclass(slots=True, eq=False)
class Job:
    """One file to be brought. `wanted_since` is when its first source was found crowded."""

    file: RemoteFile
    patience: Patience
    health: Health
    tries: list[Try] = field(default_factory=list)
    wanted_since: float | None = None

    @classmethod
    def of(cls, file: RemoteFile, patience: Patience, health: Health) -> Job:
        return cls(file, patience, health, [Try(url, source_of(url)) for url in dict.fromkeys(file.urls)])

    @property
    def missing(self) -> Missing:
        return Missing(self.file, tuple(one.refusal for one in self.tries if one.refusal is not None))

    def next(self, now: float) -> tuple[Try | None, float]:
        """The source to ask, and when: not before that time it should be asked for again. None when there is none left."""
        for one in self._open():
            if self.health.is_lost(one.source):
                self._close_lost(one)
        left = sorted(self._open(), key=lambda one: one.setbacks + self.health.rank(one.source))
        if not left:
            return None, now
        soon = [one for one in left if one.due <= now + _TOO_LONG] or [min(left, key=lambda one: one.due)]
        chosen = soon[0]
        if len(soon) > 1 and self.health.is_crowded(chosen.source):
            self.wanted_since = now if self.wanted_since is None else self.wanted_since
            free = [one for one in soon if not self.health.is_crowded(one.source)]
            if now < self.wanted_since + _GRACE or not free:
                return chosen, now + _LOOK_AGAIN
            chosen = free[0]
        return chosen, chosen.due

    def _open(self) -> list[Try]:
        return [one for one in self.tries if not one.closed]

    def _close_lost(self, one: Try) -> None:
        one.closed = True
        if one.refusal is None:
            fault = Fault(Reason.UNREACHABLE, "not asked: it failed again and again in this run", passing=True)
            one.refusal = Refusal.of(one.url, fault)

    def seconds_for(self, one: Try) -> float:
        """How long its silence is borne: briefly, where it usually answers sooner or there is another source to ask."""
        longest = self.health.longest_seconds(one.source)
        if longest is not None:
            return self.patience.known(longest, one.setbacks)
        others = any(not (other.setbacks or other.closed) for other in self.tries if other is not one)
        if one.setbacks:
            return self.patience.silence
        return self.patience.shortest if others else self.patience.brief

    def failed(self, one: Try, fault: Fault, *, grew: bool, discarded: bool, asked_seconds: float, now: float) -> None:
        """Take note of a fault. `grew` if a part came all the same; `discarded` if what there was before was of no use."""
        one.refusal = Refusal.of(one.url, fault)
        if fault.silent:
            self.health.is_silent(one.source, long=asked_seconds >= self.patience.silence)
            one.setbacks += 1
        if discarded and not one.discarded:
            one.discarded = True
            return
        if grew and not (fault.silent or fault.slow) and one.parts < _MOST_PARTS + self.file.size_bytes // _PART_BYTES:
            one.parts += 1
            return
        if fault.reason is Reason.OTHER_BYTES:
            one.wrong += 1
            one.setbacks += 1
        else:
            one.attempts += 1
        if not fault.passing or one.attempts >= self.patience.attempts or one.wrong >= self.patience.most_wrong:
            one.closed = True
            if fault.passing and fault.reason is Reason.UNREACHABLE:
                self.health.gives_up(one.source)
        failures = one.attempts + one.wrong
        one.due = now + self.patience.pause(failures, fault.wait_seconds, self.file.digest.value[0])

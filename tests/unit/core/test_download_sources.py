"""Which source is asked for a file, and for how long: what a run has learned about the sources, on a clock of the test's own."""

from __future__ import annotations

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import Patience, RemoteFile
from teekit_verify.core.download.faults import Fault, Reason
from teekit_verify.core.download.health import Health
from teekit_verify.core.download.sources import Job, Try

MIRROR, ARCHIVE = "http://mirror.example", "http://archive.example"
PATIENCE = Patience(attempts=5, silence=30.0, brief=10.0, shortest=1.5)
SILENT = Fault(Reason.UNREACHABLE, "timed out", passing=True, silent=True)
BUSY = Fault(Reason.UNREACHABLE, "HTTP 503", passing=True, status=503)
WRONG = Fault(Reason.OTHER_BYTES, "its bytes have another digest", passing=True)


def a_job(health: Health, *sources: str, name: str = "file") -> Job:
    file = RemoteFile(name, 4, Digest.of(Algorithm.SHA256, name.encode()), tuple(f"{one}/{name}" for one in sources))
    return Job.of(file, PATIENCE, health)


def asked(job: Job) -> Try:
    one, _ = job.next(1e6)
    assert one is not None
    return one


def fails(job: Job, fault: Fault) -> str:
    """The source that is asked next and fails so."""
    one = asked(job)
    job.failed(one, fault, grew=False, discarded=False, asked_seconds=job.seconds_for(one), now=0.0)
    return one.source


def gives(health: Health, source: str, files: int, seconds: float = 0.1) -> None:
    for _ in range(files):
        health.answers(source, seconds)
        health.finishes(source)


def patiences(health: Health, fault: Fault = SILENT) -> list[float]:
    job, found = a_job(health, MIRROR), []
    while (one := job.next(1e6)[0]) is not None:
        found.append(job.seconds_for(one))
        job.failed(one, fault, grew=False, discarded=False, asked_seconds=found[-1], now=0.0)
    return found


def test_a_lost_answer_of_a_source_that_gave_files_is_asked_for_again_soon() -> None:
    health = Health()
    gives(health, MIRROR, 1, 0.1)
    assert patiences(health) == [1.5, 4.5, 13.5, 30.0, 30.0]


def test_a_slow_source_is_given_its_time() -> None:
    slow, slower = Health(), Health()
    gives(slow, MIRROR, 1, 1.0)
    gives(slower, MIRROR, 1, 14.0)
    assert patiences(slow) == [8.0, 24.0, 30.0, 30.0, 30.0]
    assert patiences(slower) == [28.0, 30.0, 30.0, 30.0, 30.0]


def test_a_source_that_gave_nothing_yet_is_given_all_the_time_in_the_end() -> None:
    assert patiences(Health()) == [10.0, 30.0, 30.0, 30.0, 30.0]
    job = a_job(Health(), ARCHIVE, MIRROR)
    assert job.seconds_for(asked(job)) == 1.5  # there is another one


def test_a_source_that_gave_files_goes_before_one_that_hangs() -> None:
    """Both were silent twice. What the good one lost is asked of it again, and not of the one that hangs."""
    health = Health()
    first, second = (a_job(health, ARCHIVE, MIRROR, name=name) for name in "ab")
    assert [fails(job, SILENT) for job in (first, second)] == [ARCHIVE, ARCHIVE]
    gives(health, MIRROR, 1)
    assert [fails(a_job(health, ARCHIVE, MIRROR, name=name), SILENT) for name in "cd"] == [MIRROR, MIRROR]
    job = a_job(health, ARCHIVE, MIRROR, name="e")
    assert [fails(job, SILENT) for _ in range(3)] == [MIRROR, MIRROR, ARCHIVE]


def test_a_fresh_source_goes_before_one_that_was_silent() -> None:
    health = Health()
    gives(health, MIRROR, 1)
    job = a_job(health, MIRROR, ARCHIVE)
    assert [fails(job, SILENT), fails(job, SILENT)] == [MIRROR, ARCHIVE]


def test_who_gives_many_files_may_be_silent_now_and_then() -> None:
    health = Health()
    gives(health, MIRROR, 40)
    for _ in range(3):
        health.is_silent(MIRROR, long=False)
    assert health.rank(MIRROR) == 0
    health.is_silent(MIRROR, long=False)
    assert health.rank(MIRROR) > 0


def test_other_bytes_do_not_use_up_the_attempts_nor_other_faults_those_of_other_bytes() -> None:
    """At 2 % of faults some file meets one of each."""
    job = a_job(Health(), MIRROR)
    for fault in (BUSY, WRONG, BUSY, WRONG, BUSY, BUSY):
        assert fails(job, fault) == MIRROR
    assert job.next(1e6)[0] is not None
    fails(job, BUSY)
    assert job.next(1e6)[0] is None
    job = a_job(Health(), MIRROR)
    assert [fails(job, WRONG) for _ in range(3)] == [MIRROR] * 3
    assert job.next(1e6)[0] is None

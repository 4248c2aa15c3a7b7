"""Calls on other threads: what they give, what they raise, and that nothing runs any more afterwards."""

from __future__ import annotations

import threading

import pytest

from teekit_verify.core.beside import Beside, on_threads


def test_a_call_gives_its_result_and_has_a_thread_of_its_own() -> None:
    with Beside(threading.get_ident) as beside:
        assert beside.result() != threading.get_ident()
        assert beside.result() == beside.result()


def test_a_call_raises_where_its_result_is_asked_for() -> None:
    with Beside(lambda: int("no number")) as beside, pytest.raises(ValueError, match="no number"):
        beside.result()


def test_the_end_of_the_block_waits_for_the_call_whatever_ended_it() -> None:
    may_end, ended = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait()
        ended.set()

    def fail() -> None:
        may_end.set()
        raise KeyError

    with pytest.raises(KeyError), Beside(work):
        fail()
    assert ended.is_set()


def test_results_come_in_the_order_of_their_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            first_may_end.wait()
        if number == 99:
            first_may_end.set()  # the first job ends last
        return number * number

    assert on_threads(work, range(100)) == [number * number for number in range(100)]


@pytest.mark.parametrize("processors", [None, 1, 3])
def test_any_number_of_processors_will_do(monkeypatch: pytest.MonkeyPatch, processors: int | None) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    assert on_threads(str, []) == []
    assert on_threads(str, [1]) == ["1"]
    assert on_threads(lambda job: job, [None, False]) == [None, False]


@pytest.mark.parametrize("bad", [0, 1, 19])
def test_what_one_job_raises_is_raised_when_none_runs_any_more(monkeypatch: pytest.MonkeyPatch, bad: int) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    before = threading.active_count()

    def work(number: int) -> int:
        if number == bad:
            raise ValueError(f"job {number}")
        return number

    with pytest.raises(ValueError, match=f"job {bad}"):
        on_threads(work, range(20))
    assert threading.active_count() == before

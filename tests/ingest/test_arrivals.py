"""Bodies that arrive while others are worked on are worked on together, and every sender gets an answer."""

import gc
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from penstock.errors import BadInputError
from penstock.ingest.arrivals import MOST_BYTES, Arrival, Arrivals, when_all_done

_WAIT_S = 30


class Worker:
    """Holds the first batch until it is let go, so that others gather."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.began = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, arrivals: Sequence[Arrival[int]]) -> None:
        self.batches.append([arrival.body for arrival in arrivals])
        self.began.set()
        self.go_on.wait(_WAIT_S)
        for arrival in arrivals:
            arrival.answer.set_result(len(arrival.body))


def test_what_arrives_meanwhile_is_worked_on_together() -> None:
    worker = Worker()
    arrivals = Arrivals(worker)
    first = arrivals.put(b"a")
    assert worker.began.wait(_WAIT_S)
    others = [arrivals.put(b"b" * size) for size in (2, 3, 4)]
    worker.go_on.set()
    assert [future.result(_WAIT_S) for future in (first, *others)] == [1, 2, 3, 4]
    assert worker.batches == [[b"a"], [b"bb", b"bbb", b"bbbb"]]
    arrivals.close(_WAIT_S)


def test_a_long_body_is_followed_by_no_other() -> None:
    worker = Worker()
    arrivals = Arrivals(worker)
    arrivals.put(b"a")
    assert worker.began.wait(_WAIT_S)
    long = bytes(MOST_BYTES)
    last = [arrivals.put(body) for body in (long, b"b", b"c")][-1]
    worker.go_on.set()
    last.result(_WAIT_S)
    assert worker.batches == [[b"a"], [long], [b"b", b"c"]]
    arrivals.close(_WAIT_S)


def test_closing_works_on_what_waits() -> None:
    worker = Worker()
    arrivals = Arrivals(worker)
    waiting = [arrivals.put(b"a"), arrivals.put(b"b")]
    worker.go_on.set()
    arrivals.close(_WAIT_S)
    assert all(future.done() for future in waiting)


def test_an_error_is_the_answer_of_that_batch_and_of_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def work(batch: Sequence[Arrival[int]]) -> None:
        if batch[0].body == b"bad":
            raise RuntimeError("no")
        batch[0].answer.set_result(1)

    arrivals = Arrivals(work)
    with pytest.raises(RuntimeError, match="no"):
        arrivals.put(b"bad").result(_WAIT_S)
    assert arrivals.put(b"good").result(_WAIT_S) == 1
    assert "were not taken" in caplog.text
    arrivals.close(_WAIT_S)


def test_the_first_failure_of_several_is_told_once_all_are_done() -> None:
    told: list[BaseException | None] = []
    futures: list[Future[None]] = [Future() for _ in range(3)]
    when_all_done(futures, told.append)
    futures[2].set_result(None)
    futures[0].set_exception(BadInputError("no"))
    assert told == []
    futures[1].set_result(None)
    assert [str(failure) for failure in told] == ["no"]


def test_nothing_to_wait_for_is_done_at_once() -> None:
    told: list[BaseException | None] = []
    when_all_done([], told.append)
    assert told == [None]


class Waiting:
    def tell(self, _: BaseException | None) -> None:
        pass


def test_who_waited_is_let_go_of_without_a_collection() -> None:
    waiting, future = Waiting(), Future[None]()
    seen = weakref.ref(waiting)
    gc.disable()
    try:
        when_all_done([future], waiting.tell)
        future.set_result(None)
        del waiting, future
        assert seen() is None
    finally:
        gc.enable()

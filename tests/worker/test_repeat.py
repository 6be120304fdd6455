"""A step that fails is tried again."""

import threading

from penstock.errors import StorageError
from penstock.worker.repeat import Repeat


def test_a_step_that_fails_says_why_once_and_is_tried_again(caplog):
    tried: list[int] = []
    recovered = threading.Event()

    def step():
        tried.append(1)
        if len(tried) <= 3:
            raise StorageError("the lake is away")
        recovered.set()

    repeat = Repeat("Settling", step, 0.01)
    repeat.start()
    assert recovered.wait(30.0)
    repeat.stop()
    assert repeat.failure is None
    assert [record.getMessage() for record in caplog.records] == ["Settling failed: the lake is away"]


def test_a_step_under_way_is_ended_before_the_stop():
    begun, ended = threading.Event(), threading.Event()

    def step():
        begun.set()
        assert not stopped.wait(0.2)
        ended.set()

    stopped = threading.Event()
    repeat = Repeat("Settling", step, 60.0)
    repeat.start()
    assert begun.wait(30.0)
    repeat.stop()
    assert ended.is_set()


def test_what_costs_much_is_done_seldom_and_what_must_keep_up_is_not_held_up():
    seldom, keeping_up = Repeat("Reading", lambda: None, 2.0), Repeat("Settling", lambda: None, 2.0, rest=0.0)
    assert [seldom.pause_s(took_s) for took_s in (0.5, 1.0, 30.0)] == [1.5, 1.0, 30.0]
    assert [keeping_up.pause_s(took_s) for took_s in (0.5, 1.0, 30.0)] == [1.5, 1.0, 0.0]


def test_a_step_that_fails_waits_for_the_whole_interval():
    repeat = Repeat("Settling", lambda: None, 2.0, rest=0.0)
    repeat.failure = "the lake is away"
    assert repeat.pause_s(30.0) == 2.0

"""Who goes first."""

import math
import multiprocessing
import threading
import time

from penstock.worker.precedence import Precedence


def _settle(precedence, begun, end):
    with precedence.settling():
        begun.set()
        end.wait(60)


def waits(precedence, seconds):
    """Whether whoever gives way still waits after so long, and the thread that does."""
    thread = threading.Thread(target=precedence.give_way, daemon=True)
    thread.start()
    thread.join(seconds)
    return thread.is_alive(), thread


def test_while_nothing_settles_nobody_waits():
    precedence = Precedence(long_s=0.0, most_s=math.inf)
    precedence.give_way()
    with precedence.settling():
        pass
    precedence.give_way()


def test_a_settling_that_is_quick_is_not_waited_for():
    precedence = Precedence(long_s=60.0, most_s=math.inf)
    with precedence.settling():
        precedence.give_way()


def test_one_that_takes_long_in_another_process_is_waited_for_until_it_ends():
    context = multiprocessing.get_context("spawn")
    precedence, begun, end = Precedence(long_s=0.01, most_s=math.inf), context.Event(), context.Event()
    process = context.Process(target=_settle, args=(precedence, begun, end))
    process.start()
    assert begun.wait(60)
    time.sleep(0.05)
    does, thread = waits(precedence, 0.3)
    assert does
    end.set()
    thread.join(60)
    assert not thread.is_alive()
    process.join(60)


def test_one_that_never_ends_is_not_waited_for_for_ever():
    precedence = Precedence(long_s=0.0, most_s=0.2)
    with precedence.settling():
        time.sleep(0.01)
        does, thread = waits(precedence, 0.0)
        assert does
        thread.join(60)
        assert not thread.is_alive()


def test_a_settling_that_fails_is_over():
    precedence = Precedence(long_s=0.0, most_s=math.inf)
    try:
        with precedence.settling():
            raise ValueError
    except ValueError:
        precedence.give_way()

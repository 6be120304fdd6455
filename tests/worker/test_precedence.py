"""Reading waits for settling where that is behind, and for nothing else."""

import threading

from penstock.worker.precedence import BEHIND_S, Precedence

A_TEST_S = 30.0


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


def waiting(precedence: Precedence) -> threading.Thread:
    thread = threading.Thread(target=precedence.give_way, daemon=True)
    thread.start()
    thread.join(0.05)
    return thread


def fall_behind(precedence: Precedence, clock: Hands) -> None:
    with precedence.settling():
        clock.time_s += BEHIND_S + 1
    assert precedence.is_behind()


def test_nobody_waits_before_anything_was_settled_and_while_it_keeps_up():
    clock = Hands()
    precedence = Precedence(A_TEST_S, clock)
    clock.time_s += 1000.0
    precedence.give_way()
    with precedence.settling():
        clock.time_s += BEHIND_S
        precedence.give_way()
    precedence.give_way()


def test_a_long_round_makes_others_wait_until_one_has_caught_up():
    clock = Hands()
    precedence = Precedence(A_TEST_S, clock)
    fall_behind(precedence, clock)
    reading = waiting(precedence)
    assert reading.is_alive()
    with precedence.settling():
        clock.time_s += 1.0
    reading.join(A_TEST_S)
    assert not reading.is_alive()


def test_a_round_that_fails_settles_nothing():
    clock = Hands()
    precedence = Precedence(A_TEST_S, clock)
    fall_behind(precedence, clock)
    try:
        with precedence.settling():
            raise RuntimeError
    except RuntimeError:
        pass
    assert precedence.is_behind()


def test_under_a_load_that_lasts_a_step_goes_on_after_a_while():
    clock = Hands()
    precedence = Precedence(0.01, clock)
    fall_behind(precedence, clock)
    precedence.give_way()
    assert precedence.is_behind()


def test_who_is_in_a_hurry_frees_those_who_wait_and_keeps_others_from_it():
    clock = Hands()
    precedence = Precedence(A_TEST_S, clock)
    fall_behind(precedence, clock)
    reading = waiting(precedence)
    assert reading.is_alive()
    with precedence.hurried():
        reading.join(A_TEST_S)
        assert not reading.is_alive()
        precedence.give_way()
    assert waiting(precedence).is_alive()
    precedence.hurry()
    precedence.give_way()

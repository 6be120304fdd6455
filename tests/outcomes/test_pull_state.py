"""The state of a pull survives a kill between any two writes."""

import pytest

from penstock.errors import ConflictError, StorageError
from penstock.outcomes.pull_state import PullState, StateFile


@pytest.fixture
def file(home):
    return StateFile(home, "desk")


def test_what_is_saved_is_loaded_with_what_is_pending(file):
    assert file.load() == PullState()
    state = PullState(number=3, watermark="w", pending=PullState(number=4, unreadable={"why": 1}))
    file.save(state)
    assert file.load() == state


def test_a_damaged_state_is_told_with_what_to_do(file):
    file.save(PullState())
    file.path.write_bytes(b"{")
    with pytest.raises(StorageError, match="Delete it"):
        file.load()


def test_seen_rows_that_no_state_counts_are_forgotten(file):
    number, size = file.add_seen(PullState(), ["a", "b"], is_more=False)
    state = PullState(seen_number=number, seen_bytes=size)
    file.add_seen(state, ["never committed"], is_more=True)
    assert file.load_seen(state) == {"a", "b"}
    more = dict(zip(("seen_number", "seen_bytes"), file.add_seen(state, ["c"], is_more=True), strict=True))
    assert file.load_seen(PullState(**more)) == {"a", "b", "c"}


def test_rows_at_a_new_watermark_begin_a_new_file_and_the_old_one_stays_until_it_may_go(file, home):
    first = PullState(**dict(zip(("seen_number", "seen_bytes"), file.add_seen(PullState(), ["a"], is_more=False), strict=True)))
    second = PullState(**dict(zip(("seen_number", "seen_bytes"), file.add_seen(first, ["b"], is_more=False), strict=True)))
    assert (file.load_seen(first), file.load_seen(second)) == ({"a"}, {"b"})
    file.forget_seen(second.seen_number)
    assert len(list((home / "pulls").glob("*.seen"))) == 1
    assert file.load_seen(second) == {"b"}


def test_only_one_process_pulls_a_source(file, home):
    with file.alone(), pytest.raises(ConflictError, match="pulling desk"), StateFile(home, "desk").alone():
        pass
    with file.alone(), StateFile(home, "other").alone():
        pass

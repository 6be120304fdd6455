"""The queue before another backend: bounded, durable, adopted, and never in the way."""

import shutil
from pathlib import Path

import pyarrow as pa

from penstock.ingest.forward_queue import ForwardQueue
from penstock.ingest.spool import adopt_as, create_as
from tests.ingest.spooled import PLENTY, span_rows


def size_of_one(home: Path) -> int:
    queue = create_as(ForwardQueue, home / "measured", PLENTY)
    queue.offer("spans", span_rows([0])).result(10)
    size = queue.size_bytes
    queue.close()
    return size


def waiting(queue: ForwardQueue) -> list[str]:
    """The prompts that wait, in order."""
    found: list[str] = []
    while (batch := queue.claim(1)) is not None:
        for body in queue.bodies(batch):
            found += pa.ipc.open_stream(body.batch).read_all().column("prompt_text").to_pylist()
        queue.finish(batch)
    return found


def test_what_is_offered_waits_until_it_is_taken_and_outlives_its_process(home: Path) -> None:
    queue = create_as(ForwardQueue, home / "queue", PLENTY)
    for number in range(3):
        queue.offer("spans", span_rows([number])).result(10)
    queue.close()
    (adopted,) = adopt_as(ForwardQueue, home / "queue", PLENTY)
    assert isinstance(adopted, ForwardQueue)
    assert waiting(adopted) == ["question 0", "question 1", "question 2"]
    adopted.close()


def test_a_full_queue_gives_up_what_is_oldest_and_counts_it(home: Path) -> None:
    one = size_of_one(home)
    queue = create_as(ForwardQueue, home / "queue", 5 * one + one // 2)
    for number in range(23):
        queue.offer("spans", span_rows([number])).result(10)
        assert queue.size_bytes <= queue.max_bytes
    assert queue.dropped_rows == 18
    assert waiting(queue) == [f"question {number}" for number in range(18, 23)]
    assert queue.size_bytes == 0
    queue.close()


def test_what_is_being_sent_may_be_given_up_and_the_size_stays_right(home: Path) -> None:
    one = size_of_one(home)
    queue = create_as(ForwardQueue, home / "queue", 5 * one)
    for number in range(4):
        queue.offer("spans", span_rows([number])).result(10)
    batch = queue.claim(4)
    assert batch is not None
    for number in range(4, 9):
        queue.offer("spans", span_rows([number])).result(10)
    queue.finish(batch)
    assert waiting(queue) == [f"question {number}" for number in range(4, 9)]
    assert queue.size_bytes == 0
    queue.close()


def test_many_at_once_leave_the_newest(home: Path) -> None:
    one = size_of_one(home)
    queue = create_as(ForwardQueue, home / "queue", 50 * one)
    for offered in [queue.offer("spans", span_rows([number])) for number in range(500)]:
        offered.result(10)
    left = waiting(queue)
    assert left == [f"question {number}" for number in range(500 - len(left), 500)] and 0 < len(left) <= 50
    assert queue.dropped_rows + len(left) == 500
    queue.close()


def test_what_fits_no_queue_is_counted_and_fails_nothing(home: Path) -> None:
    queue = create_as(ForwardQueue, home / "queue", 100)
    queue.offer("spans", span_rows([1, 2])).result(10)
    assert (queue.dropped_rows, queue.size_bytes) == (2, 0)
    queue.close()
    queue.offer("spans", span_rows([1])).result(10)
    assert queue.dropped_rows == 3


def test_what_was_given_up_stays_given_up_in_the_next_process(home: Path) -> None:
    one = size_of_one(home)
    queue = create_as(ForwardQueue, home / "queue", 3 * one)
    for number in range(5):
        queue.offer("spans", span_rows([number])).result(10)
    queue.close()
    (adopted,) = adopt_as(ForwardQueue, home / "queue", PLENTY)
    assert waiting(adopted) == ["question 2", "question 3", "question 4"]
    adopted.close()


def test_a_queue_that_cannot_be_written_fails_nothing(home: Path) -> None:
    queue = create_as(ForwardQueue, home / "queue", PLENTY)
    shutil.rmtree(home / "queue")
    queue.offer("spans", span_rows([1])).result(10)
    assert (queue.dropped_rows, queue.size_bytes) == (1, 0)

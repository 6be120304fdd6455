"""The gate between many writers and one that must be alone, across processes, of a lake on a disk and of one on S3."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.lake.leased_gate import LeasedGate
from penstock.lake.place import Gate, Place
from penstock.lake.s3_place import S3Place
from penstock.lake.writers_gate import WritersGate
from tests.waiting import wait_for

_LEASE_S = 3.0


def _gate(root: Place) -> Gate:
    """The gate of a lake that is there; on S3 with leases that a test can outwait."""
    root.make_folder()
    return LeasedGate(root, _LEASE_S) if isinstance(root, S3Place) else root.writers_gate()


def _hold_alone(root: Place, holding: Event, release: Event) -> None:
    with _gate(root).alone():
        holding.set()
        release.wait(30)


def _keep_writing(root: Place, started: Event, stop: Event) -> None:
    gate = _gate(root)
    while not stop.is_set():
        with gate.shared():
            started.set()
            time.sleep(0.05)


def _write_once(root: Place, done: Event) -> None:
    with _gate(root).shared():
        done.set()


def test_writers_hold_it_together(root: Place) -> None:
    first, second = _gate(root), _gate(root)
    with first.shared(), first.shared(), second.shared():
        assert not first.is_alone


def test_a_writer_waits_for_the_one_who_is_alone(root: Place) -> None:
    context = multiprocessing.get_context("spawn")
    holding, release, done = context.Event(), context.Event(), context.Event()
    holder = context.Process(target=_hold_alone, args=(root, holding, release))
    holder.start()
    assert holding.wait(30)
    writer = context.Process(target=_write_once, args=(root, done))
    writer.start()
    assert not done.wait(2.0)
    release.set()
    assert done.wait(30)
    for process in (holder, writer):
        process.join()


def test_who_holds_it_sees_that_somebody_waits_to_be_alone(root: Place) -> None:
    context = multiprocessing.get_context("spawn")
    holding, release = context.Event(), context.Event()
    gate = _gate(root)
    waiting = context.Process(target=_hold_alone, args=(root, holding, release))
    with gate.shared():
        assert not gate.is_wanted()
        waiting.start()
        wait_for(gate.is_wanted)
        assert not holding.is_set()
    assert holding.wait(30)
    release.set()
    waiting.join()
    assert not gate.is_wanted()


def test_a_steady_stream_of_writers_cannot_keep_it_from_being_alone(root: Place) -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    started = [context.Event(), context.Event()]
    writers = [context.Process(target=_keep_writing, args=(root, event, stop)) for event in started]
    for writer in writers:
        writer.start()
    assert all(event.wait(30) for event in started)
    gate = _gate(root)
    with gate.alone():
        assert gate.is_alone
    stop.set()
    for writer in writers:
        writer.join()


def test_a_holder_that_is_killed_lets_go(root: Place) -> None:
    context = multiprocessing.get_context("spawn")
    holding, never = context.Event(), context.Event()
    holder = context.Process(target=_hold_alone, args=(root, holding, never))
    holder.start()
    assert holding.wait(30)
    holder.kill()
    with _gate(root).shared():
        pass
    holder.join()


def test_a_writer_that_is_not_alone_cannot_become_so_from_within(root: Place) -> None:
    gate = _gate(root)
    with gate.shared(), pytest.raises(RuntimeError), gate.alone():
        pass


def test_a_lake_that_is_away_is_not_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="open the lake"), WritersGate(tmp_path / "away").shared():
        pass
    assert not (tmp_path / "away").exists()


def test_a_writer_that_is_killed_does_not_keep_it_from_being_alone(root: Place) -> None:
    context = multiprocessing.get_context("spawn")
    started, never = context.Event(), context.Event()
    writer = context.Process(target=_write_for_long, args=(root, started, never))
    writer.start()
    assert started.wait(30)
    writer.kill()
    writer.join()
    with _gate(root).alone():
        pass


def _write_for_long(root: Place, started: Event, never: Event) -> None:
    with _gate(root).shared():
        started.set()
        never.wait(60)


def test_a_hold_longer_than_a_lease_is_kept(root: Place) -> None:
    first, second = _gate(root), _gate(root)
    with first.alone():
        entered = ThreadPoolExecutor(1).submit(_enter_at, second)
        time.sleep(1.6 * _LEASE_S)
        assert first.is_alone and not entered.done()
        left = time.monotonic()
    assert entered.result(30) >= left


def _enter_at(gate: Gate) -> float:
    with gate.shared():
        return time.monotonic()

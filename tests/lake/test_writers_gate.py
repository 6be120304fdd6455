"""The gate between many writers and one that must be alone, across processes."""

import multiprocessing
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.lake.writers_gate import WritersGate


def _hold_alone(root: Path, holding: Event, release: Event) -> None:
    with WritersGate(root).alone():
        holding.set()
        release.wait(30)


def _keep_writing(root: Path, started: Event, stop: Event) -> None:
    gate = WritersGate(root)
    while not stop.is_set():
        with gate.shared():
            started.set()
            time.sleep(0.05)


def _write_once(root: Path, done: Event) -> None:
    with WritersGate(root).shared():
        done.set()


def test_writers_hold_it_together(tmp_path: Path) -> None:
    first, second = WritersGate(tmp_path), WritersGate(tmp_path)
    with first.shared(), first.shared(), second.shared():
        assert not first.is_alone


def test_a_writer_waits_for_the_one_who_is_alone(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    holding, release, done = context.Event(), context.Event(), context.Event()
    holder = context.Process(target=_hold_alone, args=(tmp_path, holding, release))
    holder.start()
    assert holding.wait(30)
    writer = context.Process(target=_write_once, args=(tmp_path, done))
    writer.start()
    assert not done.wait(2.0)
    release.set()
    assert done.wait(30)
    for process in (holder, writer):
        process.join()


def test_a_steady_stream_of_writers_cannot_keep_it_from_being_alone(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    started = [context.Event(), context.Event()]
    writers = [context.Process(target=_keep_writing, args=(tmp_path, event, stop)) for event in started]
    for writer in writers:
        writer.start()
    assert all(event.wait(30) for event in started)
    gate = WritersGate(tmp_path)
    with gate.alone():
        assert gate.is_alone
    stop.set()
    for writer in writers:
        writer.join()


def test_a_holder_that_is_killed_lets_go(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    holding, never = context.Event(), context.Event()
    holder = context.Process(target=_hold_alone, args=(tmp_path, holding, never))
    holder.start()
    assert holding.wait(30)
    holder.kill()
    with WritersGate(tmp_path).shared():
        pass
    holder.join()


def test_a_writer_that_is_not_alone_cannot_become_so_from_within(tmp_path: Path) -> None:
    gate = WritersGate(tmp_path)
    with gate.shared(), pytest.raises(RuntimeError), gate.alone():
        pass


def test_a_lake_that_is_away_is_not_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="open the lake"), WritersGate(tmp_path / "away").shared():
        pass
    assert not (tmp_path / "away").exists()

"""Refreshing settles, signals and labels under a lease."""

import threading
from datetime import timedelta

import msgspec
import pytest

from penstock.app import Penstock
from penstock.policy_settings import SamplePolicySettings, SampleSettings
from penstock.records.clock import utc_now
from penstock.signals.run import Run
from penstock.worker import stages
from penstock.worker.leased_lake import LEASE
from penstock.worker.reading import Reading
from penstock.worker.refresh import Refresher
from penstock.worker.stages import Stages
from tests.rows import make_feedback, make_span, trace
from tests.waiting import wait_for


@pytest.fixture
def lake(empty_lake):
    return empty_lake


@pytest.fixture
def reading(lake, settings):
    return Reading(Penstock(settings), "one")


@pytest.fixture
def refresher(lake, settings, reading):
    return Refresher(Penstock(settings), "one", reading)


def arrive(lake):
    """A suggestion and the report that it was accepted."""
    span = make_span(trace(1), "s", request_id="q_1", response_text="ab", content_present=True)
    lake.append("spans", [span])
    lake.append("feedback", [make_feedback("acceptance", "request", "q_1", value=1.0)])


def test_a_span_and_a_report_become_an_interaction_a_signal_and_labels(lake, refresher):
    arrive(lake)
    assert refresher.refresh()
    assert lake.current("interactions").count().to_pyarrow().as_py() == 1
    assert lake.current("signals").count().to_pyarrow().as_py() == 1
    labels = {label.dimension: label.value for label in lake.to_records("labels", lake.current("labels"))}
    assert labels == {"kept": 1.0, "reward": 0.75}


def test_refreshing_again_adds_nothing(lake, refresher):
    arrive(lake)
    refresher.refresh()
    versions = {table: lake.version(table) for table in ("interactions", "signals", "labels")}
    refresher.refresh()
    assert {table: lake.version(table) for table in versions} == versions


def test_while_another_process_holds_the_lease_nothing_is_settled(lake, registry, refresher):
    arrive(lake)
    registry.leases.acquire(LEASE, "another", 60.0, utc_now())
    assert not refresher.refresh()
    assert lake.current("interactions").count().to_pyarrow().as_py() == 0
    registry.leases.release(LEASE, "another")
    assert refresher.refresh()


def test_a_lease_given_back_is_free_for_another(registry, refresher):
    refresher.refresh()
    refresher.release()
    assert registry.leases.acquire(LEASE, "another", 60.0, utc_now())


def test_settling_alone_leaves_signals_to_the_reader(lake, refresher, reading):
    arrive(lake)
    assert refresher.settle()
    assert lake.current("interactions").count().to_pyarrow().as_py() == 1
    assert lake.current("signals").count().to_pyarrow().as_py() == 0
    assert not refresher.is_fresh(60.0)
    assert reading.read()
    assert lake.current("signals").count().to_pyarrow().as_py() == 1
    assert refresher.is_fresh(60.0)


def test_settling_goes_on_while_signals_are_being_read(lake, refresher, reading, monkeypatch):
    arrive(lake)
    begun, settled = threading.Event(), threading.Event()

    def read_slowly(_stages, _lake):
        begun.set()
        assert settled.wait(30.0)

    monkeypatch.setattr(Stages, "read", read_slowly)
    thread = threading.Thread(target=reading.read)
    thread.start()
    assert begun.wait(30.0)
    assert refresher.settle()
    settled.set()
    thread.join(30.0)
    assert lake.current("interactions").count().to_pyarrow().as_py() == 1


def test_maintenance_takes_the_text_of_what_settling_sampled_out(lake, settings, monkeypatch):
    rules = SampleSettings(sampling_percentage=0.000001, policies=[SamplePolicySettings(name="e", status_codes=["ERROR"])])
    policy = msgspec.structs.replace(settings.policy, sample=rules)
    stores = Penstock(msgspec.structs.replace(settings, policy=policy))
    reading, now = Reading(stores, "one"), utc_now()
    times = {"started_at": now, "ended_at": now, "known_at": now}
    lake.append("spans", [make_span(trace(1), "s", request_id="q_1", response_text="ab", content_present=True, **times)])
    Refresher(stores, "one", reading).settle()
    monkeypatch.setattr(stages, "utc_now", lambda: now + timedelta(hours=25))
    assert reading.maintain()
    (span,) = lake.to_records("spans", lake.current("spans"))
    assert (span.response_text, span.content_sampled, span.request_id) == (None, False, "q_1")


def test_reading_lets_an_erasure_in_between_its_pieces_and_goes_on(lake, settings, refresher, reading, monkeypatch):
    erasing = Penstock(settings).lake
    is_alone, let_go = threading.Event(), threading.Event()

    def erase():
        with erasing.alone():
            is_alone.set()
            assert let_go.wait(30.0)

    for number in (1, 2):
        lake.append("spans", [make_span(trace(number), "s", request_id=f"q_{number}", response_text="ab", content_present=True)])
        lake.append("feedback", [make_feedback("acceptance", "request", f"q_{number}", value=1.0)])
        assert refresher.settle()
    thread = threading.Thread(target=erase)
    read_changes, pieces = Run.read_changes, []

    def read_one(run, _max_rows, horizon):
        if not pieces:
            thread.start()
            wait_for(lake.is_wanted_alone)
        pieces.append(is_alone.is_set())
        return read_changes(run, 1, horizon)

    monkeypatch.setattr(Run, "read_changes", read_one)
    reads = threading.Thread(target=reading.read)
    reads.start()
    assert is_alone.wait(30.0)
    assert pieces == [False]
    let_go.set()
    reads.join(30.0)
    thread.join(30.0)
    assert lake.current("signals").count().to_pyarrow().as_py() == 2
    assert len(pieces) > 1 and all(pieces[1:])

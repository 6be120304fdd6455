"""A worker pulls by itself, beside settling, and a source that fails or hangs holds nothing up."""

import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from penstock.app import Penstock
from penstock.errors import ConfigurationError
from penstock.outcomes.pull_state import PullState, StateFile
from penstock.worker.pulls import FIRST_RETRY_S, LONGEST_RETRY_S, PullThread, pull_threads, wait_s
from tests.edge.live_server import wait_for
from tests.outcomes.tickets import RULE, Desk, desk_settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ran(seconds_ago, **more):
    return PullState(last_run_at=NOW - timedelta(seconds=seconds_ago), **more)


def test_a_source_is_due_when_its_interval_is_over():
    assert wait_s(PullState(), 300.0, NOW) == 0.0
    assert wait_s(ran(100), 300.0, NOW) == 200.0
    assert wait_s(ran(1000), 300.0, NOW) == 0.0


def test_a_clock_that_was_set_back_keeps_nobody_waiting_longer_than_the_interval():
    assert wait_s(ran(-86_400), 300.0, NOW) == 300.0


def test_after_failures_it_is_tried_soon_and_then_ever_more_seldom():
    pauses = [wait_s(ran(0, failures=failures), 5.0, NOW) for failures in range(1, 12)]
    assert pauses[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_RETRY_S
    assert wait_s(ran(0, failures=2000), 86_400.0, NOW) == 86_400.0


@pytest.fixture
def desk(tmp_path):
    made = Desk(f"sqlite:///{tmp_path / 'desk.db'}")
    yield made
    made.close()


@pytest.fixture
def stores(settings, tmp_path):
    def build(**pulls):
        return Penstock(msgspec.structs.replace(settings, pulls=pulls))

    return build


def good(tmp_path, **more):
    return desk_settings(f"sqlite:///{tmp_path / 'desk.db'}", **more)


def reports(penstock):
    return penstock.lake.current("feedback").count().to_pyarrow().as_py()


def test_threads_pull_what_is_due_again_and_again(stores, desk, tmp_path):
    penstock = stores(desk=good(tmp_path, every_s=0.05))
    desk.add(1)
    (thread,) = pull_threads(penstock)
    thread.start()
    wait_for(lambda: reports(penstock) == 1, 30)
    desk.add(2, minute=1)
    wait_for(lambda: reports(penstock) == 2, 30)
    thread.ask_to_stop()
    thread.join(30)


def test_a_source_that_hangs_holds_no_other_up(stores, desk, tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        hanging = desk_settings(f"postgresql+psycopg://nobody@127.0.0.1:{port}/desk?connect_timeout=60")
        penstock = stores(hanging=hanging, desk=good(tmp_path))
        desk.add(1)
        threads = pull_threads(penstock)
        for thread in threads:
            thread.start()
        wait_for(lambda: reports(penstock) == 1, 30)
        assert StateFile(penstock.home, "hanging").load().last_run_at is None
        for thread in threads:
            thread.ask_to_stop()


def test_a_source_that_fails_is_logged_once_and_kept_in_its_state(stores, desk, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("penstock.worker.pulls.FIRST_RETRY_S", 0.01)
    monkeypatch.setattr("penstock.worker.pulls.LONGEST_RETRY_S", 0.01)
    penstock = stores(desk=good(tmp_path, query="SELECT * FROM nowhere", every_s=0.01))
    (thread,) = pull_threads(penstock)
    thread.start()
    wait_for(lambda: StateFile(penstock.home, "desk").load().failures >= 3, 30)
    thread.ask_to_stop()
    thread.join(30)
    told = [record for record in caplog.records if record.levelno >= logging.ERROR and record.threadName == "pull-desk"]
    assert len(told) == 1
    assert "no such table: nowhere" in told[0].getMessage()


def test_a_mapping_that_cannot_be_keeps_the_worker_from_starting(stores, tmp_path):
    rule = {key: value for key, value in RULE.items() if key != "occurred_at"}
    with pytest.raises(ConfigurationError, match="does not say when it happened"):
        pull_threads(stores(desk=good(tmp_path, feedback=[rule])))


def test_while_another_process_pulls_a_source_it_waits(stores, desk, tmp_path):
    penstock = stores(desk=good(tmp_path, every_s=0.01))
    desk.add(1)
    (thread,) = pull_threads(penstock)
    with StateFile(penstock.home, "desk").alone():
        thread.start()
        wait_for(lambda: thread.failure is not None and "Another process" in thread.failure, 30)
        assert reports(penstock) == 0
    thread.ask_to_stop()
    thread.join(30)


TOML = """
[pulls.desk]
url = "sqlite:///{database}"
query = "SELECT * FROM tickets"
watermark = "updated_at"
every_s = 0.2
id = {{ column = "id" }}

[[pulls.desk.feedback]]
name = "outcome.resolved"
keys.ticket_id = {{ column = "ticket" }}
value = {{ column = "status", map = {{ solved = 1, reopened = 0 }} }}
occurred_at = {{ column = "solved_at", parse = "iso" }}
"""


def start_worker(home):
    with (home / "worker.log").open("ab") as log:
        command = [sys.executable, "-m", "penstock.cli", "worker", "--home", str(home)]
        return subprocess.Popen(command, stdout=log, stderr=log)


def test_a_real_worker_that_is_killed_while_it_pulls_loses_and_repeats_nothing(settings, home, desk, tmp_path):
    (home / "penstock.toml").write_text(TOML.format(database=tmp_path / "desk.db"))
    penstock = Penstock(settings)
    _ = penstock.lake
    feeding = threading.Event()

    def feed():
        for number in range(60):
            desk.add(number, minute=number % 60)
            time.sleep(0.05)
        feeding.set()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        for _round in range(3):
            worker = start_worker(home)
            before = reports(penstock)
            wait_for(lambda before=before: reports(penstock) > before or feeding.is_set(), 60)
            worker.send_signal(signal.SIGKILL)
            worker.wait(30)
        feeder.join(60)
        worker = start_worker(home)
        wait_for(lambda: reports(penstock) == 60, 60)
    finally:
        worker.terminate()
        worker.wait(60)
    arrived = penstock.lake.revisions("feedback")
    assert arrived.filter(arrived.revision == 0).count().to_pyarrow().as_py() == 60, "each row was written once"


def test_a_thread_is_built_from_a_source_and_the_stores(stores, tmp_path):
    (thread,) = pull_threads(stores(desk=good(tmp_path)))
    assert isinstance(thread, PullThread)
    assert thread.failure is None

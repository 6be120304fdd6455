"""The worker asks the judge by itself, one process at a time, and leaves a server in peace that is away."""

import logging
import threading
from collections.abc import Iterator

import msgspec
import pytest

from penstock.app import Penstock
from penstock.records.clock import utc_now
from penstock.settings import JudgeSettings, Settings
from penstock.signals.run import run_signals
from penstock.worker.judging import FIRST_RETRY_S, LEASE, LONGEST_RETRY_S, Judging, find_judge
from penstock.worker.process import _judging
from tests.judging.scripted_judge import ScriptedJudge, running_judge
from tests.rows import LATER
from tests.signals.test_next_turn import asks


@pytest.fixture
def server() -> Iterator[ScriptedJudge]:
    with running_judge() as running:
        yield running


def stores_with(settings: Settings, server: ScriptedJudge, model: str = "judge") -> Penstock:
    """A home with one message to judge, and this judge."""
    judge = JudgeSettings(model=model, base_url=server.base_url, timeout_s=0.2)
    penstock = Penstock(msgspec.structs.replace(settings, judge=judge))
    lake = penstock.lake
    lake.append("interactions", [asks(0, 0, "sort a list", response_text="sorted(x)"), asks(1, 10, "hmm")])
    run_signals(lake, penstock.clock)
    return penstock


def judging(penstock: Penstock, seconds: list[float]) -> Judging:
    judge = find_judge(penstock)
    assert judge is not None
    return Judging(judge, penstock, "worker@here", now=lambda: LATER, seconds=lambda: seconds[0])


def test_what_is_unsure_is_asked_about_and_the_lease_given_back(settings: Settings, server: ScriptedJudge) -> None:
    penstock = stores_with(settings, server)
    judged = judging(penstock, [0.0]).step()
    assert judged is not None and judged.answered == 1
    assert penstock.registry.leases.get(LEASE) is None


def test_only_one_process_asks_at_a_time(settings: Settings, server: ScriptedJudge) -> None:
    penstock = stores_with(settings, server)
    penstock.registry.leases.acquire(LEASE, "worker@there", 600.0, utc_now())
    assert judging(penstock, [0.0]).step() is None
    assert server.bodies == []


def test_a_server_that_is_away_is_asked_ever_more_seldom_and_logged_once(
    settings: Settings, server: ScriptedJudge, caplog: pytest.LogCaptureFixture
) -> None:
    penstock, seconds = stores_with(settings, server, model="drop"), [0.0]
    step = judging(penstock, seconds).step
    pauses = []
    with caplog.at_level(logging.ERROR):
        for _ in range(4):
            assert step() is not None
            before = seconds[0]
            while step() is None:
                seconds[0] += FIRST_RETRY_S / 2
            pauses.append(seconds[0] - before)
            seconds[0] += LONGEST_RETRY_S
    assert pauses == sorted(pauses) and pauses[0] == FIRST_RETRY_S
    assert len([record for record in caplog.records if "is away" in record.message]) == 1


def test_a_worker_has_a_thread_for_it_only_where_a_judge_is_set(settings: Settings, server: ScriptedJudge) -> None:
    assert _judging(Penstock(settings), "worker@here", threading.Event()) == []
    penstock = Penstock(msgspec.structs.replace(settings, judge=JudgeSettings(model="judge", base_url=server.base_url)))
    assert len(_judging(penstock, "worker@here", threading.Event())) == 1

"""Compaction, checkpoints, vacuum and log clean-up, beside appenders and behind readers."""

import multiprocessing
from multiprocessing.synchronize import Event

import pytest

from penstock.lake import maintenance
from penstock.lake.lake import Lake
from penstock.lake.maintenance import Maintained, checkpoint_tables
from penstock.lake.place import Place
from penstock.lake.tables import TABLES, reader
from penstock.lake.transaction_log import last_checkpoint, list_versions, log_folder
from penstock.records.clock import utc_now
from penstock.settings import LakeSettings
from tests.lake.on_disk import slow_on_s3
from tests.lake.rows import make_signal, shown

EAGER = LakeSettings(compact_after_files=3, checkpoint_after_commits=4, vacuum_after_h=0.0)


@pytest.fixture
def eager(lake: Lake) -> Lake:
    """The lake, maintained at every occasion."""
    return Lake(lake.root, EAGER)


def _maintain_signals(lake: Lake) -> Maintained:
    return next(done for done in lake.maintain(utc_now()) if done.table == "signals")


def _data_files(lake: Lake) -> int:
    return len([file for file in (lake.root / "signals").files() if file.parent.name.startswith("date=")])


@pytest.fixture
def _old_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry is older than a program may take to open the table."""
    monkeypatch.setattr(maintenance, "LOG_KEPT_S", -60.0)


def test_a_day_with_many_small_files_is_compacted_and_what_counts_stays_the_same(eager: Lake) -> None:
    for number in range(5):
        eager.append("signals", [make_signal(number), make_signal(0, number, known_h=number)])
    eager.append("signals", [make_signal(9, day=1)])
    before = eager.current("signals").order_by("signal_id").to_pyarrow()
    assert _maintain_signals(eager).compacted == 5
    assert len(eager._open("signals").snapshot().files) == 2
    assert eager.current("signals").order_by("signal_id").to_pyarrow().equals(before)


def test_a_day_with_few_files_is_left_alone(eager: Lake) -> None:
    for number in range(3):
        eager.append("signals", [make_signal(number)])
    done = _maintain_signals(eager)
    assert done == Maintained(table="signals")


def test_only_busy_tables_are_checkpointed_between_two_rounds_of_maintenance(lake: Lake) -> None:
    for number in range(3):
        lake.append("signals", [make_signal(number)])
    assert checkpoint_tables(lake.root, TABLES.values(), 4) == []
    lake.append("signals", [make_signal(3)])
    assert checkpoint_tables(lake.root, TABLES.values(), 4) == ["signals"]
    assert last_checkpoint(lake.root / "signals") == 4
    assert checkpoint_tables(lake.root, TABLES.values(), 4) == []
    assert shown(Lake(lake.root, LakeSettings())) == shown(lake)


def test_a_checkpoint_is_made_every_so_many_commits(eager: Lake) -> None:
    for number in range(4):
        eager.append("signals", [make_signal(number, day=number)])
    assert _maintain_signals(eager).checkpoint == 4
    assert _maintain_signals(eager).checkpoint is None
    assert (log_folder(eager.root / "signals") / "_last_checkpoint").is_file()
    assert len(shown(Lake(eager.root, EAGER))) == 4


def test_what_a_compaction_replaced_is_deleted_after_its_time(eager: Lake) -> None:
    for number in range(4):
        eager.append("signals", [make_signal(number)])
    assert _maintain_signals(eager).vacuumed == 4
    assert _data_files(eager) == 1
    assert len(shown(eager)) == 4


def test_what_a_compaction_replaced_stays_for_its_time(lake: Lake) -> None:
    patient = Lake(lake.root, LakeSettings(compact_after_files=3, vacuum_after_h=1.0))
    for number in range(4):
        lake.append("signals", [make_signal(number)])
    assert _maintain_signals(patient).vacuumed == 0
    assert _data_files(patient) == 5


def test_vacuum_waits_for_the_slowest_reader(eager: Lake) -> None:
    for number in range(4):
        eager.append("signals", [make_signal(number)])
    eager.append("labels", [], transactions={reader("signals", "labels"): 4})
    eager.append("interactions", [], transactions={reader("signals", "slow"): 1})
    done = _maintain_signals(eager)
    assert (done.held_back, done.vacuumed, done.compacted) == (True, 0, 4)
    assert eager.changes("signals", 1).rows.num_rows == 3
    eager.append("interactions", [], transactions={reader("signals", "slow"): 5})
    done = _maintain_signals(eager)
    assert (done.held_back, done.vacuumed) == (False, 4)


@pytest.mark.usefixtures("_old_log")
def test_the_log_is_cleaned_up_behind_a_checkpoint_and_the_slowest_reader(eager: Lake) -> None:
    for number in range(6):
        eager.append("signals", [make_signal(number, day=number)])
    eager.append("labels", [], transactions={reader("signals", "labels"): 3})
    assert _maintain_signals(eager).cleaned == 4
    assert list_versions(eager.root / "signals") == [4, 5, 6]
    assert eager.changes("signals", 3).rows.num_rows == 3
    assert len(shown(Lake(eager.root, EAGER))) == 6


def test_a_young_log_is_kept(eager: Lake) -> None:
    for number in range(6):
        eager.append("signals", [make_signal(number, day=number)])
    assert _maintain_signals(eager).cleaned == 0


@pytest.mark.usefixtures("_old_log")
def test_a_handle_from_before_the_clean_up_still_reads_and_writes(eager: Lake) -> None:
    other = Lake(eager.root, EAGER)
    assert other.version("signals") == 0
    for number in range(6):
        eager.append("signals", [make_signal(number, day=number)])
    assert _maintain_signals(eager).cleaned == 6
    assert len(shown(other)) == 6
    assert other.append("signals", [make_signal(9)], transactions={"spool:a": 1}) == 7


@pytest.mark.usefixtures("_old_log")
def test_transactions_survive_checkpoint_and_clean_up(eager: Lake) -> None:
    for number in range(5):
        eager.append("signals", [make_signal(number, day=number)], transactions={"spool:a": number})
    _maintain_signals(eager)
    fresh = Lake(eager.root, EAGER)
    assert fresh.append("signals", [make_signal(4, day=4)], transactions={"spool:a": 4}) is None
    assert fresh.find_commit("signals", "spool:a", 1) is None


def _append_until(root: Place, app: str, batches: int, done: Event) -> None:
    lake = Lake(root, LakeSettings())
    for number in range(batches):
        lake.append("signals", [make_signal(number, signal_id=f"{app}_{number}")], transactions={app: number})
    done.set()


def _compact_until(root: Place, done: list[Event]) -> None:
    lake = Lake(root, LakeSettings(compact_after_files=4, checkpoint_after_commits=10))
    while not all(event.is_set() for event in done):
        lake.maintain(utc_now())


@slow_on_s3
def test_a_reader_beside_appenders_and_compaction_sees_each_row_once(lake: Lake) -> None:
    spawn = multiprocessing.get_context("spawn")
    done = [spawn.Event() for _ in range(2)]
    workers = [spawn.Process(target=_append_until, args=(lake.root, f"a{place}", 20, done[place])) for place in range(2)]
    workers.append(spawn.Process(target=_compact_until, args=(lake.root, done)))
    for worker in workers:
        worker.start()
    seen: list[str] = []
    watermark: int | None = None
    while len(seen) < 40 and any(worker.is_alive() for worker in workers[:2]):
        new = lake.changes("signals", watermark, max_rows=5)
        seen += new.rows.column("signal_id").to_pylist()
        watermark = new.version
    for worker in workers:
        worker.join(60)
    new = lake.changes("signals", watermark)
    seen += new.rows.column("signal_id").to_pylist()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert sorted(seen) == sorted(f"a{place}_{number}" for place in range(2) for number in range(20))
    assert len(shown(lake)) == 40 == lake.revisions("signals").count().to_pyarrow().as_py()

"""Erasing users: nothing of them is left anywhere, everybody else's is, and what comes late is dropped."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.app import Penstock
from penstock.datasets.freeze import freeze_dataset
from penstock.datasets.spec import DatasetSpec
from penstock.errors import BadInputError
from penstock.evaluation.suite_files import freeze_held_out
from penstock.ingest.flush import Flusher, FlushThread
from penstock.ingest.forward_queue import ForwardQueue
from penstock.ingest.spool import Spool, adopt_spools, create_as, create_spool
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.lake import Lake
from penstock.lake.tables import TABLES
from penstock.records.clock import utc_now
from penstock.records.erasure import ErasureState
from penstock.records.feedback import Feedback
from penstock.records.span import Span
from penstock.registry.registry import Registry
from penstock.settings import EdgeSettings, LakeSettings, Settings
from penstock.worker.erasure import CONDITIONS, ErasureReport, erase_users
from penstock.worker.stages import Stages
from tests.registry.examples import a_checkpoint
from tests.rows import make_feedback, make_span, trace
from tests.s3 import S3Server
from tests.worker.left_behind import find_left

ALICE, BOB, CAROL = (f"u_{letter * 24}" for letter in "abc")
WORDS = {ALICE: "zanzibar", BOB: "timbuktu", CAROL: "samarkand"}


class Office:
    """A home with an edge's flusher beside it."""

    def __init__(self, home: Path, lake: LakeSettings) -> None:
        self.penstock = Penstock(Settings(home=str(home), lake=lake, edge=EdgeSettings(flush_interval_s=0.05)))
        self.home = self.penstock.home
        self.lake = self.penstock.lake
        self.spool = create_spool(self.home / "spool", 10**8)
        self.numbers = iter(range(10_000))

    def send(self, *records: Span | Feedback, spool: Spool | None = None) -> None:
        """Have records acknowledged."""
        for name, kind in (("spans", Span), ("feedback", Feedback)):
            rows = [record for record in records if isinstance(record, kind)]
            if rows:
                (spool or self.spool).put(name, to_arrow(TABLES[name], rows)).result()

    def flush(self) -> None:
        """What the edge does every few seconds."""
        flusher = Flusher(self.penstock.open_lake(), self.spool, 10_000)
        flusher.run_once()
        flusher.close()

    def refresh(self) -> None:
        """What the worker does every few seconds."""
        Stages(self.penstock.registry, self.penstock.settings, self.penstock.clock).run(self.lake)

    def call(self, user: str | None, **fields: Any) -> Span:
        """A call in which everything that can tell of a user does."""
        number = next(self.numbers)
        word = WORDS.get(user or "", "nobody")
        given: dict[str, Any] = {
            "user_id": user, "session_id": f"session-{word}", "request_id": f"request-{word}-{number}",
            "prompt_text": f"from {word}", "response_text": f"to {word}",
            "input_messages": f'[{{"role": "user", "parts": "{word}"}}]',
            "keys": {"ticket": f"ticket-{word}"}, "attributes": {"note": word}, "content_present": True,
            "token_logprobs": [-0.5], "checkpoint_id": "c_1", "start": number,
        }  # fmt: skip
        return make_span(trace(number), f"{number + 1:016x}", **{**given, **fields})

    def count(self, table: str, word: str = "") -> int:
        """Rows of a table, of all revisions."""
        rows = self.lake.revisions(table).to_pyarrow().to_pylist()
        return sum(word in repr(row) for row in rows)

    def erase(self, *users: str, wait_s: float = 20) -> ErasureReport:
        """Erase, with the edge's flusher at work."""
        with self.running_edge():
            return erase_users(self.penstock, users, wait_s)

    @contextmanager
    def running_edge(self) -> Iterator[None]:
        """The thread of a live edge that moves its spool to the lake."""
        folder = self.home / "spool"
        thread = FlushThread(lambda: Flusher(self.penstock.open_lake(), self.spool, 10_000), 0.05, folder, 10**8)
        thread.start()
        try:
            yield
        finally:
            thread.stop(10)


@pytest.fixture
def office(home: Path) -> Iterator[Office]:
    office = Office(home, LakeSettings())
    yield office
    office.spool.close()


@pytest.fixture
def office_on_s3(home: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """The same with its lake on S3."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    office = Office(home, s3_server.new_settings())
    yield office
    office.spool.close()


def _work(office: Office) -> list[Span]:
    """Calls of three users, reports on them, signals and labels."""
    calls = [office.call(user) for user in (ALICE, BOB, CAROL) for _ in range(4)]
    office.send(*calls)
    for number, call in enumerate(calls):
        office.send(make_feedback("acceptance", "request", str(call.request_id), value=float(number % 2), text=call.prompt_text))
    office.flush()
    office.refresh()
    return calls


def _freeze(office: Office) -> tuple[str, str]:
    """A dataset, a suite of its test split, and a checkpoint trained on it."""
    registry: Registry = office.penstock.registry
    spec = DatasetSpec(name="events", kind="events", exposures=("served",), test_share=0.5)
    dataset = freeze_dataset(office.lake, registry, office.penstock.artifacts, spec, utc_now() + timedelta(days=1))
    freeze_held_out(registry, office.penstock.artifacts, "held-out", dataset, utc_now())
    registry.checkpoints.put(a_checkpoint("c_1", dataset_version_id=dataset.dataset_version_id))
    return dataset.dataset_version_id, dataset.uri


def test_nothing_of_an_erased_user_is_left_and_everything_of_the_others_is(office: Office) -> None:
    _work(office)
    dataset, uri = _freeze(office)
    before = {table: [office.count(table, WORDS[user]) for user in (BOB, CAROL)] for table in TABLES}
    assert find_left(office.home, [WORDS[ALICE]])
    office.send(office.call(ALICE), make_feedback("copy", "session", "session-zanzibar"))
    report = office.erase(ALICE)
    assert report.unscrubbed_spools == []
    assert find_left(office.home, [ALICE, WORDS[ALICE]]) == []
    assert {table: [office.count(table, WORDS[user]) for user in (BOB, CAROL)] for table in TABLES} == before
    assert report.interactions >= 4
    assert report.datasets == {dataset: 4}
    assert report.checkpoints == ["c_1"]
    assert not office.penstock.registry.datasets.get(dataset).rebuildable
    manifest = msgspec.json.decode((Path(uri) / "manifest.json").read_bytes())
    assert manifest["erased"][0]["rows"] == 4
    tombstones = [row for row in office.lake.current("dataset_rows").to_pyarrow().to_pylist() if not row["interaction_ids"]]
    assert len(tombstones) == 4


def test_what_comes_late_of_an_erased_user_is_dropped(office: Office) -> None:
    calls = _work(office)
    office.erase(ALICE)
    rows = office.count("spans"), office.count("feedback")
    office.send(office.call(ALICE), office.call(None, session_id="session-zanzibar"))
    office.send(make_span(calls[0].trace_id, "ab" * 8, kind="tool", attributes={"note": "zanzibar"}))
    office.send(make_feedback("copy", "request", str(calls[0].request_id), text="zanzibar"))
    office.flush()
    assert (office.count("spans"), office.count("feedback")) == rows
    assert find_left(office.home, ["zanzibar"]) == []


def test_stages_go_on_where_they_were(office: Office) -> None:
    _work(office)
    office.erase(ALICE)
    interactions = office.count("interactions")
    late = office.call(BOB)
    office.send(late, make_feedback("copy", "request", str(late.request_id)))
    office.flush()
    office.refresh()
    assert office.count("interactions") == interactions + 1
    assert office.lake.current("signals").filter(lambda row: row.name == "copy").count().to_pyarrow().as_py() == 1


def test_a_trace_and_a_session_that_somebody_else_has_a_part_in_stay_without_the_erased_part(office: Office) -> None:
    shared = trace(99)
    office.send(
        office.call(ALICE, session_id="group"),
        make_span(shared, "aa" * 8, kind="agent"),
        make_span(shared, "bb" * 8, "aa" * 8, user_id=ALICE, session_id="group", prompt_text="zanzibar"),
        make_span(shared, "cc" * 8, "bb" * 8, kind="tool", attributes={"note": "zanzibar"}),
        make_span(shared, "dd" * 8, "aa" * 8, user_id=BOB, session_id="group", prompt_text="timbuktu"),
    )
    office.flush()
    office.refresh()
    office.erase(ALICE)
    assert find_left(office.home, ["zanzibar", ALICE]) == []
    left = office.lake.current("spans").select("span_id", "session_id").to_pyarrow().to_pylist()
    assert sorted(row["span_id"] for row in left) == ["aa" * 8, "dd" * 8]
    assert office.count("interactions", "timbuktu") == 1


def test_a_report_on_a_ticket_that_others_share_stays(office: Office) -> None:
    office.send(office.call(ALICE, keys={"ticket": "7"}), office.call(BOB, keys={"ticket": "7"}))
    office.send(make_feedback("resolved", "key", "7", key="ticket"))
    office.flush()
    office.refresh()
    office.erase(ALICE)
    assert office.count("feedback") >= 1


def test_of_an_outcome_that_others_share_only_the_erased_part_goes(office: Office) -> None:
    calls = [office.call(user, keys={"ticket": "7"}) for user in (ALICE, ALICE, BOB)]
    office.send(*calls)
    office.flush()
    office.refresh()
    theirs, mine = [str(call.span_key) for call in calls[:2]], str(calls[2].span_key)
    shared = dict.fromkeys([*theirs, mine], 1 / 3)
    for name, shares in (("outcome.shared", shared), ("outcome.own", dict.fromkeys(theirs, 0.5))):
        report = make_feedback(name, "key", "7", key="ticket", status="attributed", revision=1, attribution=shares)
        office.lake.append("feedback", [report])
    office.erase(ALICE)
    assert find_left(office.home, [theirs[0], theirs[1]]) == []
    (row,) = office.lake.to_records("feedback", office.lake.current("feedback"))
    assert (row.name, row.attribution) == ("outcome.shared", {mine: 1 / 3})


def test_a_spool_that_no_edge_holds_is_emptied_and_what_was_put_aside_in_it_goes(office: Office) -> None:
    dead = create_spool(office.home / "spool", 10**8)
    office.send(office.call(ALICE), office.call(BOB), spool=dead)
    rows = to_arrow(TABLES["spans"], [office.call(ALICE)])
    dead.put("feedback", rows).result()  # a body that its table can never take
    Flusher(office.penstock.open_lake(), dead, 10_000).run_once()
    assert dead.poisoned_rows() == 1
    office.send(office.call(ALICE), office.call(BOB), spool=dead)
    dead.close()
    office.refresh()
    report = office.erase(ALICE)
    assert find_left(office.home, ["zanzibar", ALICE]) == []
    assert report.unscrubbed_spools == []
    flusher = Flusher(office.penstock.open_lake(), office.spool, 10_000, adopt_spools(office.home / "spool", 10**8))
    flusher.run_once()
    office.refresh()
    assert office.count("interactions", "timbuktu") == 2


def test_an_edge_that_does_not_answer_is_named(office: Office) -> None:
    office.send(office.call(BOB))
    report = erase_users(office.penstock, [ALICE], wait_s=0.2)
    assert report.unscrubbed_spools == [f"spool/{office.spool.path.name}"]


def test_what_waits_for_another_backend_goes_from_its_queue_though_that_is_down(office: Office) -> None:
    queue = create_as(ForwardQueue, office.home / "forward" / "far", 10**8)
    office.send(office.call(ALICE), office.call(BOB), spool=queue)
    queue.close()
    report = office.erase(ALICE)
    assert report.unscrubbed_spools == []
    assert find_left(office.home, ["zanzibar", ALICE]) == []
    assert len(find_left(office.home, ["timbuktu"])) > 0


def test_erasing_again_finds_nothing_and_is_recorded(office: Office) -> None:
    _work(office)
    office.erase(ALICE)
    again = office.erase(ALICE)
    assert again.interactions == 0
    assert sum(again.rows.values()) == 0
    states = [erasure.state for erasure in office.penstock.registry.erasures.list()]
    assert states == [ErasureState.DONE, ErasureState.DONE]


@pytest.mark.parametrize(
    "table", [pytest.param(name, marks=[] if name in ("labels", "spans") else pytest.mark.slow) for name in CONDITIONS]
)
def test_an_erasure_that_was_cut_short_is_finished_by_asking_again(
    office: Office, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _work(office)
    _freeze(office)
    erase = Lake.erase

    def die_at(lake: Lake, name: str, condition: str, given: Any = None) -> int:
        if name == table:
            raise KeyboardInterrupt
        return erase(lake, name, condition, given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Lake, "erase", die_at)
        office.erase(ALICE)
    office.erase(ALICE)
    assert find_left(office.home, ["zanzibar", ALICE]) == []
    assert [erasure.state for erasure in office.penstock.registry.erasures.list()] == ["running", "done"]


def test_several_users_go_in_one_rewriting(office: Office) -> None:
    _work(office)
    report = office.erase(ALICE, BOB)
    assert report.users == 2
    assert find_left(office.home, [ALICE, BOB, "zanzibar", "timbuktu"]) == []
    assert office.count("interactions", "samarkand") == 4


def test_erasing_beside_other_writers_is_refused(office: Office) -> None:
    with pytest.raises(RuntimeError, match="alone"):
        office.lake.erase("spans", "true")


def test_an_unreadable_list_of_tombstones_keeps_everything_in_the_spool(office: Office) -> None:
    office.erase(ALICE)
    (office.lake.root / "_erased" / "x_torn.json").write_text("{")
    office.send(office.call(BOB))
    with pytest.raises(BadInputError.__bases__[0], match="tombstones"):
        office.flush()
    assert office.spool.waiting_rows() == 1


@pytest.mark.slow
def test_of_a_lake_on_s3_nothing_is_left_there_either(office_on_s3: Office, tmp_path: Path) -> None:
    office = office_on_s3
    _work(office)
    dataset, _ = _freeze(office)
    report = office.erase(ALICE)
    assert report.rows["spans"] == 4 and dataset in report.datasets and report.unscrubbed_spools == []
    office.send(office.call(ALICE), office.call(BOB))
    office.flush()
    office.refresh()
    copies = tmp_path / "copies"
    copies.mkdir()
    for number, file in enumerate(office.lake.root.files()):
        (copies / f"{number}-{file.name}").write_bytes(file.read_bytes())
    assert find_left(copies, [WORDS[ALICE], ALICE]) == [] == find_left(office.home, [WORDS[ALICE], ALICE])
    assert find_left(copies, [WORDS[BOB]]) and office.count("spans", WORDS[BOB]) == 5

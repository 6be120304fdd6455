"""Days that are over go; what is labelled, queued or in a dataset stays until it is erased."""

from datetime import UTC, datetime, timedelta

from penstock.lake.lake import Lake
from penstock.records.dataset import DatasetRow
from penstock.records.draw import Draw
from penstock.records.label import Label
from penstock.settings import RetentionSettings
from tests.rows import T0, make_feedback, make_interaction, make_signal, make_span, matched, trace

NOON = T0
OVER = NOON + timedelta(days=40)
KEPT = RetentionSettings(spans_days=30, feedback_days=30, interactions_days=30, signals_days=30, evaluation_items_days=30)


def _maintain(lake: Lake, settings: RetentionSettings = KEPT, days: int = 0) -> dict[str, int]:
    return {done.table: done.expired for done in lake.maintain(OVER + timedelta(days=days), settings) if done.expired}


def _count(lake: Lake, table: str) -> int:
    return int(lake.revisions(table).count().to_pyarrow().as_py())


def _label(interaction: str) -> Label:
    return Label(
        label_id=f"l_{interaction}", target_kind="interaction", target_id=interaction, interaction_id=interaction,
        schema="outcome", schema_version=1, dimension="good", value=1.0, annotator_kind="program", annotator="test@1",
        known_at=NOON, started_at=NOON,
    )  # fmt: skip


def _four_calls(lake: Lake) -> list[str]:
    """Four calls with their span, a report and a signal each."""
    calls = [make_interaction(number) for number in range(4)]
    ids = [call.interaction_id for call in calls]
    lake.append("interactions", calls)
    lake.append("spans", [make_span(trace(number), "s") for number in range(4)])
    lake.append("feedback", [make_feedback("copy", "request", call.interaction_id) for call in calls])
    lake.append("feedback", [matched("copy", call) for call in calls])
    lake.append("signals", [make_signal("copy", call, 1.0) for call in calls])
    return ids


def test_old_days_go_and_what_is_labelled_queued_or_in_a_dataset_stays(lake: Lake) -> None:
    labelled, drawn, frozen, _ = _four_calls(lake)
    lake.append("labels", [_label(labelled)])
    lake.append("draws", [_draw(drawn)])
    lake.append("dataset_rows", [_dataset_row(frozen)])
    gone = _maintain(lake)
    assert gone == {"spans": 1, "interactions": 1, "signals": 1, "feedback": 2}
    kept = lake.revisions("interactions").interaction_id.to_pyarrow().to_pylist()
    assert sorted(kept) == sorted([labelled, drawn, frozen])
    assert {_count(lake, table) for table in ("spans", "signals")} == {3}
    assert [_count(lake, table) for table in ("labels", "draws", "dataset_rows")] == [1, 1, 1]


def test_an_outcome_of_several_interactions_stays_with_any_of_them_that_stays(lake: Lake) -> None:
    labelled, other, *_ = _four_calls(lake)
    lake.append("labels", [_label(labelled)])
    shares = {labelled: 0.5, other: 0.5}
    lake.append("feedback", [make_feedback("outcome.x", "key", "7", status="attributed", revision=1, attribution=shares)])
    lake.append("feedback", [make_feedback("outcome.y", "key", "7", status="attributed", revision=1, attribution={other: 1.0})])
    _maintain(lake)
    names = lake.current("feedback").name.to_pyarrow().to_pylist()
    assert sorted(names) == ["copy", "outcome.x"]


def test_days_within_the_time_stay(lake: Lake) -> None:
    _four_calls(lake)
    assert _maintain(lake, days=-20) == {}
    assert _count(lake, "interactions") == 4


def test_without_a_time_a_table_keeps_for_good(lake: Lake) -> None:
    _four_calls(lake)
    assert _maintain(lake, RetentionSettings(spans_days=0), days=10_000) == {}


def test_an_old_day_is_looked_at_again_when_something_late_arrives(lake: Lake) -> None:
    _four_calls(lake)
    _maintain(lake, RetentionSettings(spans_days=30))
    late = datetime.now(UTC) + timedelta(days=1)
    lake.append("spans", [make_span(trace(9), "s")])
    assert [done.expired for done in lake.maintain(late, RetentionSettings(spans_days=30)) if done.table == "spans"] == [1]


def test_a_day_without_anything_kept_leaves_no_file(lake: Lake) -> None:
    _four_calls(lake)
    _maintain(lake)
    assert lake._open("interactions").snapshot().files == ()


def _draw(interaction: str) -> Draw:
    return Draw(
        draw_id="w_1", purpose="test", target_kind="interaction", target_id=interaction, interaction_id=interaction,
        probability=0.5, taken=True, known_at=NOON,
    )  # fmt: skip


def _dataset_row(interaction: str) -> DatasetRow:
    return DatasetRow(
        dataset_version_id="d_1", row_hash="b2:1", split="train", weight=1.0, interaction_ids=[interaction], label_ids=["l_1"],
        started_at=NOON, known_at=NOON,
    )  # fmt: skip

"""Reports settled a column at a time come to the same as those settled a row at a time."""

from datetime import timedelta

import pyarrow as pa
import pytest

from penstock.ingest.feedback_targets import resolve
from penstock.ingest.look_up_targets import look_up_targets
from penstock.ingest.plain_reports import as_reports, settle_plain, split_plain
from penstock.lake.arrow_schema import from_arrow
from penstock.lake.lake import Lake
from penstock.records.feedback import Feedback
from penstock.records.interaction import Interaction
from tests.rows import LATER, make_feedback, make_interaction

NOW = LATER + timedelta(hours=1)


def columns(lake: Lake, reports: list[Feedback]) -> pa.Table:
    return as_reports(lake.to_rows("feedback", reports))


def test_only_reports_that_name_a_key_once_and_for_the_first_time_are_plain(lake: Lake) -> None:
    fresh, by_id = make_feedback("a", "key", "1", key="k"), make_feedback("b", "request", "q")
    twice, before = make_feedback("c", "key", "1", key="k"), make_feedback("d", "key", "1", key="k")
    lake.append("feedback", [before, make_feedback("d", "key", "1", key="k", status="pending", revision=1)])
    plain, others = split_plain(lake, columns(lake, [fresh, by_id, twice, twice, before]))
    assert plain.column("name").to_pylist() == ["a"]
    assert sorted(others.column("name").to_pylist()) == ["b", "c", "c", "d"]


@pytest.mark.parametrize("case", ["none", "one", "several", "old revision", "merged", "twice merged", "other key"])
def test_both_ways_give_the_same(lake: Lake, case: str) -> None:
    lake.append("interactions", interactions(case))
    reports = [make_feedback(f"n{n}", "key", value, key=key) for n, (key, value) in enumerate([("k", "it's"), ("j", "it's")])]
    settled = settle_plain(lake, columns(lake, reports), NOW)
    directory = look_up_targets(lake, reports)
    by_row = [resolve(report, directory, NOW, timedelta(days=1)) for report in reports]
    assert from_arrow(Feedback, settled.sort_by("name")) == by_row


def interactions(case: str) -> list[Interaction]:
    carrying = {"k": "it's"}
    if case == "none":
        return [make_interaction(0)]
    if case == "several":
        return [make_interaction(n, keys=carrying, session_id="s") for n in range(8)]
    one = make_interaction(0, keys=carrying, session_id="s")
    if case == "old revision":
        return [one, make_interaction(0, keys={"k": "another"}, session_id="t", revision=1)]
    if case == "merged":
        inner = make_interaction(1, start=90_000, session_id="t")
        return [one, make_interaction(0, keys=carrying, merged_into=inner.interaction_id, revision=1), inner]
    if case == "twice merged":
        inner = make_interaction(1, keys=carrying)
        outer = [make_interaction(n, keys=carrying, merged_into=inner.interaction_id, revision=1) for n in (0, 2)]
        return [one, make_interaction(2, keys=carrying), inner, *outer]
    if case == "other key":
        return [make_interaction(0, keys={"j": "it's", "k": "x"}), make_interaction(1, keys={"k": "y"})]
    return [one, make_interaction(0, keys=carrying, session_id="later", revision=1)]


def test_very_many_ways_to_be_called_are_settled_at_once(lake: Lake) -> None:
    lake.append("interactions", [make_interaction(n, keys={"k": str(n), f"j{n % 3}": str(n)}) for n in range(300)])
    reports = [make_feedback("x", "key", str(n), key=key) for n in range(0, 300, 2) for key in ("k", "j0", "j1")]
    settled = settle_plain(lake, columns(lake, reports), NOW)
    directory = look_up_targets(lake, reports)
    by_row = [resolve(report, directory, NOW, timedelta(days=1)) for report in reports]
    assert from_arrow(Feedback, settled) == sorted((row for row in by_row if row), key=lambda row: row.feedback_id)

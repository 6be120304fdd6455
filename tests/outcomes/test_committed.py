"""What was suggested, committed, and is still there."""

from datetime import UTC, datetime

import pytest

from penstock.edge.feedback_api import build_feedback
from penstock.outcomes.committed import find_fates
from penstock.outcomes.git_repository import GitRepository
from penstock.outcomes.suggestions import Suggestion
from tests.outcomes.clone import Clone

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LINES = ("def add(a, b):", "return a + b", "x = add(1, 2)", "print(x)")


@pytest.fixture
def clone(tmp_path):
    made = Clone(tmp_path / "clone")
    made.commit("first", readme__md="hello\n")
    return made


def suggestion(name="r_1", lines=LINES, **more):
    return Suggestion(interaction_id=f"i_{name}", request_id=name, target={"request_id": name}, span={}, lines=lines, **more)


def fates(clone, *suggestions, days=7.0, now=NOW, by_commit=None):
    repository = GitRepository(clone.folder)
    known = {one.request_id: [one] for one in suggestions} | (by_commit or {})
    return find_fates(repository, repository.commits(), known, days, now)


def values(found):
    return {report["name"]: report["value"] for report in found.reports}


def test_the_share_that_was_committed_and_the_share_that_survived(clone):
    clone.commit("Add\n\nPenstock-Request: r_1\n", a__py="def add(a, b):\n        return a  +  b\n\nx = add(1, 2)\n")
    assert values(fates(clone, suggestion())) == {"outcome.committed": 0.75, "outcome.survived": 0.75}
    clone.commit("Rewrite", a__py="def add(a, b):\n    return sum((a, b))\n")
    found = fates(clone, suggestion())
    assert values(found) == {"outcome.committed": 0.75, "outcome.survived": 0.25}
    by_name = {report["name"]: report for report in found.reports}
    assert by_name["outcome.committed"]["occurred_at"] == "2026-02-01T10:02:00+00:00"
    assert by_name["outcome.survived"]["occurred_at"] == "2026-02-01T10:03:00+00:00"
    assert "3 of 4 lines" in by_name["outcome.committed"]["text"]


def test_a_line_counts_as_often_as_it_was_added(clone):
    clone.commit("Add\n\nPenstock-Request: r_1\n", a__py="print(x)\n")
    assert values(fates(clone, suggestion(lines=("print(x)", "print(x)"))))["outcome.committed"] == 0.5


def test_a_line_that_only_stands_there_already_did_not_survive(clone):
    clone.commit("before", a__py="print(x)\n")
    clone.commit("Add\n\nPenstock-Request: r_1\n", a__py="print(x)\nx = add(1, 2)\n")
    assert values(fates(clone, suggestion())) == {"outcome.committed": 0.25, "outcome.survived": 0.25}


def test_several_commits_that_name_a_request_count_together(clone):
    clone.commit("One\n\nPenstock-Request: r_1\n", a__py="def add(a, b):\n")
    clone.commit("Two\n\nPenstock-Request: r_1\n", b__py="print(x)\n")
    found = fates(clone, suggestion())
    assert (found.commits, found.suggestions) == (3, 1)
    assert values(found) == {"outcome.committed": 0.5, "outcome.survived": 0.5}


def test_a_young_commit_is_not_asked_what_survived(clone):
    clone.commit("Add\n\nPenstock-Request: r_1\n", a__py="print(x)\n")
    young = fates(clone, suggestion(), now=datetime(2026, 2, 2, tzinfo=UTC))
    assert values(young) == {"outcome.committed": 0.25}


def test_the_same_state_is_the_same_report_and_another_head_is_another(clone):
    clone.commit("Add\n\nPenstock-Request: r_1\n", a__py="print(x)\n")
    first, again = fates(clone, suggestion()), fates(clone, suggestion())
    assert first.reports == again.reports
    clone.commit("next", b__py="y = 1\n")
    later = fates(clone, suggestion())
    assert later.reports[0]["idempotency_key"] == first.reports[0]["idempotency_key"]
    assert later.reports[1]["idempotency_key"] != first.reports[1]["idempotency_key"]


def test_what_reports_nothing_is_passed_over_with_its_reason(clone):
    clone.commit("Add\n\nPenstock-Request: r_1\nPenstock-Request: unknown\n", a__py="print(x)\n")
    found = fates(clone, suggestion(lines=(), reason="the answer suggests no code"))
    assert found.reports == []
    assert found.passed_over == {"no interaction has the request id of a trailer": 1, "the answer suggests no code": 1}


def test_a_commit_that_is_too_large_costs_the_others_nothing(clone, monkeypatch):
    clone.commit("Add\n\nPenstock-Request: r_1\n", a__py="print(x)\n")
    clone.commit("Add\n\nPenstock-Request: r_2\n", b__py="y\n" * 5000)
    monkeypatch.setattr("penstock.outcomes.git_repository.MOST_DIFF_BYTES", 2000)
    found = fates(clone, suggestion(), suggestion("r_2"))
    assert {report["request_id"] for report in found.reports} == {"r_1"}
    assert sum(found.passed_over.values()) == 1


def test_a_committer_whose_clock_runs_ahead_does_not_report_from_the_future(clone):
    clone.commit("Add\n\nPenstock-Request: r_1\n", at="2031-01-01T00:00:00+00:00", a__py="print(x)\n")
    assert {report["occurred_at"] for report in fates(clone, suggestion()).reports} == {NOW.isoformat()}


def test_a_suggestion_known_by_the_commit_is_reported_on_its_span(clone):
    sha = clone.commit("Add", a__py="print(x)\n")
    by_span = Suggestion(
        interaction_id="i_1", request_id="i_1", target={"trace_id": "ab" * 16, "span_id": "cd" * 8}, span={}, lines=LINES
    )
    found = fates(clone, by_commit={sha: [by_span]})
    assert values(found)["outcome.committed"] == 0.25
    assert build_feedback(found.reports[0], NOW).target_id == f"{'ab' * 16}:{'cd' * 8}"


def test_what_is_reported_is_feedback_that_the_edge_takes(clone):
    clone.commit("Add\n\nPenstock-Request: r_1\n", a__py="print(x)\n")
    report = build_feedback(fates(clone, suggestion()).reports[0], NOW)
    assert (report.target_kind, report.target_id, report.source) == ("request", "r_1", "git")

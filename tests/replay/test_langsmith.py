"""What is LangSmith's own: experiments, feedback that is summed up, nested runs and ids."""

from typing import Any

from penstock.replay.langsmith import translate
from tests.replay.exported_rows import read_calls, settle, targets

RUN = {
    "id": "0194f000-0000-7000-8000-000000000003",
    "trace_id": "0194f000-0000-7000-8000-000000000001",
    "run_type": "llm",
    "name": "ChatOpenAI",
    "start_time": "2026-03-01T10:00:00",
    "inputs": {"messages": [{"role": "user", "content": "Hi"}]},
}
FEEDBACK = {"id": "f", "key": "helpful", "run_id": RUN["id"], "trace_id": RUN["trace_id"], "score": None, "value": None}


def only(row: dict[str, Any]) -> Any:
    (span,) = translate(row).spans
    return span


def test_a_run_over_an_example_is_an_experiment() -> None:
    assert only(RUN).fields["exposure"] is None
    assert only({**RUN, "reference_example_id": RUN["id"]}).fields["exposure"] == "simulated"


def test_feedback_that_is_summed_up_is_one_report_per_name() -> None:
    stats = {
        "helpful": {"n": 4, "avg": 0.75},
        "tone": {"n": 2, "avg": None, "values": {"polite": 2}},
        "none": {"n": 0, "avg": None},
    }
    reports = translate({**RUN, "feedback_stats": stats}).reports
    assert [(report.name, report.value, report.text) for report in reports] == [("helpful", 0.75, None), ("tone", None, "polite")]
    assert reports[0].metadata == {"reports": "4"}
    assert reports[0].span == (RUN["trace_id"], RUN["id"])


def test_feedback_on_the_root_is_about_the_trace_and_on_a_run_about_that_run() -> None:
    (on_run,) = translate({**FEEDBACK, "score": True, "comment": "good"}).reports
    assert (on_run.span, on_run.value, on_run.text) == ((RUN["trace_id"], RUN["id"]), 1.0, "good")
    (on_root,) = translate({**FEEDBACK, "run_id": RUN["trace_id"], "value": "polite"}).reports
    assert (on_root.key, on_root.text) == (("langsmith_trace", RUN["trace_id"]), "polite")
    (corrected,) = translate({**FEEDBACK, "correction": {"answer": "Ho"}}).reports
    assert corrected.text == "answer: Ho"


def test_runs_that_were_loaded_below_a_run_are_sent_with_it() -> None:
    root = {**RUN, "id": RUN["trace_id"], "run_type": "chain", "child_runs": [{**RUN, "parent_run_id": RUN["trace_id"]}]}
    assert [span.kind for span in translate(root).spans] == ["agent", "inference"]


def test_zero_tokens_are_no_count() -> None:
    assert only({**RUN, "prompt_tokens": 0, "completion_tokens": 0}).fields["input_tokens"] is None


def test_the_project_is_the_application_and_never_the_session() -> None:
    span = only({**RUN, "session_id": "0194f000-0000-7000-8000-000000000900", "session_name": "desk"})
    assert (span.fields["application"], span.fields["session"]) == ("desk", None)


def test_feedback_without_its_run_waits_for_it() -> None:
    assert [found[3] for found in targets(read_calls("langsmith", "langsmith_feedback.jsonl"))] == [set()]
    assert len(settle(read_calls("langsmith", "langsmith_runs.jsonl"))) == 1

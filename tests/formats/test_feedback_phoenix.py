"""Phoenix's annotations and notes."""

from typing import Any

import pytest

from penstock.errors import BadInputError
from penstock.formats.feedback_phoenix import PHOENIX_SESSIONS, PHOENIX_SPANS, PHOENIX_TRACES, translate_annotation
from penstock.formats.foreign_report import Ecosystem, Received, Report
from tests.formats.recorded import recorded

TRACE, SPAN = "7ece4a62079f9fef254c2bb195a3f18a", "8342f436cd1b57bb"


def read(ecosystem: Ecosystem, content: Any) -> list[Report]:
    return [report for item in ecosystem.items(content, {}) for report in ecosystem.translate(item)]


def test_annotations_of_spans_are_read_whole() -> None:
    score, label = read(PHOENIX_SPANS, recorded("phoenix_spans"))
    assert (score.target_kind, score.target_id, score.name) == ("span", f":{SPAN}", "correctness")
    assert (score.value, score.text) == (1.0, "It names the order.")
    assert score.metadata == {"model": "judge-3", "label": "correct", "annotator_kind": "LLM"}
    assert (label.target_id, label.value, label.text) == (":f5bb2f21e19496cf", None, "friendly")


def test_annotations_of_traces_and_sessions_have_these_as_their_target() -> None:
    result = {"name": "n", "annotator_kind": "CODE", "result": {"score": 0.5}}
    (trace,) = read(PHOENIX_TRACES, {"data": [{**result, "trace_id": TRACE, "span_id": SPAN}]})
    (session,) = read(PHOENIX_SESSIONS, {"data": [{**result, "session_id": "chat-9"}]})
    assert (trace.target_kind, trace.target_id) == ("trace", TRACE)
    assert (session.target_kind, session.target_id) == ("session", "chat-9")


def test_an_annotation_is_one_by_target_name_and_identifier() -> None:
    def key(**fields: Any) -> str | None:
        item = {"span_id": SPAN, "name": "n", "annotator_kind": "HUMAN", "result": {"score": 1}, **fields}
        return translate_annotation(item)[0].idempotency_key

    assert key() == key(result={"score": 0}) != key(identifier="a")
    assert len({key(), key(name="m"), key(span_id="0" * 16), key(identifier="a"), key(identifier="b")}) == 5


def test_a_note_is_text_and_each_one_is_new() -> None:
    (note,) = read(PHOENIX_SPANS, {"data": {"span_id": SPAN, "note": "look here"}})
    assert (note.name, note.text, note.value, note.idempotency_key) == ("note", "look here", None, None)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"name": "n", "result": {"score": 1}}, "what it is about"),
        ({"span_id": "x", "name": "n", "result": {"score": 1}}, "16 hexadecimal"),
        ({"span_id": SPAN, "name": "n"}, "label, a score or an explanation"),
        ({"span_id": SPAN, "name": "note", "result": {"score": 1}}, "reserved"),
        ({"span_id": SPAN, "name": "n", "annotator_kind": "DOG", "result": {"score": 1}}, "annotator_kind"),
        ({"span_id": SPAN, "name": "n", "result": {"score": "1"}}, "score"),
        (7, "object"),
    ],
)
def test_a_bad_annotation_is_told(item: Any, reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        translate_annotation(item)


@pytest.mark.parametrize("content", [{}, [], {"data": 7}, None])
def test_a_body_without_data_is_told(content: Any) -> None:
    with pytest.raises(BadInputError):
        PHOENIX_SPANS.items(content, {})


def test_the_answer_has_an_id_for_each_and_a_refusal_says_what_was_kept() -> None:
    many = Received(content={"data": [1, 2]}, accepted={0: ["f_1"], 1: ["f_2"]}, rejected={})
    assert PHOENIX_SPANS.answer(many) == (200, {"data": [{"id": "f_1"}, {"id": "f_2"}]})
    assert PHOENIX_SPANS.answer(Received(content={"data": {}}, accepted={0: ["f_1"]}, rejected={})) == (
        200,
        {"data": {"id": "f_1"}},
    )
    status, answer = PHOENIX_SPANS.answer(Received(content={"data": [1, 2]}, accepted={0: ["f_1"]}, rejected={1: "no"}))
    assert (status, answer) == (422, {"detail": "data[1]: no The other 1 are kept."})

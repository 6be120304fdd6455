"""OpenInference's annotations and evaluations, out of a span's attributes."""

from typing import Any

import pytest

from penstock.formats.annotations import Annotation, take_annotations

SPAN, JUDGED = ("01" * 16, "02" * 8), ("01" * 16, "03" * 8)


def take(attributes: dict[str, Any], kind: str = "LLM", links: Any = ()) -> tuple[list[Annotation], dict[str, Any]]:
    attributes = {"openinference.span.kind": kind, **attributes}
    found = take_annotations(attributes, SPAN, links)
    del attributes["openinference.span.kind"]
    return found, attributes


def test_an_annotation_is_about_the_span_that_carries_it_and_leaves_its_attributes() -> None:
    prefix = "annotations.0.annotation"
    (found,), rest = take(
        {
            f"{prefix}.name": "helpful",
            f"{prefix}.score": 1,
            f"{prefix}.label": "yes",
            f"{prefix}.explanation": "It worked.",
            f"{prefix}.annotator_kind": "HUMAN",
            f"{prefix}.metadata": '{"rubric": 3}',
            "other": "x",
        }
    )
    assert (found.target_kind, found.target_id) == ("span", ":".join(SPAN))
    assert found.said == {
        "gen_ai.evaluation.name": "helpful",
        "gen_ai.evaluation.score.value": 1,
        "gen_ai.evaluation.score.label": "yes",
        "gen_ai.evaluation.explanation": "It worked.",
        "annotator_kind": "HUMAN",
        "rubric": 3,
    }
    assert rest == {"other": "x"}


def test_an_evaluator_names_by_its_one_link_what_it_judged() -> None:
    said = {"evaluations.0.evaluation.name": "true", "evaluations.0.evaluation.score": 0.5}
    ((found,), _) = take(said, "EVALUATOR", [JUDGED])
    assert found.target_id == ":".join(JUDGED)
    assert take(said, "EVALUATOR") == ([], said)
    assert take(said, "EVALUATOR", [JUDGED, SPAN]) == ([], said)
    ((found,), _) = take(said, "CHAIN", [JUDGED])
    assert found.target_id == ":".join(SPAN)


def test_a_trace_and_a_session_can_be_annotated() -> None:
    said = {"trace.annotations.0.annotation.name": "a", "trace.annotations.0.annotation.label": "good"}
    said |= {"session.evaluations.0.evaluation.name": "b", "session.evaluations.0.evaluation.score": 1}
    found, rest = take({**said, "session.id": "chat-7"})
    assert [(one.target_kind, one.target_id) for one in found] == [("trace", SPAN[0]), ("session", "chat-7")]
    assert rest == {"session.id": "chat-7"}
    assert len(take(said)[0]) == 1


def test_an_identifier_makes_it_one_wherever_it_stands_and_otherwise_its_place_does() -> None:
    def identity(place: str, **fields: Any) -> tuple[str, ...]:
        said = {f"{place}.{field}": value for field, value in {"name": "a", "score": 1, **fields}.items()}
        return take(said, "EVALUATOR" if place[0] == "e" else "LLM", [SPAN])[0][0].identity

    first, second = "annotations.0.annotation", "annotations.1.annotation"
    assert identity(first) == identity(first, score=2) != identity(second)
    assert (
        identity(first, identifier="j")
        == identity(second, identifier="j")
        == identity("evaluations.0.evaluation", identifier="j")
    )
    assert identity(first, identifier="j") != identity(first, identifier="k")


@pytest.mark.parametrize(
    "said",
    [
        {"annotations.0.annotation.name": "a"},
        {"annotations.0.annotation.score": 1},
        {"annotations.0.annotation.name": "a", "annotations.0.annotation.score": "much"},
        {"annotations.x.annotation.name": "a", "annotations.x.annotation.score": 1},
        {"annotations": "a"},
    ],
)
def test_what_is_incomplete_stays(said: dict[str, Any]) -> None:
    assert take(said) == ([], said)


def test_only_spans_of_openinference_are_looked_at() -> None:
    said = {"annotations.0.annotation.name": "a", "annotations.0.annotation.score": 1}
    assert take_annotations(dict(said), SPAN, ()) == []

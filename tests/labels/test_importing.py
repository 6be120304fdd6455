"""People's answers from a file, in a real lake and registry."""

import pytest

from penstock.errors import BadInputError
from penstock.labels.importing import import_labels
from penstock.records.label import Label
from penstock.text.redaction import Redactor
from tests.rows import make_interaction


def imported(lake, registry, clock, tmp_path, text):
    path = tmp_path / "answers.csv"
    path.write_text(text, encoding="utf-8")
    return import_labels(lake, registry, Redactor(b"k" * 32), clock, path)


def labels(lake) -> list[Label]:
    return sorted(lake.to_records("labels", lake.current("labels")), key=lambda label: (label.known_at, label.target_id))


def test_answers_become_labels_of_a_person_with_what_is_known_of_the_interaction(lake, registry, clock, tmp_path):
    one = make_interaction(0, request_id="r0", model_version="m1", segment="pro")
    two = make_interaction(1, request_id="r1")
    lake.append("interactions", [one, two])
    done = imported(
        lake, registry, clock, tmp_path,
        "interaction_id,request_id,session_id,value,inclusion_probability,annotator\n"
        f"{one.interaction_id},,,1,.5,anna\n,r1,,0,,\n,,{one.session_id},1,,anna\n",
    )  # fmt: skip
    assert (done.rows, done.labels, done.unchanged, done.refused) == (3, 3, 0, ())
    found = {(label.target_kind, label.target_id): label for label in labels(lake)}
    first = found["interaction", one.interaction_id]
    assert (first.value, first.annotator, first.annotator_kind, first.inclusion_probability) == (1.0, "anna", "person", 0.5)
    assert (first.model_version, first.segment, first.stream, first.dimension) == ("m1", "pro", "estimation", "good")
    assert first.started_at == one.started_at
    assert found["interaction", two.interaction_id].value == 0.0
    assert found["session", one.session_id].interaction_id is None


def test_the_same_file_again_adds_nothing_and_another_answer_supersedes(lake, registry, clock, tmp_path):
    one = make_interaction(0)
    lake.append("interactions", [one])
    rows = f"interaction_id,value\n{one.interaction_id},1\n"
    imported(lake, registry, clock, tmp_path, rows)
    version = lake.version("labels")
    again = imported(lake, registry, clock, tmp_path, rows)
    assert (again.labels, again.unchanged, lake.version("labels")) == (0, 1, version)
    imported(lake, registry, clock, tmp_path, rows.replace(",1\n", ",0\n"))
    back = imported(lake, registry, clock, tmp_path, rows)
    assert back.labels == 1
    chain = {label.supersedes: label for label in labels(lake)}
    assert len(chain) == 3
    last = next(label for label in chain.values() if label.label_id not in chain)
    assert last.value == 1.0


def test_rows_that_name_nothing_several_or_contradict_each_other_are_refused(lake, registry, clock, tmp_path):
    lake.append("interactions", [make_interaction(number, request_id="twice") for number in range(2)])
    name = make_interaction(0).interaction_id
    done = imported(
        lake, registry, clock, tmp_path,
        f"interaction_id,request_id,value\nnobody,,1\n,twice,1\n{name},,1\n{name},,1\n{name},,0\n",
    )  # fmt: skip
    assert (done.rows, done.labels) == (5, 1)
    assert [reason.partition(":")[0] for reason in done.refused] == ["line 2", "line 3", "line 6"]
    assert "names nothing" in done.refused[0]
    assert "names 2 interactions" in done.refused[1]
    assert "otherwise on line 4" in done.refused[2]


def test_a_repeated_column_is_refused_and_a_row_with_more_fields_than_columns(lake, registry, clock, tmp_path):
    one, two = make_interaction(0), make_interaction(1)
    lake.append("interactions", [one, two])
    with pytest.raises(BadInputError, match="'value' more than once"):
        imported(lake, registry, clock, tmp_path, f"interaction_id,value,value\n{one.interaction_id},1,0\n")
    rows = f"interaction_id,value,rationale\n{one.interaction_id},1,short, and wrong\n{two.interaction_id},1,right\n"
    done = imported(lake, registry, clock, tmp_path, rows)
    assert done.labels == 1
    assert done.refused == ("line 2: it has more fields than there are columns; put text with commas into quotes.",)

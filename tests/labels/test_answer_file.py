"""Rows of a file of people's answers: what is understood, and why the others are not."""

import pytest

from penstock.errors import BadInputError
from penstock.labels.answer_file import read_answers
from penstock.labels.schema import AUDIT
from penstock.records.label import Dimension, DimensionType, LabelSchema
from penstock.text.redaction import Redactor

SCORES = LabelSchema(
    name="scores",
    version=1,
    dimensions=(Dimension(name="helpful", question="How helpful?", type=DimensionType.NUMBER, minimum=1, maximum=5),),
)


def read(tmp_path, text, dimension="good"):
    path = tmp_path / "answers.csv"
    path.write_text(text, encoding="utf-8")
    refused: list[str] = []
    return list(read_answers(path, [AUDIT, SCORES], Redactor(b"k" * 32), dimension, refused)), refused


def test_words_and_numbers_are_values(tmp_path):
    rows, refused = read(tmp_path, "interaction_id,value\na,yes\nb,0\nc,Good\nd,1.0\ne,FAIL\n")
    assert [row.value for row in rows] == [1.0, 0.0, 1.0, 1.0, 0.0]
    assert [row.line for row in rows] == [2, 3, 4, 5, 6]
    assert refused == []
    assert {(row.dimension, row.annotator, row.inclusion_probability) for row in rows} == {("good", "imported", 1.0)}


def test_a_row_that_cannot_be_understood_costs_no_other(tmp_path):
    text = (
        "interaction_id,request_id,value,dimension,inclusion_probability\n"
        "a,,maybe,,\n,,1,,\nb,r,1,,\nc,,1,beauty,\nd,,6,helpful,\ne,,1,,0\nf,,1,,nan\ng,,4.5,helpful,.25\n"
    )
    rows, refused = read(tmp_path, text)
    assert [(row.target, row.value, row.dimension, row.inclusion_probability) for row in rows] == [("g", 4.5, "helpful", 0.25)]
    for expected in ("line 2: the value 'maybe'", "line 3: it names 0", "line 4: it names 2", "'beauty'; there are good, helpful",
                     "line 6: the value 6 is outside 1..5", "line 7: inclusion_probability 0", "line 8"):  # fmt: skip
        assert any(expected in reason for reason in refused), expected
    assert len(refused) == 7


@pytest.mark.parametrize("probability", ["0", "-0.5", "1.01", "1e-300", "inf"])
def test_a_probability_that_makes_no_weight_is_refused(tmp_path, probability):
    rows, refused = read(tmp_path, f"interaction_id,value,inclusion_probability\na,1,{probability}\nb,1,1e-6\nc,1,1\n")
    assert [row.inclusion_probability for row in rows] == [1e-6, 1.0]
    assert len(refused) == 1
    assert "line 2: inclusion_probability" in refused[0]


def test_texts_and_names_are_redacted_and_ids_join_as_they_are_stored(tmp_path):
    text = "request_id,value,annotator,rationale\nanna@example.com,1,bob@example.com,ask anna@example.com\n"
    (row,), _ = read(tmp_path, text)
    assert row.target == Redactor(b"k" * 32).redact_id("anna@example.com", "request")
    assert "@" not in f"{row.annotator}{row.rationale}"


@pytest.mark.parametrize("header", ["", "value", "interaction_id", "interaction_id,value,colour"])
def test_a_file_with_other_columns_is_refused_as_a_whole(tmp_path, header):
    with pytest.raises(BadInputError, match="it needs `value`"):
        read(tmp_path, header + "\na\n")


def test_what_is_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"interaction_id,value\n\xff,1\n")
    for name in ("bytes.csv", "nowhere.csv"):
        with pytest.raises(BadInputError, match="cannot be read as CSV"):
            list(read_answers(tmp_path / name, [AUDIT], Redactor(b"k" * 32), "good", []))

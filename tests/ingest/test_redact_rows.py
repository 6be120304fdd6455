"""Spans that are rows are redacted as spans that are records are."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ingest.redact import MASKED_CREDENTIAL, SPAN_IDS, SPAN_TEXTS, Redaction
from penstock.ingest.redact_rows import redact_rows
from penstock.lake.arrow_schema import from_arrow, to_arrow
from penstock.lake.tables import TABLES
from penstock.policy_settings import RedactSettings
from penstock.records.span import Span
from penstock.text.redaction import Redactor
from tests.ingest.test_redact import PERSONAL, TELLING_KEYS
from tests.rows import make_span, trace

REDACTION = Redaction(Redactor(b"k" * 32), ["customer"])
CUSTOM = Redaction(Redactor(b"k" * 32, RedactSettings(patterns={"badge": "B-[0-9]{4}"})))
TEXTS = st.sampled_from(
    [
        *PERSONAL.values(),
        "B-1234",
        "86095742719",
        "1990-01-02",
        "plain words",
        "",
        "resp-7-1732458000123456789",
        "u-1",
        json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"mail {PERSONAL['email']}"}]}]),
    ]
)
NAMES = st.sampled_from(
    ["customer", "http.header.authorization", "enduser.id", "note", "phone", "tax_id", "passport_id", "dob_id", PERSONAL["email"]]
)


@st.composite
def spans(draw: Any) -> list[Span]:
    texts = st.dictionaries(st.sampled_from([*SPAN_TEXTS, *SPAN_IDS, "user_id"]), TEXTS, max_size=5)
    maps = st.fixed_dictionaries({name: st.dictionaries(NAMES, TEXTS, max_size=3) for name in ("attributes", "tags", "keys")})
    return [make_span(trace(number), f"s{number}", **draw(texts), **draw(maps)) for number in range(draw(st.integers(0, 6)))]


def by_row(redaction: Redaction, raw: list[Span]) -> list[Span]:
    (batch,) = to_arrow(TABLES["spans"], raw).combine_chunks().to_batches() or [_empty()]
    return from_arrow(Span, pa.Table.from_batches([redact_rows(redaction, batch)]))


def _empty() -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], to_arrow(TABLES["spans"], []).schema)


@pytest.mark.parametrize("redaction", [REDACTION, CUSTOM], ids=["built-in", "custom"])
def test_rows_are_redacted_as_records_are(redaction: Redaction) -> None:
    @settings(max_examples=150, deadline=None)
    @given(spans())
    def same(raw: list[Span]) -> None:
        assert by_row(redaction, raw) == redaction.redact_spans(raw)

    same()


@pytest.mark.parametrize("column", [*SPAN_TEXTS, *SPAN_IDS])
@pytest.mark.parametrize("value", PERSONAL.values(), ids=PERSONAL)
def test_nothing_personal_is_left_in_any_column(column: str, value: str) -> None:
    raw = [make_span(trace(number), "s", **{column: text}) for number, text in enumerate(("fine", f"it is {value}", "fine"))]
    first, found, last = by_row(REDACTION, raw)
    assert value not in repr(found)
    assert (getattr(first, column), getattr(last, column)) == ("fine", "fine")


def test_an_entry_under_a_telling_name_goes_also_where_its_value_says_nothing() -> None:
    raw = [make_span(trace(1), "s"), make_span(trace(2), "s", attributes={"note": "x", "http.header.authorization": "plain"})]
    _, found = by_row(REDACTION, raw)
    assert found.attributes == {"note": "x", "http.header.authorization": MASKED_CREDENTIAL}


def test_users_and_hashed_keys_become_the_hashes_that_they_are_everywhere() -> None:
    (found,) = by_row(REDACTION, [make_span(trace(1), "s", user_id="u-1", keys={"customer": "c-9", "ticket": "t-1"})])
    assert found.user_id == REDACTION.user("u-1") != "u-1"
    assert found.keys == {"customer": REDACTION.key("customer", "c-9"), "ticket": "t-1"}


def test_keys_are_judged_with_their_names_just_as_in_records() -> None:
    plain = {"ticket_id": "T-1"}
    raw = [
        make_span(trace(1), "s", keys=plain),
        *(make_span(trace(2), "s", keys={**plain, k: v}) for k, v in TELLING_KEYS.items()),
    ]
    first, *found = by_row(REDACTION, raw)
    assert first.keys == plain
    assert [span.keys for span in found] == [{**plain, k: REDACTION.key(k, v)} for k, v in TELLING_KEYS.items()]
    assert not any(value in repr(span.keys) for span, value in zip(found, TELLING_KEYS.values(), strict=True))


def test_of_a_key_that_stands_twice_in_a_map_nothing_is_left_that_was_not_looked_at() -> None:
    rows = to_arrow(TABLES["spans"], [make_span(trace(number), f"s{number}") for number in range(3)]).to_batches()[0]
    build: Any = pa.MapArray.from_arrays
    twice = build(pa.array([0, 0, 2, 2], pa.int32()), pa.array(["note", "note"]), pa.array([PERSONAL["email"], "plain words"]))
    rows = rows.set_column(rows.schema.get_field_index("attributes"), rows.schema.field("attributes"), twice)
    redacted: Any = redact_rows(REDACTION, rows).column("attributes")
    assert redacted.to_pylist() == [[], [("note", "plain words")], []]


def test_rows_that_are_put_back_stand_among_the_others_as_they_stood() -> None:
    raw = [make_span(trace(number), f"s{number}", reason=f"reason {number}") for number in range(9)]
    for number in (0, 3, 4, 8):
        raw[number] = make_span(trace(number), f"s{number}", reason=f"mail {PERSONAL['email']}")
    redacted = by_row(REDACTION, raw)
    assert [span.span_id for span in redacted] == [span.span_id for span in raw]
    assert [(span.reason or "").startswith("mail [EMAIL_") for span in redacted] == [
        number in (0, 3, 4, 8) for number in range(9)
    ]
    assert [redacted[number].reason for number in (1, 2, 5, 6, 7)] == [f"reason {number}" for number in (1, 2, 5, 6, 7)]

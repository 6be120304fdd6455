"""Reports that are sent again under one key."""

import msgspec
import pytest

from penstock.ingest.feedback_amendment import amend, fold_repeats
from tests.rows import LATER, at, make_feedback

REPORT = make_feedback("rating", "request", "q", value=1.0, text="good", idempotency_key="k")
SETTLED = msgspec.structs.replace(REPORT, status="matched", interaction_id="i_1", session_id="c", revision=1)


@pytest.mark.parametrize(
    "change",
    [
        {"value": 0.0},
        {"text": None},
        {"name": "stars"},
        {"metadata": {"a": "b"}},
        {"source": "x"},
        {"target_id": "other"},
        {"target_kind": "key", "target_key": "ticket"},
    ],
)
def test_other_content_amends_and_is_settled_anew(change: dict[str, object]) -> None:
    again = msgspec.structs.replace(REPORT, known_at=at(9_000), occurred_at=at(9_000), **change)
    amended = amend(SETTLED, again)
    assert amended is not None
    assert (amended.status, amended.interaction_id, amended.session_id) == ("received", None, None)
    assert (amended.revision, amended.known_at, amended.occurred_at) == (1, at(9_000), REPORT.occurred_at)
    assert all(getattr(amended, name) == value for name, value in change.items())


def test_the_same_content_later_is_the_same_report() -> None:
    assert amend(SETTLED, msgspec.structs.replace(REPORT, known_at=at(9_000), occurred_at=at(9_000))) is None


def test_of_several_deliveries_at_once_the_last_content_counts_whatever_their_order() -> None:
    later = msgspec.structs.replace(REPORT, value=0.0, known_at=LATER.replace(hour=23))
    for rows in ([REPORT, later], [later, REPORT], [REPORT, REPORT, later]):
        assert fold_repeats(rows)[REPORT.feedback_id].value == 0.0
    assert fold_repeats([REPORT, REPORT]) == {REPORT.feedback_id: REPORT}


def test_what_it_was_shared_by_is_forgotten() -> None:
    shared = msgspec.structs.replace(SETTLED, interaction_id=None, status="attributed", attribution={"i_1": 0.5, "i_2": 0.5})
    amended = amend(shared, msgspec.structs.replace(REPORT, name="other", known_at=at(9_000)))
    assert amended is not None
    assert amended.attribution is None

"""What a late arrival adds to a call whose text is gone, and what it leaves as it was settled."""

from typing import Any

from penstock.ingest.sampling import SAMPLED_OUT, thin_decided
from penstock.ingest.thinned_calls import complete_thinned
from penstock.records.ids import interaction_id
from penstock.records.interaction import Interaction
from tests.rows import LATER, at, make_interaction, make_span, trace

KEY = interaction_id(trace(0), "s")
OTHER = interaction_id(trace(0), "other")


def completed(before: Interaction, **fields: Any) -> Interaction:
    span = thin_decided(make_span(trace(0), "s"), 0.1)
    row = make_interaction(0, **{"known_at": at(9), **fields})
    (found,) = complete_thinned([row], [span], {KEY: before, OTHER: before})
    return found


def test_what_is_lacking_is_added_and_what_stands_stays() -> None:
    before = make_interaction(0, user_id="u_1", output_tokens=3, keys={"ticket": "T"}, content_sampled=False)
    after = completed(
        before, user_id="u_2", tenant="t", session_id="s_1", output_tokens=4, cost=0.5, keys={"ticket": "X", "a": "b"}
    )
    assert (after.user_id, after.tenant, after.session_id, after.output_tokens, after.cost) == ("u_1", "t", "s_1", 3, 0.5)
    assert (after.keys, after.content_sampled, after.known_at) == ({"ticket": "T", "a": "b"}, False, at(9))


def test_a_session_of_its_own_and_a_declared_exposure_stay() -> None:
    before = make_interaction(0, session_id="s_1", exposure="replay")
    after = completed(before, session_id="s_2", exposure="shadow")
    assert (after.session_id, after.exposure) == ("s_1", "replay")
    assert completed(make_interaction(0), exposure="shadow").exposure == "shadow"


def test_only_a_view_that_was_not_there_before_can_take_its_place() -> None:
    assert completed(make_interaction(0), merged_into=OTHER).merged_into is None
    assert completed(make_interaction(0, merged_into=OTHER), merged_into=None).merged_into == OTHER
    assert completed(make_interaction(0), merged_into="i_new").merged_into == "i_new"


def test_other_calls_are_left_alone_also_where_a_sender_sets_the_mark() -> None:
    rows = [make_interaction(0, known_at=LATER, user_id="u_2")]
    standing: dict[str, Interaction] = {KEY: make_interaction(0, user_id="u_1")}
    whole = make_span(trace(0), "s", attributes={SAMPLED_OUT: "true"})
    assert complete_thinned(rows, [whole], standing) == rows
    assert complete_thinned(rows, [thin_decided(whole, 0.1)], {}) == rows

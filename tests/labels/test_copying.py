"""Which applications report copies, remembered with the labels."""

import pyarrow as pa

from penstock.labels.copying import known_to_copy, mark_of, marks, new_to_copy
from penstock.lake.lake import Lake
from tests.rows import make_interaction, make_signal

NOTHING = pa.table({"interaction_id": pa.array([], pa.string()), "name": pa.array([], pa.string())})


def test_copies_from_before_marks_were_kept_are_found_once(lake: Lake) -> None:
    one = make_interaction(0, application="chat")
    lake.append("interactions", [one, make_interaction(1, application="other")])
    lake.append("signals", [make_signal("copy", one, 1.0)])
    assert new_to_copy(lake, NOTHING) == {"chat"}
    lake.append("labels", [], transactions=marks(["chat"]))
    assert known_to_copy(lake, ["chat", "other"]) == {"chat"}
    assert new_to_copy(lake, NOTHING) == frozenset()


def test_an_application_is_new_to_copying_once(lake: Lake) -> None:
    lake.append("labels", [], transactions=marks([]))
    one = make_interaction(0, application="chat")
    lake.append("interactions", [one])
    arrived = pa.table({"interaction_id": [one.interaction_id], "name": ["copy"]})
    assert new_to_copy(lake, arrived) == {"chat"}
    assert new_to_copy(lake, pa.table({"interaction_id": [one.interaction_id], "name": ["rating"]})) == frozenset()
    lake.append("labels", [], transactions={mark_of("chat"): 1})
    assert new_to_copy(lake, arrived) == frozenset()

from penstock.lake.lake import Lake
from penstock.lake.selection import among, ids_of
from tests.lake.rows import make_signal, shown


def test_rows_are_narrowed_to_few_or_many_values(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(100)])
    rows = lake.current("signals")
    assert shown(lake, among(rows, "target_id", {"i_1", "i_2", "i_x"})) == [("s_1", 0), ("s_2", 0)]
    assert len(shown(lake, among(rows, "target_id", {f"i_{number}" for number in range(70)}))) == 70
    assert shown(lake, among(rows, "target_id", set())) == []


def test_the_ids_of_a_selection_are_candidates_for_the_lake(lake: Lake) -> None:
    lake.append("signals", [make_signal(1), make_signal(1, 1, known_h=1), make_signal(2, interaction_id=None)])
    assert ids_of(lake.revisions("signals"), "interaction_id").to_pylist() == [{"interaction_id": "i_1"}]

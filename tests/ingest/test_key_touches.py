"""Interactions by key, seen as they are now."""

from datetime import date

import pyarrow as pa

from penstock.ingest.key_touches import find_touches
from penstock.lake.lake import Lake
from tests.rows import make_interaction


def touched(lake: Lake, *keys: tuple[str, str], dates: tuple[date, date] | None = None) -> set[tuple[str, str, str]]:
    wanted = pa.table({"target_key": [key for key, _ in keys], "target_id": [value for _, value in keys]})
    rows = find_touches(lake, wanted, dates).to_pylist()
    assert len(rows) == len({(row["target_key"], row["target_id"], row["interaction_id"]) for row in rows})
    return {(row["target_key"], row["target_id"], row["interaction_id"]) for row in rows}


def test_every_interaction_that_carries_a_key_is_found_under_it(lake: Lake) -> None:
    one, two = make_interaction(0, keys={"ticket": "7", "order": "7"}), make_interaction(1, keys={"ticket": "7"})
    lake.append("interactions", [one, two, make_interaction(2, keys={"ticket": "8"}), make_interaction(3)])
    assert touched(lake, ("ticket", "7"), ("order", "7"), ("ticket", "none")) == {
        ("ticket", "7", one.interaction_id),
        ("ticket", "7", two.interaction_id),
        ("order", "7", one.interaction_id),
    }


def test_what_an_interaction_no_longer_carries_does_not_name_it(lake: Lake) -> None:
    lake.append("interactions", [make_interaction(0, keys={"ticket": "7"})])
    lake.append("interactions", [make_interaction(0, keys={"ticket": "8"}, revision=1)])
    assert touched(lake, ("ticket", "7")) == set()
    assert touched(lake, ("ticket", "7"), ("ticket", "8")) == {("ticket", "8", make_interaction(0).interaction_id)}


def test_of_a_merged_interaction_the_one_that_counts_is_found_whenever_it_began(lake: Lake) -> None:
    inner = make_interaction(1, start=90_000)
    lake.append("interactions", [make_interaction(0, keys={"ticket": "7"}, merged_into=inner.interaction_id), inner])
    day = date(2026, 3, 1)
    assert touched(lake, ("ticket", "7"), dates=(day, day)) == {("ticket", "7", inner.interaction_id)}


def test_days_narrow_what_is_read(lake: Lake) -> None:
    lake.append(
        "interactions", [make_interaction(0, keys={"ticket": "7"}), make_interaction(1, start=90_000, keys={"ticket": "7"})]
    )
    second = date(2026, 3, 2)
    assert touched(lake, ("ticket", "7"), dates=(second, second)) == {("ticket", "7", make_interaction(1).interaction_id)}

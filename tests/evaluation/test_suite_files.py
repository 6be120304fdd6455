"""A suite is named by its content, holds what can be scored, and never changes."""

from pathlib import Path

import msgspec
import pytest

from penstock.errors import BadInputError, ConflictError, EmptySelectionError
from penstock.evaluation.suite_files import (
    ITEMS,
    adopt_suite,
    exact_item,
    freeze_exact_match,
    freeze_held_out,
    own_suite_name,
    read_event_items,
    read_exact_items,
    read_tabular_items,
    trusted_suite_name,
)
from penstock.records.clock import utc_now
from penstock.records.dataset import DatasetVersion
from tests.rows import LATER, T0


def events_dataset(folder, rows, kind="events"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return DatasetVersion(
        dataset_version_id="d_1",
        name="tab",
        kind=kind,
        content_hash="b2:1",
        uri=str(folder),
        selection="{}",
        train_rows=0,
        test_rows=len(rows),
        known_at=utc_now(),
        created_at=utc_now(),
    )


def row(number, **fields):
    given = {
        "row_hash": f"b2:{number}",
        "prompt": [{"role": "user", "content": "a"}],
        "completion": "b",
        "reward": 0.5,
        "behaviour_logprob": -1.0,
        "token_logprobs": [-0.5, -0.5],
        "user": "u_1",
        "interaction_id": f"i_{number}",
        "label_ids": ["l_1"],
    }
    return {**given, **fields}


def freeze(registry, tmp_path, rows, **options):
    return freeze_held_out(registry, tmp_path, "held-out/tab/t_1", events_dataset(tmp_path / "d", rows), utc_now(), **options)


def test_events_without_a_log_probability_cannot_be_scored_and_are_left_out(registry, tmp_path):
    suite = freeze(registry, tmp_path, [row(1), row(2, behaviour_logprob=None, token_logprobs=None)])
    assert suite.items == 1
    (item,) = read_event_items(Path(suite.uri))
    assert (item.item_id, item.interaction_id, item.tokens, item.finish_reason) == ("b2:1", "i_1", 2, "stop")


def test_a_test_split_without_log_probabilities_makes_no_suite(registry, tmp_path):
    with pytest.raises(EmptySelectionError, match="none with a log-probability"):
        freeze(registry, tmp_path, [row(1, behaviour_logprob=None)])


def test_only_events_make_a_held_out_suite(registry, tmp_path):
    with pytest.raises(BadInputError, match="is kto"):
        freeze_held_out(registry, tmp_path, "x", events_dataset(tmp_path / "d", [], kind="kto"), utc_now())


def test_freezing_the_same_rows_again_is_the_same_suite(registry, tmp_path):
    first, second = freeze(registry, tmp_path, [row(1), row(2)]), freeze(registry, tmp_path, [row(2), row(1)])
    assert first.suite_id == second.suite_id
    assert len(registry.suites.list()) == 1


def test_a_sample_of_a_large_split_is_always_the_same(registry, tmp_path):
    rows = [row(number) for number in range(50)]
    first, second = freeze(registry, tmp_path, rows, most_items=10), freeze(registry, tmp_path, rows[::-1], most_items=10)
    assert (first.items, first.suite_id) == (10, second.suite_id)


def test_an_adopted_suite_has_the_same_items_under_the_trusted_name(registry, tmp_path):
    own = freeze(registry, tmp_path, [row(1)])
    trusted = adopt_suite(registry, tmp_path, trusted_suite_name("tab"), own, utc_now())
    assert (trusted.content_hash, trusted.items) == (own.content_hash, own.items)
    assert registry.suites.latest("held-out/tab").suite_id == trusted.suite_id != own.suite_id


def test_a_turns_own_suite_is_never_taken_for_the_trusted_one(registry, tmp_path):
    freeze(registry, tmp_path, [row(1)])
    assert own_suite_name("tab", "t_1") == "held-out/tab/t_1"
    assert registry.suites.latest(trusted_suite_name("tab")) is None


def test_a_suite_that_somebody_changed_is_found_out(registry, tmp_path):
    suite = freeze(registry, tmp_path, [row(1)])
    (Path(suite.uri) / ITEMS).write_bytes(b"{}\n")
    with pytest.raises(ConflictError, match="changed a frozen suite"):
        freeze(registry, tmp_path, [row(1)])


def test_exact_items_are_named_by_prompt_and_answer(registry, tmp_path):
    items = [
        exact_item([{"role": "user", "content": "copy: ab"}], "ab"),
        exact_item([{"role": "user", "content": "copy: ab"}], "ba"),
    ]
    assert items[0].item_id != items[1].item_id
    suite = freeze_exact_match(registry, tmp_path, "copy", items, utc_now())
    assert (suite.kind, read_exact_items(Path(suite.uri))) == ("exact-match", items)


def test_a_suite_without_items_is_refused(registry, tmp_path):
    with pytest.raises(EmptySelectionError):
        freeze_exact_match(registry, tmp_path, "copy", [], utc_now())


def tabular(number, label):
    origin = {"user": f"u_{number}", "interaction_id": f"i_{number}", "label_ids": ["l_1"]}
    return {
        "row_hash": f"b2:{number}",
        "features": {"amount": number, "old": None},
        "label": label,
        "weight": 2.0,
        "started_at": T0,
        **origin,
    }


def test_the_test_split_of_a_tabular_set_is_a_detection_suite_and_can_become_the_trusted_one(registry, tmp_path):
    dataset = events_dataset(tmp_path / "d", [tabular(number, number % 2) for number in (3, 1, 2)], kind="tabular")
    own = freeze_held_out(registry, tmp_path, own_suite_name("cards", "t_1"), dataset, utc_now(), 2)
    trusted = adopt_suite(registry, tmp_path, trusted_suite_name("cards"), own, utc_now())
    items = read_tabular_items(Path(trusted.uri))
    assert (own.kind, trusted.kind, trusted.items) == ("detection", "detection", 2)
    assert [(item.item_id, item.label, item.weight, item.user) for item in items] == [
        ("b2:1", 1, 2.0, "u_1"),
        ("b2:2", 0, 2.0, "u_2"),
    ]


def test_a_tabular_split_of_one_side_is_no_suite(registry, tmp_path):
    dataset = events_dataset(tmp_path / "d", [tabular(1, 0.2), tabular(2, 0.0)], kind="tabular")
    with pytest.raises(EmptySelectionError, match="2 rows and 0 positives"):
        freeze_held_out(registry, tmp_path, "x", dataset, utc_now())


def test_a_suite_may_take_only_what_is_recent(registry, tmp_path):
    rows = [tabular(number, number % 2) for number in range(6)]
    rows[:2] = [{**row, "started_at": LATER} for row in rows[:2]]
    dataset = events_dataset(tmp_path / "d", rows, kind="tabular")
    suite = freeze_held_out(registry, tmp_path, "x", dataset, utc_now(), since=LATER)
    assert [item.item_id for item in read_tabular_items(Path(suite.uri))] == ["b2:0", "b2:1"]

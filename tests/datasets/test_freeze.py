"""Freezing sets out of a real lake."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.datasets.freeze import freeze_dataset
from penstock.datasets.spec import DatasetSpec
from penstock.errors import BadInputError, ConflictError, EmptySelectionError
from penstock.labels.run import run_labels
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.dataset import DatasetVersion
from penstock.registry.registry import Registry
from penstock.settings import RewardSettings
from tests.datasets.labelled import answered, fill
from tests.rows import LATER, at, make_signal
from tests.stages import Now


class Freezer:
    """Freezes sets of one home."""

    def __init__(self, lake: Lake, registry: Registry, artifacts: Path) -> None:
        self.lake, self.registry, self.artifacts = lake, registry, artifacts

    def freeze(self, kind: str = "kto", known_at: Any = LATER, **fields: Any) -> DatasetVersion:
        return freeze_dataset(
            self.lake, self.registry, self.artifacts, DatasetSpec(**{"name": "set", "kind": kind, **fields}), known_at
        )

    def rows(self, dataset: DatasetVersion) -> list[dict[str, Any]]:
        files = [Path(dataset.uri) / name for name in ("train.jsonl", "test.jsonl")]
        return [msgspec.json.decode(line) for file in files for line in file.read_bytes().splitlines()]


@pytest.fixture
def freezer(lake: Lake, registry: Registry, home: Path) -> Freezer:
    return Freezer(lake, registry, home / "artifacts")


def content(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_a_set_is_files_a_manifest_rows_in_the_lake_and_a_version(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock
) -> None:
    fill(lake, registry, clock)
    dataset = freezer.freeze()
    rows = freezer.rows(dataset)
    assert (dataset.train_rows + dataset.test_rows, len(rows)) == (30, 30)
    assert sum(row["label"] for row in rows) == 10
    manifest = msgspec.json.decode((Path(dataset.uri) / "manifest.json").read_bytes())
    assert manifest["rows"] == {"train": dataset.train_rows, "test": dataset.test_rows}
    assert manifest["kto"] == {"desirable": 10, "undesirable": 20, "desirable_weight": [2.0, pytest.approx(8 / 3)]}
    recorded = lake.to_records("dataset_rows", lake.current("dataset_rows"))
    assert {row.row_hash for row in recorded} == {row["row_hash"] for row in rows}
    assert all(row.interaction_ids and row.label_ids for row in recorded)
    assert registry.datasets.get(dataset.dataset_version_id) == dataset


def test_no_user_is_on_both_sides(freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock) -> None:
    fill(lake, registry, clock, 60)
    dataset = freezer.freeze(test_share=0.5)
    sides = [
        {msgspec.json.decode(line)["user"] for line in (Path(dataset.uri) / name).read_bytes().splitlines()}
        for name in ("train.jsonl", "test.jsonl")
    ]
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_building_twice_gives_the_same_bytes_and_adds_nothing(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock
) -> None:
    fill(lake, registry, clock)
    first = freezer.freeze()
    before, version = content(first.uri), lake.version("dataset_rows")
    assert freezer.freeze(known_at=LATER + timedelta(days=1)) == first
    assert content(first.uri) == before
    assert lake.version("dataset_rows") == version
    shutil.rmtree(first.uri)
    freezer.freeze()
    assert content(first.uri) == before


def test_what_died_half_way_is_finished_by_the_next_build(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock, home: Path
) -> None:
    fill(lake, registry, clock)
    other = Registry(f"sqlite:///{home / 'other.db'}")
    other.migrate()
    # The files and the rows are there, the version in the registry is not: as after a kill between the two.
    expected = freeze_dataset(lake, other, freezer.artifacts, DatasetSpec(name="set", kind="kto"), LATER)
    other.close()
    assert freezer.freeze() == expected
    assert lake.current("dataset_rows").count().to_pyarrow().as_py() == 30


def test_a_set_is_read_as_of_a_time_whatever_was_learned_since(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock, now: Now
) -> None:
    rows = fill(lake, registry, clock)
    before = clock.known_at()
    now.time += timedelta(hours=1)
    late = [make_signal("acceptance", row, 1.0, revision=1, known_at=now.time) for row in rows]
    lake.append("signals", late)
    run_labels(lake, registry, RewardSettings(), clock)
    assert sum(row["label"] for row in freezer.rows(freezer.freeze(known_at=before))) == 10
    with pytest.raises(EmptySelectionError, match="30 are good"):
        freezer.freeze(known_at=clock.known_at())


def test_filters_choose_and_a_limit_takes_the_newest(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock
) -> None:
    rows = fill(lake, registry, clock)
    dataset = freezer.freeze("events", since=at(10), until=at(20))
    assert {row["interaction_id"] for row in freezer.rows(dataset)} == {row.interaction_id for row in rows[10:20]}
    newest = freezer.freeze("events", limit=5)
    assert {row["interaction_id"] for row in freezer.rows(newest)} == {row.interaction_id for row in rows[25:]}
    assert len(freezer.rows(freezer.freeze("sft"))) == 10


def test_a_rule_that_selects_nothing_says_which_filter_emptied_it(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock
) -> None:
    fill(lake, registry, clock)
    with pytest.raises(EmptySelectionError, match=r"exposure in served: 30;.*application 'editer': 0"):
        freezer.freeze(application="editer")
    with pytest.raises(EmptySelectionError, match="exposure in shadow: 0"):
        freezer.freeze(exposures=("shadow",))


def test_kto_needs_both_kinds_of_rows(freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock) -> None:
    row = answered(0)
    lake.append("interactions", [row])
    lake.append("signals", [make_signal("acceptance", row, 1.0)])
    run_labels(lake, registry, RewardSettings(), clock)
    with pytest.raises(EmptySelectionError, match="KTO needs good and bad rows"):
        freezer.freeze()


def test_what_has_no_content_or_failed_or_is_merged_is_left_out(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock
) -> None:
    fill(lake, registry, clock)
    bad = [
        answered(100, content_present=False), answered(101, response_text=None), answered(102, error_type="500"),
        answered(103, merged_into="i_x"), answered(104, input_messages=None, prompt_text=None),
        answered(105, input_messages="[]", prompt_text=None),
    ]  # fmt: skip
    lake.append("interactions", bad)
    lake.append("signals", [make_signal("acceptance", row, 1.0) for row in bad])
    run_labels(lake, registry, RewardSettings(), clock)
    assert len(freezer.rows(freezer.freeze())) == 30


def test_the_same_rows_under_another_name_are_another_set(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock
) -> None:
    fill(lake, registry, clock)
    assert freezer.freeze(name="one").dataset_version_id != freezer.freeze(name="two").dataset_version_id


def test_a_frozen_set_that_somebody_changed_is_found_out(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock
) -> None:
    fill(lake, registry, clock)
    dataset = freezer.freeze()
    (Path(dataset.uri) / "train.jsonl").write_bytes(b"{}\n")
    with pytest.raises(ConflictError, match="somebody has changed a frozen set"):
        freezer.freeze()


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(BadInputError, match="choose from sft, kto, events"):
        DatasetSpec(name="x", kind="ppo")


def test_a_tabular_set_is_made_of_what_was_asked_with_an_object_and_answered_in_any_dimension(
    freezer: Freezer, lake: Lake, registry: Registry, clock: WriterClock
) -> None:
    fill(lake, registry, clock, count=12)
    tables = [answered(number, prompt_text=f'{{"amount": {number}}}') for number in range(20, 32)]
    lake.append("interactions", tables)
    lake.append("signals", [make_signal("acceptance", row, float(number % 3 == 0)) for number, row in enumerate(tables)])
    run_labels(lake, registry, RewardSettings(), clock)
    rows = freezer.rows(freezer.freeze("tabular", dimension="kept"))
    assert sorted(row["features"]["amount"] for row in rows) == list(range(20, 32))
    assert sum(row["label"] for row in rows) == 4
    with pytest.raises(BadInputError, match="needs `dimension`"):
        freezer.freeze("tabular")

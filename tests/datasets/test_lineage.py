"""From checkpoints to requests and from users to checkpoints."""

from pathlib import Path

import pytest

from penstock.datasets.describe import describe_dataset
from penstock.datasets.freeze import freeze_dataset
from penstock.datasets.lineage import checkpoints_touched, datasets_behind, requests_behind
from penstock.datasets.spec import DatasetSpec
from penstock.errors import NotFoundError
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.training import Checkpoint
from penstock.registry.registry import Registry
from tests.datasets.labelled import fill
from tests.rows import LATER, at, make_span


def train(registry: Registry, name: str, dataset: str | None, parent: str | None) -> str:
    checkpoint = Checkpoint(
        checkpoint_id=f"c_{name}", name=name, content_hash=f"b2:{name}", uri=None, upstream="local", model=name,
        parent_checkpoint_id=parent, dataset_version_id=dataset, created_at=LATER,
    )  # fmt: skip
    return registry.checkpoints.put(checkpoint).checkpoint_id


@pytest.fixture
def chain(lake: Lake, registry: Registry, clock: WriterClock, home: Path) -> list[str]:
    fill(lake, registry, clock)
    artifacts = home / "artifacts"
    early = freeze_dataset(lake, registry, artifacts, DatasetSpec(name="early", kind="events", until=at(10)), LATER)
    late = freeze_dataset(lake, registry, artifacts, DatasetSpec(name="late", kind="events", since=at(20)), LATER)
    base = train(registry, "base", None, None)
    first = train(registry, "first", early.dataset_version_id, base)
    return [base, first, train(registry, "second", late.dataset_version_id, first)]


def test_a_checkpoint_leads_back_to_the_requests_of_all_sets_behind_it(lake: Lake, registry: Registry, chain: list[str]) -> None:
    base, first, second = chain
    assert datasets_behind(registry, base) == []
    assert len(datasets_behind(registry, second)) == 2
    rows = requests_behind(lake, registry, second).to_pyarrow().to_pylist()
    assert {row["request_id"] for row in rows} == {f"q{number}" for number in (*range(10), *range(20, 30))}
    assert {row["user_id"] for row in requests_behind(lake, registry, first, "u_3").to_pyarrow().to_pylist()} == {"u_3"}


def test_a_user_leads_to_the_checkpoints_they_touched(lake: Lake, registry: Registry, chain: list[str]) -> None:
    _, first, second = chain
    touched = {shaped.checkpoint_id: shaped for shaped in checkpoints_touched(lake, registry, "u_3")}
    assert set(touched) == {first, second}
    assert (touched[first].rows, touched[second].rows) == (1, 2)
    assert checkpoints_touched(lake, registry, "u_nobody") == []


def test_an_unknown_checkpoint_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFoundError):
        datasets_behind(registry, "c_nothing")


def test_a_description_counts_every_link(lake: Lake, registry: Registry, clock: WriterClock, home: Path) -> None:
    rows = fill(lake, registry, clock)
    lake.append("spans", [make_span(row.trace_id, row.span_id) for row in rows])
    dataset = freeze_dataset(lake, registry, home / "artifacts", DatasetSpec(name="set", kind="kto"), LATER)
    found = describe_dataset(lake, registry, dataset)
    assert {name: found[name] for name in ("rows_in_lake", "labels", "signals", "interactions", "spans", "users")} == {
        "rows_in_lake": 30, "labels": 30, "signals": 30, "interactions": 30, "spans": 30, "users": 10,
    }  # fmt: skip
    assert found["rules"] == {"kept@1": 30}

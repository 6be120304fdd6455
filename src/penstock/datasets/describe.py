"""What a dataset is made of, and the chain from its rows back to the spans they came from, each link counted in the lake."""

from typing import Any

import msgspec
from ibis import _

from penstock.lake.lake import Lake
from penstock.records.dataset import DatasetVersion
from penstock.registry.registry import Registry


def describe_dataset(lake: Lake, registry: Registry, dataset: DatasetVersion) -> dict[str, Any]:
    """Composition and lineage, as `penstock dataset show` prints them."""
    rows = lake.current("dataset_rows")
    rows = rows.filter(rows.dataset_version_id == dataset.dataset_version_id)
    interaction_ids = rows.select(interaction_id=rows.interaction_ids.unnest()).distinct()
    label_ids = rows.select(label_id=rows.label_ids.unnest()).distinct()
    interactions = lake.current("interactions").semi_join(interaction_ids, "interaction_id")
    labels = lake.revisions("labels").semi_join(label_ids, "label_id")
    signal_ids = labels.select(signal_id=labels.signal_ids.unnest()).distinct()
    spans = lake.current("spans")
    spans = spans.semi_join(interactions.select(span_key=interactions.interaction_id), "span_key")
    by_model = interactions.group_by("request_model", "exposure").aggregate(count=_.count())
    return {
        **{name: value for name, value in msgspec.structs.asdict(dataset).items() if name != "selection"},
        "selection": msgspec.json.decode(dataset.selection),
        "rows_in_lake": rows.count().to_pyarrow().as_py(),
        "labels": label_ids.count().to_pyarrow().as_py(),
        "rules": _counts(labels.select("label_id", "annotator").distinct().group_by("annotator").aggregate(count=_.count())),
        "signals": lake.current("signals").semi_join(signal_ids, "signal_id").count().to_pyarrow().as_py(),
        "interactions": interactions.count().to_pyarrow().as_py(),
        "users": interactions.user_id.nunique().to_pyarrow().as_py(),
        "spans": spans.count().to_pyarrow().as_py(),
        "models": by_model.to_pyarrow().to_pylist(),
        "training_runs": [
            run.training_run_id for run in registry.runs.list() if run.dataset_version_id == dataset.dataset_version_id
        ],
    }


def _counts(grouped: Any) -> dict[str, int]:
    return {str(row["annotator"]): int(row["count"]) for row in grouped.to_pyarrow().to_pylist()}

"""Which labelled interactions belong to a set, as one expression over the lake as it was known at a time.

Every filter is counted, so that a rule that selects nothing can say which one emptied it.
"""

from collections.abc import Callable
from datetime import datetime

import ibis
from ibis import _

from penstock.datasets.spec import DatasetSpec
from penstock.errors import EmptySelectionError
from penstock.lake.lake import Lake
from penstock.records.dataset import DatasetKind
from penstock.text.redaction import FAILED

DIMENSIONS = {DatasetKind.KTO: "kept", DatasetKind.SFT: "kept", DatasetKind.EVENTS: "reward"}

_TABULAR_COLUMNS = (
    "interaction_id",
    "user_id",
    "session_id",
    "started_at",
    "prompt_text",
    "sample_probability",
    "capture_probability",
)
_COLUMNS = (
    *_TABULAR_COLUMNS,
    "checkpoint_id",
    "input_messages",
    "system_instructions",
    "response_text",
    "finish_reason",
    "token_logprobs",
    "arm_probability",
)


def select_rows(lake: Lake, spec: DatasetSpec, known_at: datetime) -> ibis.Table:
    """The interactions of a set with `label_id` and `value`; raises EmptySelectionError with the count after each filter."""
    rows = lake.current("interactions", known_at)
    counts: list[str] = []
    for name, keep in _filters(spec):
        rows = rows.filter(keep(rows))
        counts.append(f"{name}: {rows.count().to_pyarrow().as_py()}")
    labelled = rows.inner_join(_labels(lake, spec, known_at), "interaction_id")
    counts.append(f"with a label for {spec.schema}.{dimension_of(spec)}: {labelled.count().to_pyarrow().as_py()}")
    if spec.kind == DatasetKind.SFT:
        labelled = labelled.filter(labelled.value >= 1.0)
        counts.append(f"kept: {labelled.count().to_pyarrow().as_py()}")
    if labelled.count().to_pyarrow().as_py() == 0:
        raise EmptySelectionError(f"The rule of {spec.name!r} selects nothing. Left after each filter: {'; '.join(counts)}.")
    if spec.limit is not None:
        labelled = labelled.order_by(_.started_at.desc(), _.interaction_id).limit(spec.limit)
    columns = _TABULAR_COLUMNS if spec.kind == DatasetKind.TABULAR else _COLUMNS
    return labelled.select(*columns, "label_id", "value", "probability", "inclusion_probability")


def dimension_of(spec: DatasetSpec) -> str:
    """The question whose answers a set is made of."""
    return spec.dimension or DIMENSIONS[DatasetKind(spec.kind)]


def _filters(spec: DatasetSpec) -> list[tuple[str, Callable[[ibis.Table], ibis.Value]]]:
    filters: list[tuple[str, Callable[[ibis.Table], ibis.Value]]] = [
        (f"exposure in {', '.join(spec.exposures)}", lambda rows: rows.exposure.isin(list(spec.exposures))),
        ("with content", _has_content),
        (
            "not dropped by redaction",
            lambda rows: ~rows.input_messages.fill_null("").contains(FAILED) & (rows.response_text != FAILED),
        ),
        ("without an error", lambda rows: rows.error_type.isnull()),
    ]
    if spec.kind == DatasetKind.TABULAR:
        filters.append(("asked with a JSON object", lambda rows: rows.prompt_text.fill_null("").startswith("{")))
    if spec.application is not None:
        filters.append((f"application {spec.application!r}", lambda rows: rows.application == spec.application))
    if spec.checkpoint_id is not None:
        filters.append((f"checkpoint {spec.checkpoint_id!r}", lambda rows: rows.checkpoint_id == spec.checkpoint_id))
    since, until = spec.since, spec.until
    if since is not None:
        filters.append((f"since {since.isoformat()}", lambda rows: rows.started_at >= ibis.literal(since)))
    if until is not None:
        filters.append((f"until {until.isoformat()}", lambda rows: rows.started_at < ibis.literal(until)))
    return filters


def _has_content(rows: ibis.Table) -> ibis.Value:
    asked = (rows.input_messages.fill_null("[]") != "[]") | rows.prompt_text.notnull()
    return rows.content_present & rows.response_text.notnull() & asked


def _labels(lake: Lake, spec: DatasetSpec, known_at: datetime) -> ibis.Table:
    """Labels of the dimension that the kind needs, superseded ones left out; of several the one known last."""
    labels = lake.current("labels", known_at)
    superseded = labels.filter(labels.supersedes.notnull()).select(label_id=labels.supersedes)
    standing = labels.anti_join(superseded, "label_id")
    dimension = dimension_of(spec)
    chosen = standing.filter(
        standing["schema"] == spec.schema,
        standing.dimension == dimension,
        standing.value.notnull(),
        standing.interaction_id.notnull(),
    )
    place = ibis.row_number().over(
        ibis.window(group_by=chosen.interaction_id, order_by=[chosen.known_at.desc(), chosen.label_id])
    )
    numbered = chosen.mutate(place=place)
    return numbered.filter(numbered.place == 0).select(
        "interaction_id", "label_id", "value", "probability", "inclusion_probability"
    )

"""Labels for everything whose signals changed: each rule answers anew, and an answer that differs supersedes the one before.

Incremental and idempotent: the watermarks of what was read go into the same commit as the labels.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _
from msgspec import Struct

from penstock.labels.copying import known_to_copy, marks, new_to_copy
from penstock.labels.rules import RULES, SIGNALS, Answer, Evidence, Rule
from penstock.labels.schema import RESPONSE_QUALITY, register_schema
from penstock.lake.arrow_schema import from_arrow
from penstock.lake.lake import Lake
from penstock.lake.selection import among
from penstock.lake.tables import reader
from penstock.lake.watermarks import Horizon, advancing
from penstock.records.clock import WriterClock
from penstock.records.ids import label_id
from penstock.records.label import AnnotatorKind, Label
from penstock.records.signal import Signal
from penstock.registry.registry import Registry
from penstock.settings import RewardSettings

SIGNALS_WATERMARK = reader("signals", "labels")
INTERACTIONS_WATERMARK = reader("interactions", "labels")
MAX_ROWS = 50_000


class Labellable(Struct, frozen=True, kw_only=True):
    """What a label takes from its interaction."""

    interaction_id: str
    session_id: str | None
    application: str | None
    model_version: str | None
    prompt_version: str | None
    segment: str | None
    started_at: datetime


class Labelled(Struct, frozen=True, kw_only=True):
    """What a run looked at and wrote."""

    interactions: int = 0
    labels: int = 0


def run_labels(
    lake: Lake,
    registry: Registry,
    reward: RewardSettings,
    clock: WriterClock,
    max_rows: int = MAX_ROWS,
    *,
    definitions: Collection[str] | None = None,
) -> Labelled:
    """Label every interaction with new signals, in chunks.

    `definitions` are the signal definitions in force, as `name@version`; what others have found is no evidence.
    """
    register_schema(registry)
    total = Labelled()
    horizon = Horizon(lake, "labels", [SIGNALS_WATERMARK, INTERACTIONS_WATERMARK])
    while (labelled := _label_chunk(lake, reward, clock, max_rows, definitions)) is not None:
        total = Labelled(interactions=total.interactions + labelled.interactions, labels=total.labels + labelled.labels)
        if horizon.is_reached():
            break
    return total


def current_labels(labels: ibis.Table) -> ibis.Table:
    """The labels that no other one supersedes."""
    superseded = labels.filter(labels.supersedes.notnull()).select(label_id=_.supersedes)
    return labels.anti_join(superseded, "label_id")


def _label_chunk(
    lake: Lake, reward: RewardSettings, clock: WriterClock, max_rows: int, definitions: Collection[str] | None
) -> Labelled | None:
    reached = {name: lake.transaction_version("labels", name) for name in (SIGNALS_WATERMARK, INTERACTIONS_WATERMARK)}
    signals = lake.changes("signals", reached[SIGNALS_WATERMARK], ["interaction_id", "name", "value"], max_rows)
    settled = lake.changes("interactions", reached[INTERACTIONS_WATERMARK], ["session_id", "application"], max_rows)
    if signals.rows.num_rows == 0 and settled.rows.num_rows == 0:
        return None
    telling = signals.rows.filter(pc.is_in(signals.rows.column("name"), pa.array(sorted(SIGNALS))))
    begun = new_to_copy(lake, telling.filter(pc.is_valid(telling.column("value"))))
    touched = {item for item in pc.unique(telling.column("interaction_id")).to_pylist() if item}
    touched |= _of_sessions(lake, settled.rows)
    touched |= _of_applications(lake, sorted(begun))
    labels = _answer_all(lake, sorted(touched), reward, clock, begun, definitions) if touched else []
    watermarks = {SIGNALS_WATERMARK: signals.version, INTERACTIONS_WATERMARK: settled.version, **marks(begun)}
    lake.append("labels", labels, transactions=advancing(lake, "labels", watermarks))
    return Labelled(interactions=len(touched), labels=len(labels))


def _of_sessions(lake: Lake, settled: pa.Table) -> set[str]:
    """The interactions of the sessions of these, where going on says something."""
    copying = known_to_copy(lake, (str(name) for name in pc.unique(settled.column("application")).to_pylist() if name))
    there = settled.filter(pc.is_in(settled.column("application"), pa.array(sorted(copying), pa.string())))
    sessions = [item for item in pc.unique(there.column("session_id")).to_pylist() if item]
    if not sessions:
        return set()
    candidates = lake.ids_with("interactions", "session_id", sessions)
    current = lake.current("interactions", ids=candidates)
    return _names(among(current.filter(current.application.isin(sorted(copying))), "session_id", sessions))


def _of_applications(lake: Lake, applications: Sequence[str]) -> set[str]:
    if not applications:
        return set()
    current = lake.current("interactions")
    return _names(current.filter(current.application.isin(applications)))


def _names(interactions: ibis.Table) -> set[str]:
    return {str(item) for item in interactions.select("interaction_id").to_pyarrow().column("interaction_id").to_pylist()}


def _answer_all(
    lake: Lake,
    touched: Sequence[str],
    reward: RewardSettings,
    clock: WriterClock,
    begun: frozenset[str],
    definitions: Collection[str] | None,
) -> list[Label]:
    interactions = _labellable(lake, touched)
    signals = _signals_of(lake, touched, definitions)
    copying = begun | known_to_copy(lake, {item.application for item in interactions if item.application})
    moved_on = _moved_on(lake, interactions, copying)
    standing = _standing(lake, touched)
    known_at = clock.known_at()
    labels: list[Label] = []
    for interaction in interactions:
        name = interaction.interaction_id
        evidence = Evidence(signals=signals.get(name, {}), moved_on=name in moved_on)
        for rule in RULES:
            before = standing.get((name, rule.annotator))
            label = _label(interaction, rule, rule.answer(evidence, reward), before, known_at)
            if label is not None:
                labels.append(label)
    return labels


def _labellable(lake: Lake, touched: Sequence[str]) -> list[Labellable]:
    """These interactions without their words."""
    rows = lake.current("interactions", ids=touched).select(*Labellable.__struct_fields__)
    return from_arrow(Labellable, rows.to_pyarrow())


def _signals_of(lake: Lake, touched: Sequence[str], definitions: Collection[str] | None) -> dict[str, dict[str, Signal]]:
    """Per interaction the latest signal of each name; one without a value is no evidence."""
    found: dict[str, dict[str, Signal]] = defaultdict(dict)
    candidates = lake.ids_with("signals", "interaction_id", touched)
    rows = lake.current("signals", ids=candidates).filter(_.value.notnull(), _.name.isin(sorted(SIGNALS)))
    if definitions is not None:
        rows = rows.filter(rows.definition.isin(sorted(definitions)))
    for signal in lake.to_records("signals", rows):
        other = found[signal.interaction_id].get(signal.name)
        if other is None or (signal.occurred_at, signal.signal_id) > (other.occurred_at, other.signal_id):
            found[signal.interaction_id][signal.name] = signal
    return found


def _moved_on(lake: Lake, interactions: Iterable[Labellable], copying: Collection[str]) -> set[str]:
    """Those whose session had a later interaction, in an application that reports copies."""
    sessions = {item.session_id for item in interactions if item.session_id and item.application in copying}
    if not sessions:
        return set()
    candidates = lake.ids_with("interactions", "session_id", sorted(sessions))
    rows = among(lake.current("interactions", ids=candidates), "session_id", sessions)
    last: dict[str, datetime] = {}
    for row in rows.select("session_id", "started_at").to_pyarrow().to_pylist():
        last[row["session_id"]] = max(row["started_at"], last.get(row["session_id"], row["started_at"]))
    return {
        item.interaction_id
        for item in interactions
        if item.session_id and item.application in copying and item.started_at < last[item.session_id]
    }


def _standing(lake: Lake, touched: Sequence[str]) -> Mapping[tuple[str, str], Label]:
    """The label that each rule last gave each interaction."""
    rules = [rule.annotator for rule in RULES]
    labels = lake.current("labels", ids=lake.ids_with("labels", "interaction_id", touched))
    labels = labels.filter(labels.annotator.isin(rules), labels.annotator_kind == AnnotatorKind.PROGRAM.value)
    standing: dict[tuple[str, str], Label] = {}
    superseded: set[str] = set()
    found: list[Label] = lake.to_records("labels", labels)
    superseded.update(label.supersedes for label in found if label.supersedes)
    for label in found:
        if label.label_id not in superseded:
            standing[(label.target_id, label.annotator)] = label
    return standing


def _label(interaction: Labellable, rule: Rule, answer: Answer | None, before: Label | None, known_at: datetime) -> Label | None:
    """The label to append; None where there is nothing new to say."""
    value = None if answer is None else answer.value
    signal_ids = sorted(signal.signal_id for signal in answer.signals) if answer is not None else []
    if before is None and answer is None:
        return None
    if before is not None and (before.value, sorted(before.signal_ids)) == (value, signal_ids):
        return None
    evidence = "|".join([repr(value), *signal_ids, before.label_id if before else ""])
    schema = RESPONSE_QUALITY
    return Label(
        label_id=label_id(schema.name, schema.version, rule.dimension, interaction.interaction_id, rule.annotator, evidence),
        target_kind="interaction",
        target_id=interaction.interaction_id,
        interaction_id=interaction.interaction_id,
        schema=schema.name,
        schema_version=schema.version,
        dimension=rule.dimension,
        value=value,
        annotator_kind=str(AnnotatorKind.PROGRAM),
        annotator=rule.annotator,
        signal_ids=signal_ids,
        known_at=known_at,
        supersedes=before.label_id if before is not None else None,
        rationale=answer.rationale if answer is not None else "the evidence was withdrawn",
        model_version=interaction.model_version,
        prompt_version=interaction.prompt_version,
        segment=interaction.segment,
        started_at=interaction.started_at,
    )

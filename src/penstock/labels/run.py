"""Labels for everything whose signals changed: each rule answers anew, and an answer that differs supersedes the one before.

Incremental and idempotent: the watermarks of what was read go into the same commit as the labels.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import ibis
import pyarrow.compute as pc
from ibis import _
from msgspec import Struct

from penstock.config import RewardSettings
from penstock.labels.rules import RULES, Answer, Evidence, Rule
from penstock.labels.schema import RESPONSE_QUALITY, register_schema
from penstock.lake.lake import Lake
from penstock.lake.selection import among
from penstock.lake.tables import reader
from penstock.records.clock import WriterClock
from penstock.records.ids import label_id
from penstock.records.interaction import Interaction
from penstock.records.label import AnnotatorKind, Label
from penstock.records.signal import Signal
from penstock.registry.registry import Registry

SIGNALS_WATERMARK = reader("signals", "labels")
INTERACTIONS_WATERMARK = reader("interactions", "labels")
MAX_ROWS = 50_000


class Labelled(Struct, frozen=True, kw_only=True):
    """What a run looked at and wrote."""

    interactions: int = 0
    labels: int = 0


def run_labels(lake: Lake, registry: Registry, reward: RewardSettings, clock: WriterClock, max_rows: int = MAX_ROWS) -> Labelled:
    """Label every interaction with new signals, in chunks."""
    register_schema(registry)
    total = Labelled()
    while (labelled := _label_chunk(lake, reward, clock, max_rows)) is not None:
        total = Labelled(interactions=total.interactions + labelled.interactions, labels=total.labels + labelled.labels)
    return total


def current_labels(labels: ibis.Table) -> ibis.Table:
    """The labels that no other one supersedes."""
    superseded = labels.filter(labels.supersedes.notnull()).select(label_id=_.supersedes)
    return labels.anti_join(superseded, "label_id")


def _label_chunk(lake: Lake, reward: RewardSettings, clock: WriterClock, max_rows: int) -> Labelled | None:
    signals_before = lake.transaction_version("labels", SIGNALS_WATERMARK)
    settled_before = lake.transaction_version("labels", INTERACTIONS_WATERMARK)
    signals = lake.changes("signals", signals_before, ["interaction_id"], max_rows)
    settled = lake.changes("interactions", settled_before, ["interaction_id", "session_id"], max_rows)
    if signals.rows.num_rows == 0 and settled.rows.num_rows == 0:
        return None
    touched = {item for item in pc.unique(signals.rows.column("interaction_id")).to_pylist() if item}
    touched |= _neighbours(lake, [item for item in pc.unique(settled.rows.column("session_id")).to_pylist() if item])
    labels = _answer_all(lake, sorted(touched), reward, clock) if touched else []
    # Only what has moved on: the lake refuses a commit of which a part was reached before.
    reached = {
        SIGNALS_WATERMARK: (signals_before, signals.version),
        INTERACTIONS_WATERMARK: (settled_before, settled.version),
    }
    lake.append("labels", labels, transactions={name: after for name, (before, after) in reached.items() if before != after})
    return Labelled(interactions=len(touched), labels=len(labels))


def _neighbours(lake: Lake, sessions: Sequence[str]) -> set[str]:
    """Interactions of these sessions, in applications that report copies: for them, going on says something."""
    if not sessions:
        return set()
    copying = _copying_applications(lake)
    if not copying:
        return set()
    interactions = lake.current("interactions")
    rows = among(interactions.filter(interactions.application.isin(copying)), "session_id", sessions)
    return set(rows.select("interaction_id").to_pyarrow().column("interaction_id").to_pylist())


def _copying_applications(lake: Lake) -> list[str]:
    signals, interactions = lake.current("signals"), lake.current("interactions")
    copied = signals.filter(signals.name == "copy").select("interaction_id").distinct()
    rows = interactions.semi_join(copied, "interaction_id").select("application").distinct().to_pyarrow()
    return [name for name in rows.column("application").to_pylist() if name]


def _answer_all(lake: Lake, touched: Sequence[str], reward: RewardSettings, clock: WriterClock) -> list[Label]:
    interactions: list[Interaction] = lake.to_records(
        "interactions", among(lake.current("interactions"), "interaction_id", touched)
    )
    signals = _signals_of(lake, touched)
    moved_on = _moved_on(lake, interactions)
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


def _signals_of(lake: Lake, touched: Sequence[str]) -> dict[str, dict[str, Signal]]:
    """Per interaction the latest signal of each name."""
    found: dict[str, dict[str, Signal]] = defaultdict(dict)
    for signal in lake.to_records("signals", among(lake.current("signals"), "interaction_id", touched)):
        other = found[signal.interaction_id].get(signal.name)
        if other is None or (signal.occurred_at, signal.signal_id) > (other.occurred_at, other.signal_id):
            found[signal.interaction_id][signal.name] = signal
    return found


def _moved_on(lake: Lake, interactions: Iterable[Interaction]) -> set[str]:
    """Those whose session had a later interaction, in an application that reports copies."""
    copying = set(_copying_applications(lake))
    sessions = {item.session_id for item in interactions if item.session_id and item.application in copying}
    if not sessions:
        return set()
    rows = among(lake.current("interactions"), "session_id", sessions)
    last = rows.group_by("session_id").aggregate(last=rows.started_at.max())
    earlier = rows.inner_join(last, "session_id")
    earlier = earlier.filter(earlier.started_at < earlier.last, earlier.application.isin(sorted(copying)))
    return set(earlier.select("interaction_id").to_pyarrow().column("interaction_id").to_pylist())


def _standing(lake: Lake, touched: Sequence[str]) -> Mapping[tuple[str, str], Label]:
    """The label that each rule last gave each interaction."""
    rules = [rule.annotator for rule in RULES]
    labels = among(lake.current("labels"), "interaction_id", touched)
    labels = labels.filter(labels.annotator.isin(rules), labels.annotator_kind == AnnotatorKind.PROGRAM.value)
    standing: dict[tuple[str, str], Label] = {}
    superseded: set[str] = set()
    found: list[Label] = lake.to_records("labels", labels)
    superseded.update(label.supersedes for label in found if label.supersedes)
    for label in found:
        if label.label_id not in superseded:
            standing[(label.target_id, label.annotator)] = label
    return standing


def _label(interaction: Interaction, rule: Rule, answer: Answer | None, before: Label | None, known_at: datetime) -> Label | None:
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

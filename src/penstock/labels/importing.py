"""Answers that people gave elsewhere, as labels: what signals and judges are measured against.

A row that names nothing, or answers nothing, is refused with its line, and every other row is imported all the same. The same
answer again adds nothing; another answer of the same person supersedes the first.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ibis import _
from msgspec import Struct

from penstock.labels.answer_file import TARGETS, PersonsAnswer, read_answers
from penstock.labels.schema import AUDIT, GOOD
from penstock.lake.arrow_schema import from_arrow
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.ids import label_id
from penstock.records.label import AnnotatorKind, Label
from penstock.registry.registry import Registry
from penstock.text.redaction import Redactor

ESTIMATION = "estimation"  # drawn with known probabilities, so that rates may be worked out from it


class Target(Struct, frozen=True, kw_only=True):
    """What an answer is about, and what a label takes from it; of a session, from its first turn."""

    target_kind: str
    target_id: str
    interaction_id: str | None
    model_version: str | None
    prompt_version: str | None
    segment: str | None
    started_at: datetime


class _Turn(Struct, frozen=True, kw_only=True):
    interaction_id: str
    request_id: str | None
    session_id: str | None
    model_version: str | None
    prompt_version: str | None
    segment: str | None
    started_at: datetime


class Imported(Struct, frozen=True, kw_only=True):
    """What became of a file."""

    rows: int
    labels: int  # that were added
    unchanged: int  # that were there already
    refused: tuple[str, ...]  # a reason each, with its line


def import_labels(
    lake: Lake, registry: Registry, redactor: Redactor, clock: WriterClock, path: Path, *, dimension: str = GOOD
) -> Imported:
    """Import a file; `dimension` is what rows answer that do not say. BadInputError where it is no such file."""
    registry.schemas.put(AUDIT)
    refused: list[str] = []
    rows = list(read_answers(path, registry.schemas.list(), redactor, dimension, refused))
    number = len(rows) + len(refused)
    placed = list(_place(rows, _find_targets(lake, rows), refused))
    standing = _standing(lake, sorted({target.target_id for _, target in placed}))
    known_at = clock.known_at()
    labels = []
    for row, target in placed:
        before = standing.get((target.target_id, row.dimension, row.annotator))
        if before is None or (before.value, before.inclusion_probability) != (row.value, row.inclusion_probability):
            labels.append(_label(row, target, before, known_at))
    lake.append("labels", labels)
    return Imported(rows=number, labels=len(labels), unchanged=len(placed) - len(labels), refused=tuple(refused))


def _find_targets(lake: Lake, rows: Iterable[PersonsAnswer]) -> dict[tuple[str, str], list[Target]]:
    """By column and value, what may be meant."""
    found: dict[tuple[str, str], list[Target]] = {}
    wanted = list(rows)
    for column in TARGETS:
        values = {row.target for row in wanted if row.target_column == column}
        turns = sorted(_turns(lake, column, values), key=lambda turn: (turn.started_at, turn.interaction_id)) if values else []
        for turn in turns:
            targets = found.setdefault((column, getattr(turn, column)), [])
            if column != "session_id":
                targets.append(_target("interaction", turn.interaction_id, turn, turn.interaction_id))
            elif not targets:
                targets.append(_target("session", str(turn.session_id), turn, None))
    return found


def _turns(lake: Lake, column: str, values: Collection[str]) -> list[_Turn]:
    return from_arrow(_Turn, lake.find("interactions", column, sorted(values), _Turn.__struct_fields__))


def _target(kind: str, name: str, turn: _Turn, interaction_id: str | None) -> Target:
    return Target(
        target_kind=kind,
        target_id=name,
        interaction_id=interaction_id,
        model_version=turn.model_version,
        prompt_version=turn.prompt_version,
        segment=turn.segment,
        started_at=turn.started_at,
    )


def _place(
    rows: Iterable[PersonsAnswer], targets: Mapping[tuple[str, str], Sequence[Target]], refused: list[str]
) -> Iterator[tuple[PersonsAnswer, Target]]:
    """Each row with its target; a second row that says the same is left out, one that says otherwise is refused."""
    seen: dict[tuple[str, str, str], PersonsAnswer] = {}
    for row in rows:
        found = targets.get((row.target_column, row.target), ())
        if len(found) != 1:
            why = "names nothing that is there" if not found else f"names {len(found)} interactions"
            refused.append(f"line {row.line}: {row.target_column} {row.target} {why}.")
            continue
        key = (found[0].target_id, row.dimension, row.annotator)
        first = seen.setdefault(key, row)
        if first is row:
            yield row, found[0]
        elif (first.value, first.inclusion_probability) != (row.value, row.inclusion_probability):
            refused.append(f"line {row.line}: {row.annotator} says otherwise on line {first.line}; give one answer.")


def _standing(lake: Lake, targets: Sequence[str]) -> dict[tuple[str, str, str], Label]:
    """What each person last answered about these targets."""
    if not targets:
        return {}
    rows = lake.current("labels", ids=lake.ids_with("labels", "target_id", targets))
    found: list[Label] = lake.to_records("labels", rows.filter(_.annotator_kind == AnnotatorKind.PERSON.value))
    superseded = {label.supersedes for label in found}
    return {(label.target_id, label.dimension, label.annotator): label for label in found if label.label_id not in superseded}


def _label(row: PersonsAnswer, target: Target, before: Label | None, known_at: datetime) -> Label:
    evidence = "|".join([repr(row.value), repr(row.inclusion_probability), before.label_id if before else ""])
    schema = row.schema
    return Label(
        label_id=label_id(schema.name, schema.version, row.dimension, target.target_id, row.annotator, evidence),
        target_kind=target.target_kind,
        target_id=target.target_id,
        interaction_id=target.interaction_id,
        schema=schema.name,
        schema_version=schema.version,
        dimension=row.dimension,
        value=row.value,
        annotator_kind=str(AnnotatorKind.PERSON),
        annotator=row.annotator,
        known_at=known_at,
        supersedes=before.label_id if before is not None else None,
        rationale=row.rationale,
        inclusion_probability=row.inclusion_probability,
        stream=ESTIMATION,
        model_version=target.model_version,
        prompt_version=target.prompt_version,
        segment=target.segment,
        started_at=target.started_at,
    )

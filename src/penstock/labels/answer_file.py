"""One row of a CSV file of people's answers: what it names, what it answers, and how probably it was asked.

Checked row by row, so that one that cannot be understood costs no other; texts are redacted as they are read.
"""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.labels.schema import dimension_named
from penstock.records.label import LEAST_INCLUSION_PROBABILITY, Dimension, DimensionType, LabelSchema
from penstock.text.redaction import Redactor

TARGETS = ("interaction_id", "request_id", "session_id")
COLUMNS = (*TARGETS, "value", "dimension", "annotator", "inclusion_probability", "rationale")

_SOMEBODY = "imported"
_WORDS = {
    **dict.fromkeys(("1", "yes", "true", "good", "pass", "up"), 1.0),
    **dict.fromkeys(("0", "no", "false", "bad", "fail", "down"), 0.0),
}


class PersonsAnswer(Struct, frozen=True, kw_only=True):
    """One row of the file, checked and redacted."""

    line: int
    target_column: str
    target: str
    schema: LabelSchema
    dimension: str
    value: float
    annotator: str
    inclusion_probability: float
    rationale: str | None


def read_answers(
    path: Path, schemas: Sequence[LabelSchema], redactor: Redactor, dimension: str, refused: list[str]
) -> Iterator[PersonsAnswer]:
    """The rows of a file; why others are refused is added to `refused`. BadInputError where it is no such file.

    `dimension` is what rows answer that do not say.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check_header(path, reader.fieldnames or ())
            for row in reader:
                try:
                    yield _answer(reader.line_num, row, schemas, redactor, dimension)
                except BadInputError as error:
                    refused.append(f"line {reader.line_num}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path} cannot be read as CSV: {error}.") from error


def _check_header(path: Path, names: Iterable[str]) -> None:
    names = list(names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadInputError(f"{path} has the column {repeated[0]!r} more than once; leave one of them.")
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or "value" not in names or not any(name in TARGETS for name in names):
        raise BadInputError(
            f"{path} has the columns {', '.join(names) or 'of nothing'}; it needs `value` and one of {', '.join(TARGETS)}, and"
            f" may have {', '.join(COLUMNS[len(TARGETS) + 1 :])}."
        )


def _answer(
    line: int, row: Mapping[str | None, Any], schemas: Sequence[LabelSchema], redactor: Redactor, dimension: str
) -> PersonsAnswer:
    if None in row:  # where csv puts what no column is there for
        raise BadInputError("it has more fields than there are columns; put text with commas into quotes.")
    said = {name: (value or "").strip() for name, value in row.items() if name is not None}
    named = [(column, said[column]) for column in TARGETS if said.get(column)]
    if len(named) != 1:
        raise BadInputError(f"it names {len(named)} targets; give one of {', '.join(TARGETS)}.")
    (column, target), kind = named[0], named[0][0].removesuffix("_id")
    schema, asked = dimension_named(schemas, said.get("dimension") or dimension)
    annotator = said.get("annotator") or _SOMEBODY
    return PersonsAnswer(
        line=line,
        target_column=column,
        target=target if column == "interaction_id" else redactor.redact_id(target, kind),
        schema=schema,
        dimension=asked.name,
        value=_value(said.get("value", ""), asked),
        annotator=redactor.redact_id(annotator, "annotator"),
        inclusion_probability=_probability(said.get("inclusion_probability", "")),
        rationale=redactor.redact(said.get("rationale") or None, target)[0],
    )


def _value(text: str, dimension: Dimension) -> float:
    if dimension.type == DimensionType.BOOLEAN:
        word = text.lower().removesuffix(".0")
        if word not in _WORDS:
            raise BadInputError(f"the value {text!r} is neither yes nor no; give one of {', '.join(_WORDS)}.")
        return _WORDS[word]
    value = _number(text, "value")
    low = -math.inf if dimension.minimum is None else dimension.minimum
    high = math.inf if dimension.maximum is None else dimension.maximum
    if not low <= value <= high:
        raise BadInputError(f"the value {value:g} is outside {low:g}..{high:g}, which {dimension.name} allows.")
    return value


def _probability(text: str) -> float:
    probability = _number(text, "inclusion_probability") if text else 1.0
    if not LEAST_INCLUSION_PROBABILITY <= probability <= 1.0:
        raise BadInputError(
            f"inclusion_probability {probability:g} is not between {LEAST_INCLUSION_PROBABILITY:g} and 1; give the share of such "
            "answers that was drawn, as 0.05 for one in twenty."
        )
    return probability


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInputError(f"{name} {text!r} is no number.")
    return value

"""The rows of a frozen dataset as recipes read them; columns that a recipe has no use for are ignored."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from penstock.errors import BadInputError, EmptySelectionError

TRAIN = "train.jsonl"


class SftRow(Struct, frozen=True, kw_only=True):
    """A prompt and the answer to learn."""

    prompt: list[dict[str, Any]]
    completion: str


class KtoRow(Struct, frozen=True, kw_only=True):
    """A prompt, an answer, and whether it was good."""

    prompt: list[dict[str, Any]]
    completion: str
    label: bool


class EventRow(Struct, frozen=True, kw_only=True):
    """What the model did in production, how likely it was to do it, and what came of it."""

    prompt: list[dict[str, Any]]
    completion: str
    reward: float
    behaviour_logprob: float | None = None  # natural log, summed over the sampled tokens with the end token
    token_logprobs: list[float] | None = None
    checkpoint_id: str | None = None
    finish_reason: str | None = "stop"


class TabularRow(Struct, frozen=True, kw_only=True):
    """What a classifier was asked about, and what came of it."""

    features: dict[str, float | bool | None]
    label: float  # 0 to 1: how likely the row is a positive
    weight: float = 1.0  # how many of all rows it stands for
    user: str = ""


RowType = TypeVar("RowType")


def read_rows(folder: Path, shape: type[RowType], name: str = TRAIN) -> list[RowType]:
    """Every row of one file of a dataset. Raises BadInputError, EmptySelectionError."""
    path = folder / name
    decoder = msgspec.json.Decoder(shape)
    rows: list[RowType] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    rows.append(decoder.decode(line))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise BadInputError(f"{path}, line {number}, is no {shape.__name__}: {error}.") from error
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}.") from error
    if not rows:
        raise EmptySelectionError(f"{path} has no rows; nothing can be learned from it.")
    return rows

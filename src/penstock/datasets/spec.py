"""DatasetSpec: the rule that chooses the rows of a set; stored with the version, so that anyone can read why a row is in it."""

from datetime import datetime

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.records.dataset import DatasetKind


class DatasetSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to put into a set; None leaves a filter out."""

    name: str
    kind: str  # a DatasetKind
    application: str | None = None
    checkpoint_id: str | None = None  # only what this checkpoint answered
    exposures: tuple[str, ...] = ("served",)
    since: datetime | None = None  # on started_at
    until: datetime | None = None
    limit: int | None = None  # the newest so many
    schema: str = "response-quality"
    dimension: str | None = None  # whose labels; None for the one that the kind is made for
    test_share: float = 0.2

    def __post_init__(self) -> None:
        if self.kind not in set(DatasetKind):
            raise BadInputError(f"There is no dataset kind {self.kind!r}; choose from {', '.join(DatasetKind)}.")
        if self.kind == DatasetKind.TABULAR and self.dimension is None:
            raise BadInputError(
                "A tabular set needs `dimension`: the question of the label schema that a classifier is to answer."
            )
        if not 0.0 <= self.test_share < 1.0:
            raise BadInputError(f"test_share is {self.test_share}; it must be at least 0 and less than 1.")

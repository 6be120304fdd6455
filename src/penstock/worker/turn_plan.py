"""TurnPlan: everything that a turn is to do, fixed when it starts and kept with it."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from penstock.errors import BadInputError, ConfigurationError
from penstock.records.dataset import DatasetKind
from penstock.records.ids import TrainingRunId, digest
from penstock.settings import ReleaseSettings
from penstock.training.recipe_config import RECIPES


class TurnPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a route."""

    route: str
    recipe: str = "policy_gradient"
    kind: str = "events"  # of the dataset
    application: str | None = None
    since: datetime | None = None  # default: where the data of the turn before ended
    until: datetime | None = None
    limit: int | None = None  # the newest so many rows
    min_rows: int = 1  # of the train split; with fewer the turn is refused
    only_stable: bool = True  # only what the serving checkpoint answered: what an on-policy recipe needs
    recipe_config: dict[str, Any] = field(default_factory=dict)  # hyperparameters over the recipe's defaults
    rehearsal_dataset: str | None = None
    regression_suites: tuple[str, ...] = ()  # names; the newest suite of each name
    held_out: bool = True  # whether the route's held-out suite has to be passed
    held_out_items: int = 1_500
    held_out_since: datetime | None = None  # of a tabular set's test rows; None for all of them
    held_out_margin: float = 0.02  # loss of reward per event that is put up with offline
    regression_tolerance: float = 0.05  # loss of exact matches that is put up with
    schema: str = "response-quality"  # of the labels
    dimension: str | None = None  # of the labels; None for the one that the kind is made for
    false_positive_rate: float = 0.01  # at which a classifier's detection is measured
    detection_margin: float = 0.02  # loss of detection that is put up with offline
    canary: bool = True  # False: proved on the turn's own held-out rows, pair by pair, a candidate goes live at once
    release: dict[str, Any] = field(default_factory=dict)  # settings under [release], for this turn only
    seed: int = 0

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise BadInputError(f"There is no recipe {self.recipe!r}; choose from {', '.join(RECIPES)}.")
        if self.kind not in set(DatasetKind):
            raise BadInputError(f"There is no dataset kind {self.kind!r}; choose from {', '.join(DatasetKind)}.")
        if (self.recipe == "classifier") != (self.kind == DatasetKind.TABULAR):
            raise BadInputError(
                f"The recipe {self.recipe!r} does not learn from a set of kind {self.kind!r}; name another of the two."
            )
        if not self.canary and not (self.held_out and self.kind == DatasetKind.TABULAR):
            raise BadInputError("Without a canary a candidate is proved on held-out rows of a tabular set; this plan has none.")
        if not self.held_out and not self.regression_suites:
            raise BadInputError("The plan names no suite; a candidate that nothing has examined never meets users.")


def parse_plan(fields: dict[str, Any]) -> TurnPlan:
    """A plan from what a person gave. Raises BadInputError."""
    try:
        return msgspec.convert(fields, TurnPlan)
    except msgspec.ValidationError as error:
        raise BadInputError(f"The plan of the turn is wrong: {error}. `penstock turn run --help` lists its parts.") from error


def encode_plan(plan: TurnPlan) -> str:
    """As the registry keeps it."""
    return msgspec.json.encode(plan, order="sorted").decode()


def decode_plan(text: str) -> TurnPlan:
    """As the registry kept it."""
    return msgspec.json.decode(text, type=TurnPlan)


def release_settings(plan: TurnPlan, settings: ReleaseSettings) -> ReleaseSettings:
    """The rules for this turn's release. Raises ConfigurationError."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(settings), **plan.release}, ReleaseSettings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"The plan's `release` is wrong: {error}. `penstock config` lists what [release] has."
        ) from error


def training_run_id(turn_id: str) -> TrainingRunId:
    """The id of the run that a turn trains by."""
    return TrainingRunId("run_" + digest(turn_id)[:16])

"""TurnPlan: everything that a turn is to do, fixed when it starts and kept with it."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from penstock.errors import BadInputError


class TurnPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a route."""

    route: str
    recipe: str = "policy_gradient"
    kind: str = "events"  # of the dataset
    application: str | None = None
    since: datetime | None = None  # default: where the data of the turn before ended
    until: datetime | None = None
    limit: int | None = None  # the newest so many rows
    only_stable: bool = True  # only what the serving checkpoint answered: what an on-policy recipe needs
    recipe_config: dict[str, Any] = field(default_factory=dict)  # hyperparameters over the recipe's defaults
    rehearsal_dataset: str | None = None
    regression_suites: tuple[str, ...] = ()  # names; the newest suite of each name
    held_out_items: int = 1_500
    seed: int = 0


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

"""The contract of an application: what each of its interactions must say, and the share of them that does.

A share is of the last seven days, weighted back to the whole traffic; it is compared with its threshold and with the seven days
before. Pure: an Ibis aggregate over the interactions that count, and verdicts on its rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
from msgspec import Struct

from penstock.errors import ConfigurationError
from penstock.ingest.contract_fields import FIELDS, NAMED_PREFIXES, is_met
from penstock.settings import ContractSettings

WEEK = timedelta(days=7)
# With fewer in either week a fall is more likely chance than a change.
_MIN_INTERACTIONS = 50

Status = Literal["met", "low", "fell", "silent"]


class FieldShare(Struct, frozen=True, kw_only=True):
    """How one field of one contract is met."""

    application: str | None
    field: str
    interactions: int  # rows of the last seven days
    share: float | None  # None where there was no traffic
    week_before: float | None
    min_share: float
    status: Status

    @property
    def is_warning(self) -> bool:
        """Whether somebody should look."""
        return self.status != "met"


def check_contracts(contracts: Mapping[str, ContractSettings]) -> None:
    """Raise ConfigurationError for a required field that there is not."""
    for application, contract in contracts.items():
        for name in contract.required:
            if name not in FIELDS and not any(name.startswith(prefix) and name != prefix for prefix in NAMED_PREFIXES):
                known = ", ".join([*FIELDS, *(f"{prefix}NAME" for prefix in NAMED_PREFIXES)])
                raise ConfigurationError(f"contracts.{application}.required names `{name}`, which is none of {known}.")


def contract_shares(
    interactions: ir.Table, contracts: Mapping[str, ContractSettings], exposures: Sequence[str], now: datetime
) -> list[FieldShare]:
    """Every field of every application's contract; one without a contract of its own is held to the default."""
    default = ContractSettings()
    fields = list(dict.fromkeys(name for contract in [default, *contracts.values()] for name in contract.required))
    rows = _aggregate(_that_count(interactions, exposures, now), fields, now).to_pyarrow().to_pylist()
    weeks = {(row["application"], row["is_recent"]): row for row in rows}
    applications = sorted({application for application, _ in weeks} | set(contracts), key=lambda name: (name is None, name or ""))
    return [
        _judge(application, name, fields.index(name), contract, weeks)
        for application in applications
        for contract in [contracts.get(application or "", default)]
        for name in contract.required
    ]


def _that_count(interactions: ir.Table, exposures: Sequence[str], now: datetime) -> ir.Table:
    return interactions.filter(
        interactions.exposure.isin(list(exposures)),
        interactions.started_at >= ibis.literal(now - 2 * WEEK),
        interactions.started_at <= ibis.literal(now),
    )


def _aggregate(interactions: ir.Table, fields: Iterable[str], now: datetime) -> ir.Table:
    """Per application and week: rows, their weight, and the weight of those that meet each field."""
    weight = 1.0 / (interactions.sample_probability * interactions.capture_probability)
    met: dict[str, Any] = {
        f"met_{place}": (weight * is_met(interactions, name).cast("float64")).sum() for place, name in enumerate(fields)
    }
    by_week = interactions.group_by("application", is_recent=interactions.started_at >= ibis.literal(now - WEEK))
    grouped: ir.Table = by_week.aggregate(rows=interactions.count(), weight=weight.sum(), **met)
    return grouped


def _judge(
    application: str | None,
    field: str,
    place: int,
    contract: ContractSettings,
    weeks: Mapping[tuple[str | None, bool], Mapping[str, Any]],
) -> FieldShare:
    now, before = weeks.get((application, True)), weeks.get((application, False))
    share, share_before = _share(now, place), _share(before, place)
    return FieldShare(
        application=application,
        field=field,
        interactions=now["rows"] if now else 0,
        share=share,
        week_before=share_before,
        min_share=contract.min_share,
        status=_status(now, before, share, share_before, contract),
    )


def _share(week: Mapping[str, Any] | None, place: int) -> float | None:
    return min(1.0, week[f"met_{place}"] / week["weight"]) if week else None


def _status(
    now: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
    share: float | None,
    share_before: float | None,
    contract: ContractSettings,
) -> Status:
    if share is None or now is None:
        return "silent"
    is_telling = before is not None and min(now["rows"], before["rows"]) >= _MIN_INTERACTIONS
    if is_telling and share_before is not None and share_before - share > contract.max_fall:
        return "fell"
    return "low" if share < contract.min_share else "met"

"""Which interactions an outcome is about: by window and rule, decided for all reports of an outcome and key together. Pure.

Of several reports the one that happened last counts, among those with an interaction in their window. So the result follows from
what there is and not from the order in which it came: a revision, or an interaction that comes late, may move an outcome.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.lake.in_memory import open_database
from penstock.outcome_settings import OutcomeSettings
from penstock.records.feedback import OUTCOME_PREFIX
from penstock.records.ids import digest

DECIDED = pa.schema(
    [
        ("feedback_id", pa.string()),
        ("status", pa.string()),  # attributed, or superseded
        ("interaction_id", pa.string()),  # the one interaction, or the only one
        ("session_id", pa.string()),
        ("attribution", pa.map_(pa.string(), pa.float64())),  # of several: their weights
    ]
)
MICROSECONDS_OF_AN_HOUR = 3_600_000_000


class OutcomeDefinition(Struct, frozen=True, kw_only=True):
    """One outcome that comes by business key."""

    name: str  # of its reports: outcome.NAME
    settings: OutcomeSettings

    @property
    def counter(self) -> str:
        """The transaction that counts how often the settings have changed."""
        return f"outcomes:{self.name}"

    @property
    def mark(self) -> str:
        """The transaction that says when all reports were attributed by these very settings; those of rates are left out."""
        of = self.settings
        parts = (*sorted(of.keys), repr(of.window_h), of.rule, repr(of.half_life_h), repr(of.value))
        return f"outcomes:{self.name}:{digest(*parts)}"


def outcome_definitions(declared: Mapping[str, OutcomeSettings]) -> list[OutcomeDefinition]:
    """The definitions of `[outcomes.NAME]`, by the names of their reports."""
    return [OutcomeDefinition(name=OUTCOME_PREFIX + name, settings=settings) for name, settings in sorted(declared.items())]


def attribute(definition: OutcomeDefinition, reports: pa.Table, touches: pa.Table) -> pa.Table:
    """What becomes of these reports of one outcome, in the columns of DECIDED; one that no interaction explains is left out.

    `reports` have feedback_id, target_key, target_id and occurred_at, and are all there are of their keys; `touches` are the
    interactions that carry these keys.
    """
    engine = open_database()
    engine.register("reports", reports.select(["feedback_id", "target_key", "target_id", "occurred_at"]))
    engine.register("touches", touches)
    window_us = int(definition.settings.window_h * MICROSECONDS_OF_AN_HOUR)
    engine.execute(
        "CREATE TABLE pairs AS SELECT feedback_id, reports.target_key, reports.target_id, occurred_at, interaction_id, "
        "session_id, started_at FROM reports JOIN touches ON reports.target_key = touches.target_key AND reports.target_id = "
        "touches.target_id AND started_at <= occurred_at AND started_at >= occurred_at - to_microseconds($1)",
        [window_us],
    )
    counting = (
        "SELECT DISTINCT feedback_id, target_key, target_id, occurred_at FROM pairs QUALIFY row_number() OVER "
        "(PARTITION BY target_key, target_id ORDER BY occurred_at DESC, feedback_id DESC) = 1"
    )
    engine.execute(f"CREATE TABLE counting AS {counting}")
    given = engine.sql(_rule(definition.settings)).to_arrow_table().cast(DECIDED)
    others = engine.sql(
        "SELECT DISTINCT feedback_id, 'superseded' AS status, NULL AS interaction_id, NULL AS session_id, NULL AS attribution "
        "FROM pairs ANTI JOIN counting USING (feedback_id)"
    ).to_arrow_table()
    return pa.concat_tables([given, others.cast(DECIDED)])


def _rule(settings: OutcomeSettings) -> str:
    """The query that gives each counting report its interactions."""
    chosen = "FROM pairs SEMI JOIN counting USING (feedback_id)"
    if settings.rule in ("last", "first"):
        pick = "max" if settings.rule == "last" else "min"
        touch = f"{pick}(struct_pack(started_at, interaction_id, session_id))"
        return (
            "SELECT feedback_id, 'attributed' AS status, touch.interaction_id AS interaction_id, touch.session_id AS session_id, "
            f"NULL AS attribution FROM (SELECT feedback_id, {touch} AS touch {chosen} GROUP BY feedback_id)"
        )
    if settings.rule not in ("all", "decay"):
        raise BadInputError(f"{settings.rule!r} is no rule of attribution; use last, first, all or decay.")
    raw = raw_share(settings, "feedback_id")
    # Summed in one order, so that the same interactions always give the same weights to the last digit.
    return (
        f"WITH shares AS (SELECT feedback_id, interaction_id, session_id, {raw} AS share {chosen}), "
        "listed AS (SELECT feedback_id, list(interaction_id ORDER BY interaction_id) AS ids, min(session_id) AS session_id, "
        "list(share ORDER BY interaction_id) AS shares FROM shares GROUP BY feedback_id) "
        "SELECT feedback_id, 'attributed' AS status, CASE WHEN len(ids) = 1 THEN ids[1] END AS interaction_id, "
        "CASE WHEN len(ids) = 1 THEN session_id END AS session_id, CASE WHEN len(ids) > 1 THEN "
        "map(ids, list_transform(shares, lambda share: share / list_sum(shares))) END AS attribution FROM listed"
    )


def raw_share(settings: OutcomeSettings, of: str) -> str:
    """What an interaction has of an outcome that several share, by rule `all` or `decay`, up to a factor; `of` names the outcome.

    Against the youngest and not against the outcome: the weights are the same, and however old all are, they are not all 0.
    """
    age = f"(epoch_us(max(started_at) OVER (PARTITION BY {of})) - epoch_us(started_at))"
    return f"pow(2.0, -{age} / {settings.half_life_h * MICROSECONDS_OF_AN_HOUR!r})" if settings.rule == "decay" else "1.0"


def names_of(definitions: Sequence[OutcomeDefinition]) -> list[str]:
    """The names of the reports that are attributed."""
    return [definition.name for definition in definitions]

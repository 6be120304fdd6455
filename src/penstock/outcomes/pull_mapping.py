"""What a row of a pulled table reports: the words of a replay's mapping, with a target in each.

Pure: a row that is read again gives the same reports. Reasons never quote what a row holds.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from penstock.outcome_settings import PullSettings
from penstock.records.feedback import Feedback
from penstock.records.ids import feedback_id
from penstock.replay.binding import Binding, Row, RowError
from penstock.replay.mapping import FeedbackMapping, columns_of, read_binding, read_feedback
from penstock.replay.row_reports import RowReport, RowTarget, read_id, read_reports, report_digest


class PullMapping(Struct, frozen=True, kw_only=True):
    """A whole [pulls.NAME]."""

    name: str
    id: Binding | None
    rules: tuple[FeedbackMapping, ...]

    @property
    def columns(self) -> frozenset[str]:
        """Every column that some binding reads."""
        return columns_of([self.id]).union(*(rule.columns for rule in self.rules))

    def place_of_target(self, rule: FeedbackMapping) -> RowTarget:
        """Where a row names what a rule reports on, in place of what it names there: a row may name two tickets."""
        target = rule.target
        assert target is not None  # noqa: S101  a pull's rules all name one
        alike = [
            one.target.binding
            for one in self.rules
            if one.target and (one.target.kind, one.target.key) == (target.kind, target.key)
        ]
        return RowTarget(kind=target.kind, key=target.key, id=str(alike.index(target.binding)))


def read_pull_mapping(name: str, settings: PullSettings) -> PullMapping:
    """The mapping that a pull's settings say; raises ConfigurationError."""
    where = f"pulls.{name}"
    id_ = read_binding(settings.id, f"{where} id") if settings.id is not None else None
    return PullMapping(name=name, id=id_, rules=read_feedback(settings.feedback, where, has_own=False))


def map_row(row: Row, mapping: PullMapping, now: datetime) -> Iterator[Feedback | RowError]:
    """The reports of a row, and the reason for each that cannot be made."""
    for rule in mapping.rules:
        try:
            yield from _apply(rule, row, mapping, now)
        except RowError as error:
            yield error


def _apply(rule: FeedbackMapping, row: Row, mapping: PullMapping, now: datetime) -> list[Feedback]:
    found = read_reports(rule, row, now)
    id_ = read_id(mapping.id, row) if found else None
    made = []
    for report in found:
        assert report.target is not None  # noqa: S101  a pull's rules all name one
        # A row with an id that names another target is the same report; an item of a list has no other name than its target.
        known_by = report.target if id_ is None or rule.for_each is not None else mapping.place_of_target(rule)
        made.append(_feedback(report, report.target, report_digest(report, known_by, id_), mapping, now))
    return made


def _feedback(report: RowReport, target: RowTarget, known_as: str, mapping: PullMapping, now: datetime) -> Feedback:
    assert report.occurred_at is not None  # noqa: S101  read_reports wants one where there is a target
    key = f"pull:{mapping.name}:{known_as}"
    return Feedback(
        feedback_id=feedback_id(key),
        target_kind=target.kind,
        target_id=target.id,
        target_key=target.key,
        name=report.name,
        value=report.value,
        text=report.text,
        occurred_at=report.occurred_at,
        known_at=now,
        source=f"pull:{mapping.name}",
        idempotency_key=key,
        metadata=report.metadata,
    )

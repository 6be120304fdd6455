"""The tables of the lake, each declared once: its record is its schema; ids get Bloom filters; few columns get statistics.

`date`, the partition, is the UTC day of the time column. It must not change between revisions of a row.
"""

from msgspec import Struct

from penstock.errors import NotFoundError
from penstock.records.dataset import DatasetRow
from penstock.records.draw import Draw
from penstock.records.evaluation import EvaluationItem
from penstock.records.feedback import Feedback
from penstock.records.interaction import Interaction
from penstock.records.label import Label
from penstock.records.signal import Signal
from penstock.records.span import Span

PARTITION = "date"
_READER = "reader:"


class Table(Struct, frozen=True, kw_only=True):
    """One table: what its rows are, what names a row, and how it is laid out on disk."""

    name: str
    record: type[Struct]
    identity: tuple[str, ...]  # together they name a row; all revisions of it share them
    time_column: str  # its UTC day is the partition
    bloom_columns: tuple[str, ...]  # looked up by equality
    hidden_when: str = ""  # a row whose current revision has this column set is not shown

    @property
    def id_column(self) -> str:
        """The column by which rows are looked up."""
        return self.identity[-1]

    @property
    def has_revisions(self) -> bool:
        """Whether rows are amended by a higher revision; if not, the row known last is the one that counts."""
        return "revision" in self.record.__struct_fields__

    @property
    def statistics_columns(self) -> tuple[str, ...]:
        """Columns with statistics: times and revisions only, since statistics of texts and ids outlive an erasure."""
        return tuple(dict.fromkeys((self.time_column, "known_at", *(("revision",) if self.has_revisions else ()))))


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            name="spans",
            record=Span,
            identity=("span_key",),
            time_column="started_at",
            bloom_columns=("span_key", "trace_id", "span_id", "request_id", "response_id", "session_id"),
        ),
        Table(
            name="feedback",
            record=Feedback,
            identity=("feedback_id",),
            time_column="occurred_at",
            bloom_columns=("feedback_id", "target_id", "interaction_id"),
        ),
        Table(
            name="interactions",
            record=Interaction,
            identity=("interaction_id",),
            time_column="started_at",
            bloom_columns=("interaction_id", "trace_id", "span_id", "request_id", "response_id", "session_id", "user_id"),
            hidden_when="merged_into",
        ),
        Table(
            name="signals",
            record=Signal,
            identity=("signal_id",),
            time_column="occurred_at",
            bloom_columns=("signal_id", "target_id", "interaction_id", "session_id"),
        ),
        Table(
            name="labels",
            record=Label,
            identity=("label_id",),
            time_column="started_at",
            bloom_columns=("label_id", "target_id", "interaction_id"),
        ),
        Table(
            name="draws",
            record=Draw,
            identity=("draw_id",),
            time_column="known_at",
            bloom_columns=("draw_id", "target_id", "interaction_id"),
        ),
        Table(
            name="dataset_rows",
            record=DatasetRow,
            identity=("dataset_version_id", "row_hash"),
            time_column="started_at",
            bloom_columns=("row_hash",),
        ),
        Table(
            name="evaluation_items",
            record=EvaluationItem,
            identity=("evaluation_id", "item_id"),
            time_column="known_at",
            bloom_columns=("item_id", "interaction_id"),
        ),
    )
}


def find_table(name: str) -> Table:
    """The declaration of this table; NotFoundError names those that exist."""
    if name not in TABLES:
        raise NotFoundError(f"The lake has no table {name!r}; it has {', '.join(TABLES)}.")
    return TABLES[name]


def reader(source: str, who: str) -> str:
    """The transaction under which `who` keeps the last version of `source` it has read, on whichever table it writes.

    Vacuum and log clean-up never pass the lowest version kept under such a name.
    """
    return f"{_READER}{find_table(source).name}:{who}"


def source_of(app: str) -> str | None:
    """The table that a transaction is a reader's watermark of, if it is one."""
    return app.removeprefix(_READER).split(":")[0] if app.startswith(_READER) else None

"""`penstock show`: one interaction with all that is known of it, or the latest of a session or a user."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_json, print_rows
from penstock.errors import BadInputError, NotFoundError
from penstock.ingest.settle_outcomes import outcome_settling
from penstock.lake.lake import Lake
from penstock.outcomes.unexplained import COLUMNS, UNEXPLAINED, explain
from penstock.records.feedback import Feedback
from penstock.records.interaction import Interaction

# By which an interaction is known, in the order in which they are tried.
_NAMES = ("interaction_id", "request_id", "response_id", "span_id", "trace_id")
_LISTED = (
    "started_at", "interaction_id", "session_id", "user_id", "response_model", "prompt_text", "response_text", "finish_reason",
    "error_type",
)  # fmt: skip
_WHOLE = ("input_messages", "output_messages", "token_logprobs")  # shown with --json only: they repeat, or are numbers alone
_IDS = ("label_id", "supersedes")  # likewise
_MOST_CHARACTERS = 60  # of a text in a list
_ABOUT = {
    "signals": ("name", "value", "text", "definition", "occurred_at", "source"),
    "feedback": ("name", "value", "text", "status", "reason", "occurred_at", "source"),
    "labels": (
        "dimension",
        "value",
        "probability",
        "annotator_kind",
        "annotator",
        "rationale",
        "known_at",
        "label_id",
        "supersedes",
    ),
}


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `show`."""
    cli.command(name, help=summary)(show)


def show(
    identifier: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Id of an interaction, request, response, span, trace or report."),
    ] = None,
    session: Annotated[str | None, typer.Option(help="List the latest of this session.")] = None,
    user: Annotated[
        str | None, typer.Option(help="List the latest of this user, as the application names them or as stored.")
    ] = None,
    latest: Annotated[int, typer.Option(help="How many of them.", min=1)] = 50,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Show an interaction with its signals, feedback, labels and the datasets it is in, or list those of a session or user.

    Of the id of a report (`feedback_id`) show what has become of it, and why where it is about nothing yet.

    Only files that may hold the id are opened, so that it answers at once however much there is.
    """
    if sum(given is not None for given in (identifier, session, user)) != 1:
        raise BadInputError("Give one of these: an ID, --session ID or --user ID.")
    penstock = Penstock(options.load(home).settings)
    lake, redactor = penstock.lake, penstock.lake_redactor
    if identifier is not None:
        _show_known_by(penstock, identifier, latest, as_json=json)
    elif session is not None:
        _list(_find(lake, "session_id", [session, redactor.redact_id(session, "session")]), latest, as_json=json)
    elif user is not None:
        _list(_find(lake, "user_id", [user, redactor.hash_id(user, "user")]), latest, as_json=json)


def _show_known_by(penstock: Penstock, identifier: str, latest: int, *, as_json: bool) -> None:
    lake, redactor = penstock.lake, penstock.lake_redactor
    for name in _NAMES:
        found = _find(lake, name, [identifier, redactor.redact_id(identifier, name.removesuffix("_id"))], whole=True)
        if len(found) == 1:
            _show(lake, found[0], as_json=as_json)
            return
        if found:
            _list([{column: row[column] for column in _LISTED} for row in found], latest, as_json=as_json)
            return
    if _show_report(penstock, identifier, as_json=as_json):
        return
    raise NotFoundError(
        f"No interaction is known by {identifier!r}, neither by its own id nor by that of a request, response, span or trace, "
        "and no report. "
        "What came just now is settled within seconds where a worker runs; `penstock signals run` does it at once."
    )


def _show_report(penstock: Penstock, identifier: str, *, as_json: bool) -> bool:
    """Whether there is such a report; why it is about nothing is looked up now."""
    found = penstock.lake.find("feedback", "feedback_id", [identifier], Feedback.__struct_fields__)
    for row in found.to_pylist(maps_as_pydicts="lossy"):
        if row["status"] in UNEXPLAINED:
            (why,) = explain(penstock.lake, outcome_settling(penstock.settings), found.select(COLUMNS))
            row["reason"] = why.reason
        print_fields(row if as_json else {name: value for name, value in row.items() if value not in (None, {})}, as_json=as_json)
    return found.num_rows > 0


def _find(lake: Lake, column: str, values: Sequence[str], *, whole: bool = False) -> list[dict[str, Any]]:
    columns = Interaction.__struct_fields__ if whole else _LISTED
    found = lake.find("interactions", column, sorted(set(values)), columns)
    rows: list[dict[str, Any]] = found.to_pylist(maps_as_pydicts="lossy")
    return sorted(rows, key=lambda row: row["started_at"], reverse=True)


def _list(rows: Sequence[dict[str, Any]], latest: int, *, as_json: bool) -> None:
    kept = rows[:latest]
    if not as_json:
        kept = _without_empty_columns([{column: _shortened(value) for column, value in row.items()} for row in kept])
    print_rows(kept, as_json=as_json, empty="No interaction of it is here.")


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        return value[: _MOST_CHARACTERS - 1] + "…"
    return value


def _without_empty_columns(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    said = {column for row in rows for column, value in row.items() if value is not None}
    return [{column: value for column, value in row.items() if column in said} for row in rows]


def _show(lake: Lake, row: dict[str, Any], *, as_json: bool) -> None:
    interaction_id = row["interaction_id"]
    about = {table: _told_of(lake, table, interaction_id) for table in _ABOUT}
    datasets = _datasets(lake, interaction_id)
    if as_json:
        print_json({"interaction": row, **about, "datasets": datasets})
        return
    told = {name: value for name, value in row.items() if value not in (None, {}, []) and name not in _WHOLE}
    print_fields(told, as_json=False)
    for title, rows in (*about.items(), ("datasets", datasets)):
        if rows:
            print()
            kept = [{name: value for name, value in row.items() if name not in _IDS} for row in rows]
            print_rows(_without_empty_columns(kept), as_json=False, title=title)


def _told_of(lake: Lake, table: str, interaction_id: str) -> list[dict[str, Any]]:
    """What stands, the oldest first; a label that another has superseded does not."""
    found = lake.find(table, "interaction_id", [interaction_id], _ABOUT[table])
    rows: list[dict[str, Any]] = found.to_pylist(maps_as_pydicts="lossy")
    superseded = {row["supersedes"] for row in rows if row.get("supersedes")}
    standing = [row for row in rows if row.get("label_id") not in superseded]
    return sorted(standing, key=lambda row: row["occurred_at" if "occurred_at" in row else "known_at"])


def _datasets(lake: Lake, interaction_id: str) -> list[dict[str, Any]]:
    rows = lake.current("dataset_rows")
    within = rows.filter(rows.interaction_ids.contains(interaction_id)).select(
        "dataset_version_id", "split", "weight", "row_hash"
    )
    found: list[dict[str, Any]] = within.to_pyarrow().to_pylist()
    return found

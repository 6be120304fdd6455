"""The part of `penstock outcomes` that brings outcomes in: pulls, git and test reports."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_json, print_rows, to_plain
from penstock.edge.run_file import read_run_file
from penstock.errors import BadInputError, ConfigurationError, NotFoundError, PenstockError
from penstock.ingest.redact import Redaction
from penstock.outcomes.committed import Fates, find_fates
from penstock.outcomes.git_repository import GitRepository
from penstock.outcomes.junit import read_results, report_results
from penstock.outcomes.pull import Puller, Source, load_sources, show_mark
from penstock.outcomes.pull_state import StateFile
from penstock.outcomes.sending import send_reports
from penstock.outcomes.suggestions import find_suggestions
from penstock.records.feedback import OUTCOME_PREFIX
from penstock.settings import Settings

_OWN_VARIABLES = ("PENSTOCK_API_KEY",)
_NONE = "No table is pulled; write [pulls.NAME] into penstock.toml (docs/outcome-sources.md)."

Edge = Annotated[str | None, typer.Option("--edge", help="URL of the edge; default: the one that runs on this home.")]


def add_to(outcomes: typer.Typer) -> None:
    """Add these commands to the group."""
    outcomes.command("sources")(sources)
    outcomes.command("pull")(pull)
    outcomes.command("git")(git)
    outcomes.command("junit")(junit)


def sources(home: options.Home = None, json: options.Json = False) -> None:
    """List the tables that are pulled: how often, how far, and what went wrong last."""
    settings = _settings(home)
    rows = [_describe(source, settings) for source in load_sources(settings.pulls).values()]
    if json:
        print_json(rows)
        return
    shown = ("name", "every_s", "last_run", "rows", "reports", "unreadable", "watermark")
    print_rows([{name: row[name] for name in shown} for row in rows], as_json=False, empty=_NONE)
    _print_reasons(rows, "reasons", "last_error")


def _print_reasons(rows: list[dict[str, Any]], reasons: str, error: str) -> None:
    """Why reports could not be made and sources not be read, a line each, whole however narrow the terminal is."""
    for row in rows:
        for reason, count in row[reasons].items():
            print(f"  {row['name']}: {count} unreadable, {reason}")
        if row[error] is not None:
            print(f"  {row['name']}: {row[error]}")


def _describe(source: Source, settings: Settings) -> dict[str, Any]:
    state = StateFile(settings.home_path, source.name).load()
    return {
        "name": source.name,
        "every_s": source.settings.every_s,
        "last_run": state.last_run_at,
        "rows": state.rows,
        "reports": state.reports,
        "unreadable": sum(state.unreadable.values()),
        "watermark": show_mark(state.watermark),
        "last_error": state.last_error,
        "reasons": state.unreadable,
    }


def pull(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which table; default: all of them.")] = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Read what is new in the tables of [pulls.NAME] now; a running worker does so by itself."""
    penstock = Penstock(_settings(home))
    found = load_sources(penstock.settings.pulls)
    if name is not None and name not in found:
        raise NotFoundError(f"There is no [pulls.{name}]; there is {', '.join(found) or 'none at all'}.")
    redaction = Redaction(penstock.lake_redactor, penstock.settings.policy.redact.hashed_keys)
    puller = Puller(penstock.lake, redaction, penstock.clock, os.environ)
    rows, failures = [], []
    for source in [found[name]] if name is not None else found.values():
        try:
            pulled = puller.pull(source, StateFile(penstock.home, source.name))
            rows.append({**to_plain(pulled), "error": None})
        except PenstockError as error:
            if name is not None:
                raise
            rows.append({"name": source.name, "rows": 0, "reports": 0, "unreadable": {}, "unmarked": 0, "watermark": None})
            rows[-1]["error"] = str(error)
            failures.append(source.name)
    if json:
        print_json(rows)
    else:
        counted = [{**row, "unreadable": sum(row["unreadable"].values())} for row in rows]
        shown = [{name: value for name, value in row.items() if name != "error"} for row in counted]
        print_rows(shown, as_json=False, empty=_NONE)
        _print_reasons(rows, "unreadable", "error")
    if failures:
        raise PenstockError(f"Could not pull {', '.join(failures)}; the others are done.")


def git(
    repository: Annotated[Path, typer.Argument(help="A clone of the repository in which the suggestions may have ended.")],
    since: Annotated[
        str | None, typer.Option("--since", help="Only commits after this revision; default: the last 1000.")
    ] = None,
    survived_after_days: Annotated[
        float,
        typer.Option("--survived-after-days", min=0, help="Age of a commit from which on it is asked what is still there."),
    ] = 7.0,
    by_key: Annotated[
        str | None,
        typer.Option("--key", help="Business key that holds a commit's hash, for interactions that no trailer names."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be reported, and report nothing.")] = False,
    edge: Edge = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Report how much of each suggestion was committed, and how much of it is still there at HEAD.

    Commits name the requests that they come from in a trailer, `Penstock-Request: ID`. A key for the edge is read from
    PENSTOCK_API_KEY.
    """
    penstock = Penstock(_settings(home))
    clone = GitRepository(repository)
    commits = clone.commits(since)
    redactor = penstock.lake_redactor
    hashed = Redaction(redactor, penstock.settings.policy.redact.hashed_keys)
    names = {request: redactor.redact_id(request, "request") for commit in commits for request in commit.request_ids}
    keys = {commit.sha: hashed.key(by_key, commit.sha) for commit in commits} if by_key else {}
    suggestions = find_suggestions(penstock.lake, names, by_key, keys)
    fates = find_fates(clone, commits, suggestions, survived_after_days)
    if not dry_run:
        _send(fates.reports, edge, penstock.settings)
    _print_fates(fates, as_json=json)


def _print_fates(fates: Fates, *, as_json: bool) -> None:
    if as_json:
        print_fields(to_plain(fates), as_json=True)
        return
    print(f"{fates.commits} commits, {fates.suggestions} suggestions in them, {len(fates.reports)} reports")
    for report in fates.reports:
        print(f"  {report['name']} {report['value']:.2f} {report.get('request_id') or report['span_id']}: {report['text']}")
    for reason, count in fates.passed_over.items():
        print(f"  {count} passed over: {reason}")


def junit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JUnit XML, as pytest, Maven and others write it.")],
    key: Annotated[
        str | None, typer.Option("--key", metavar="NAME=VALUE", help="What was tested, by a business key, such as commit=SHA.")
    ] = None,
    request: Annotated[
        list[str] | None, typer.Option("--request", help="What was tested, by the id of a request; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the outcome; `outcome.` before it is added.")] = "tests",
    edge: Edge = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Report whether the tests passed, from JUnit XML: 1 where all did, 0 where one did not.

    A key for the edge is read from PENSTOCK_API_KEY.
    """
    settings = _settings(home)
    results = read_results(files)
    reports = report_results(results, _targets(key, request or []), _outcome_name(name))
    _send(reports, edge, settings)
    print_fields({**to_plain(results), "value": reports[0]["value"], "reports": len(reports)}, as_json=json)


def _outcome_name(name: str) -> str:
    bare = name.removeprefix(OUTCOME_PREFIX).strip()
    if not bare:
        raise ConfigurationError(f"--name {name!r} names no outcome; write --name unit_tests.")
    return OUTCOME_PREFIX + bare


def _targets(key: str | None, requests: list[str]) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = [{"request_id": request} for request in dict.fromkeys(requests)]
    if key is not None:
        name, separator, value = key.partition("=")
        if not separator or not name or not value:
            raise ConfigurationError(f"--key {key!r} names nothing; write --key commit=SHA.")
        targets.append({"key": {"name": name, "value": value}})
    if not targets:
        raise ConfigurationError("Say what was tested: --key commit=SHA, or --request ID.")
    return targets


def _settings(home: Path | None) -> Settings:
    environment = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
    return options.load(home, environment=environment).settings


def _send(reports: list[dict[str, Any]], edge: str | None, settings: Settings) -> None:
    running = read_run_file(settings.home_path)
    url = edge or (running.url if running is not None else f"http://{settings.edge.host}:{settings.edge.port}")
    refused = send_reports(reports, url, os.environ.get("PENSTOCK_API_KEY"))
    if refused:
        raise BadInputError(f"The edge refused {len(refused)} of {len(reports)} reports: {refused[0]}")

"""Erasure: everything that Penstock holds of some users goes, and a report says which sets and checkpoints had seen them.

The lake is written by nobody else meanwhile; the edges go on accepting into their spools. Tombstones come first, so that a run
that dies is finished by asking again, and nothing late slips in. The registry and the report name nobody.
"""

import time
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow as pa
from msgspec import Struct

from penstock.datasets.erase import erase_from_datasets
from penstock.datasets.lineage import datasets_behind
from penstock.evaluation.erase import erase_from_suites
from penstock.ingest.scrub import Scrubber
from penstock.ingest.spool import adopt_spools, scrubbed_path
from penstock.ingest.tombstones import add_tombstones
from penstock.lake.arrow_values import column_values
from penstock.lake.lake import Lake
from penstock.lake.place import Place
from penstock.records.clock import utc_now
from penstock.records.erasure import Erasure
from penstock.records.feedback import Feedback
from penstock.records.ids import random_id
from penstock.records.training import TrainingRunState
from penstock.worker.erasure_scope import ErasureScope, find_scope
from penstock.worker.stages import Stages
from penstock.worker.stores import Stores

_POLL_S = 0.1
_BY_INTERACTION = "interaction_id IN (SELECT id FROM erased_interactions)"
_BY_SESSION = "session_id IN (SELECT id FROM erased_sessions)"

# Table -> which of its rows go; `dataset_rows` leave tombstones, and are the datasets' to erase. What tells whose a row is goes
# last, so that a run that was cut short finds the rest again.
CONDITIONS: dict[str, str] = {
    "labels": f"{_BY_INTERACTION} OR other_interaction_id IN (SELECT id FROM erased_interactions)"
    " OR (target_kind = 'session' AND target_id IN (SELECT id FROM erased_sessions))",
    "draws": _BY_INTERACTION,
    "evaluation_items": _BY_INTERACTION,
    "signals": f"{_BY_INTERACTION} OR {_BY_SESSION}",
    "feedback": "feedback_id IN (SELECT id FROM erased_feedback)"
    " OR list_has_any(map_keys(attribution), (SELECT list(id) FROM erased_interactions))",
    "interactions": _BY_INTERACTION,
    "spans": "span_key IN (SELECT id FROM erased_spans)",
}


class ErasureReport(Struct, frozen=True, kw_only=True):
    """What was found and erased; ids of sets, suites and checkpoints, and numbers."""

    erasure_id: str
    users: int
    interactions: int
    rows: dict[str, int]  # rows erased, by table
    datasets: dict[str, int]  # rows erased, by dataset version
    suites: dict[str, int]  # items erased, by suite
    checkpoints: list[str]  # trained on a set that had seen a user, themselves or through their parents
    training_runs: list[str]  # still at work on such a set
    files: int  # deleted
    unscrubbed_spools: list[str]  # of edges that have not answered; they drop what is erased when they flush
    seconds: float


def erase_users(
    stores: Stores, users: Collection[str], wait_s: float, say: Callable[[str], None] = lambda _: None
) -> ErasureReport:
    """Erase these users, given as keyed hashes; `wait_s` is how long to wait for the edges to clean their spools."""
    began = time.monotonic()
    lake, at = stores.open_lake(), utc_now()
    erasure_id = random_id("x")
    stores.registry.erasures.create(Erasure(erasure_id=erasure_id, users=len(users), requested_at=at))
    say("Waiting for those who write to the lake")
    with lake.alone():
        say("Settling what has arrived")
        Stages(stores.registry, stores.settings, stores.clock).run(lake)
        say("Looking for what belongs to them")
        scope = find_scope(lake, users)
        add_tombstones(lake.root, erasure_id, scope.tombstones())
        datasets = erase_from_datasets(lake, stores.registry, scope.interactions, erasure_id, stores.clock.known_at())
        suites = erase_from_suites(stores.registry, scope.interactions, scope.users, erasure_id, at)
        known_at = stores.clock.known_at()
        rows = {table: _erase(lake, table, scope, known_at, say) for table in CONDITIONS}
        say("Deleting files that no longer count")
        files = lake.purge()
    for user in users:
        stores.registry.audit.erase(user, at)
    say("Waiting for the edges to clean their spools")
    unscrubbed = _scrub_spools(stores, lake.root, erasure_id, wait_s)
    report = ErasureReport(
        erasure_id=erasure_id,
        users=len(users),
        interactions=len(scope.interactions),
        rows=rows,
        datasets=datasets,
        suites=suites,
        checkpoints=_checkpoints_of(stores, datasets),
        training_runs=_runs_on(stores, datasets),
        files=files,
        unscrubbed_spools=unscrubbed,
        seconds=time.monotonic() - began,
    )
    stores.registry.erasures.finish(erasure_id, msgspec.json.encode(report).decode(), utc_now())
    return report


def _erase(lake: Lake, table: str, scope: ErasureScope, known_at: datetime, say: Callable[[str], None]) -> int:
    say(f"Erasing from {table}")
    given = {
        "erased_interactions": _ids(scope.interactions),
        "erased_sessions": _ids(scope.sessions),
        "erased_spans": _ids(scope.spans),
    }
    if table == "feedback":
        given["erased_feedback"] = _reports_on(lake, scope)
        _let_go_of_shares(lake, scope, given["erased_feedback"], known_at)
    return lake.erase(table, CONDITIONS[table], given)


def _ids(values: Collection[str]) -> pa.Table:
    return pa.table({"id": pa.array(sorted(values), pa.string())})


def _reports_on(lake: Lake, scope: ErasureScope) -> pa.Table:
    """Reports that were settled on what goes and on nothing that stays, and those whose target is a name of nothing else."""
    rows = lake.revisions("feedback").select(
        "feedback_id", "target_kind", "target_key", "target_id", "interaction_id", "session_id", "attribution"
    )
    found = rows.to_pyarrow()
    columns = (column_values(found.column(name)) for name in found.column_names)
    ids = {
        report
        for report, kind, key, identifier, interaction, session, shares in zip(*columns, strict=True)
        if interaction in scope.interactions
        or session in scope.sessions
        or (shares and scope.interactions.issuperset(shares))
        or (interaction is None and session is None and (kind, key, identifier) in scope.targets)
    }
    return _ids(ids)


def _let_go_of_shares(lake: Lake, scope: ErasureScope, erased: pa.Table, known_at: datetime) -> None:
    """Say of outcomes that others have a share in what the others' is, before the rows that name an erased interaction go."""
    named = lake.ids_with_key("feedback", "attribution", _ids(scope.interactions))
    current = lake.current("feedback", ids=named)
    reports: list[Feedback] = lake.to_records("feedback", current.filter(current.attribution.notnull()))
    gone = set(erased.column("id").to_pylist())
    left = []
    for report in reports:
        shares = {one: share for one, share in (report.attribution or {}).items() if one not in scope.interactions}
        if report.feedback_id not in gone and len(shares) < len(report.attribution or {}):
            after = {"attribution": shares, "revision": report.revision + 1, "known_at": known_at}
            left.append(msgspec.structs.replace(report, **after))
    lake.append("feedback", left)


def _checkpoints_of(stores: Stores, datasets: Collection[str]) -> list[str]:
    checkpoints = [checkpoint.checkpoint_id for checkpoint in stores.registry.checkpoints.list()]
    return [name for name in checkpoints if not set(datasets).isdisjoint(datasets_behind(stores.registry, name))]


def _runs_on(stores: Stores, datasets: Collection[str]) -> list[str]:
    """Runs that have read such a set and may still make a checkpoint of it."""
    return [
        run.training_run_id
        for run in stores.registry.runs.list()
        if run.dataset_version_id in datasets and run.state in (TrainingRunState.PENDING, TrainingRunState.RUNNING)
    ]


def _scrub_spools(stores: Stores, lake_root: Place, erasure_id: str, wait_s: float) -> list[str]:
    """Clean the spools and queues that no edge holds, and wait for the edges that hold one; those that do not answer in time."""
    home = stores.settings.home_path
    folders = [home / "spool", *sorted(path for path in (home / "forward").glob("*") if path.is_dir())]
    scrubber = Scrubber(lake_root)
    for folder in folders:
        for spool in adopt_spools(folder, stores.settings.edge.spool_max_bytes) if folder.is_dir() else ():
            scrubber.scrub(spool)
            spool.close(delete_if_empty=True)
    deadline = time.monotonic() + wait_s
    while left := [str(path.relative_to(home)) for folder in folders for path in _unscrubbed(folder, erasure_id)]:
        if time.monotonic() >= deadline:
            return left
        time.sleep(_POLL_S)
    return []


def _unscrubbed(folder: Path, erasure_id: str) -> list[Path]:
    return [path for path in sorted(folder.glob("*.db")) if not _is_scrubbed(path, erasure_id)]


def _is_scrubbed(path: Path, erasure_id: str) -> bool:
    try:
        return scrubbed_path(path).read_text() == erasure_id
    except FileNotFoundError:
        return not path.exists()

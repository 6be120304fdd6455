"""What a home's lake holds in the end, and whether every acknowledged span is in it exactly once."""

from collections import Counter
from collections.abc import Set as AbstractSet
from pathlib import Path

from penstock.ingest.flush import Flusher
from penstock.ingest.settle import settle_interactions
from penstock.ingest.spool import adopt_spools, create_spool
from penstock.lake.lake import Lake
from penstock.lake.tables import TABLES
from penstock.records.clock import WriterClock
from penstock.settings import LakeSettings

_PLENTY = 4 * 1024**3


def open_lake(home: Path) -> Lake:
    """The lake of a home."""
    lake = Lake(home / "lake", LakeSettings())
    lake.create()
    return lake


def bring_home(home: Path, lake: Lake | None = None) -> Lake:
    """What the next edge and worker would do, here: flush every spool, then settle; no process may have one."""
    lake = lake or open_lake(home)
    spool = create_spool(home / "spool", _PLENTY)
    Flusher(lake, spool, 100_000, adopt_spools(home / "spool", _PLENTY)).run_once()
    spool.close(delete_if_empty=True)
    assert [path.name for path in (home / "spool").glob("*.db")] == []
    for table in TABLES:
        lake.repair(table)
    settle_interactions(lake, WriterClock())
    return lake


def span_ids(lake: Lake, table: str) -> list[str]:
    """The span of every row that counts."""
    return list(lake.current(table).select("span_id").to_pyarrow()["span_id"].to_pylist())


def require_exactly_once(lake: Lake, acknowledged: AbstractSet[str], sent_once: AbstractSet[str]) -> None:
    """Every acknowledged span is one interaction, with each revision once; and one span row, if it was sent once."""
    counts = Counter(span_ids(lake, "interactions"))
    assert [span for span, count in counts.items() if count > 1] == []
    assert sorted(acknowledged - counts.keys()) == []
    revisions = lake.revisions("interactions").select("interaction_id", "revision").to_pyarrow().to_pylist()
    assert [row for row, count in Counter(map(_row, revisions)).items() if count > 1] == []
    rows = Counter(lake.revisions("spans").select("span_id").to_pyarrow()["span_id"].to_pylist())
    assert [span for span in sent_once if rows[span] != 1] == []


def _row(found: dict[str, object]) -> tuple[object, ...]:
    return tuple(found.values())

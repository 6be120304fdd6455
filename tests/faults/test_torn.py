"""An edge that dies between a commit and its fsync, the commit then torn as a power cut leaves it: everything is there, once."""

from pathlib import Path

import pytest

from penstock.lake.transaction_log import list_versions
from tests.edge.live_server import wait_for
from tests.faults.load import send_chats, span_name
from tests.faults.processes import Edge, killed_at_the_end
from tests.faults.stored import bring_home, require_exactly_once
from tests.lake.torn import files_of, tear_entry, tear_file

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    ("torn", "share"),
    [
        ("log entry", 0.0),
        ("data file", 0.6),
        pytest.param("log entry", 0.6, marks=pytest.mark.slow),
        pytest.param("data file", 0.0, marks=pytest.mark.slow),
    ],
)
def test_a_commit_torn_before_it_was_durable_is_written_again(
    home: Path, recorder_library: Path, torn: str, share: float
) -> None:
    spans = home / "lake" / "spans"
    edge = Edge(home, {"LD_PRELOAD": str(recorder_library), "DIE_AT": f"{spans}/date="})
    with killed_at_the_end(edge):
        edge.start_ready()
        assert send_chats(edge.url, [1, 2, 3]) == 200
        wait_for(lambda: not edge.is_running(), 60)
    version = list_versions(spans)[-1]
    (data,) = files_of(spans, version)
    if torn == "log entry":
        tear_entry(spans, version, share)
    else:
        tear_file(data, share)
    edge = Edge(home)
    with killed_at_the_end(edge):
        edge.start_ready()
        assert send_chats(edge.url, [4]) == 200
        edge.stop()
    names = {span_name(number) for number in range(1, 5)}
    require_exactly_once(bring_home(home), names, names)

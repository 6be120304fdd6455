from penstock.ingest.settle import WATERMARK
from penstock.lake.lake import Lake
from penstock.lake.watermarks import Horizon, advancing
from tests.rows import make_span


def test_a_commit_names_only_the_watermarks_that_it_moves_on(lake: Lake) -> None:
    lake.append("interactions", [], transactions={WATERMARK: 3})
    assert advancing(lake, "interactions", {WATERMARK: 3, "reader:feedback:x": 2}) == {"reader:feedback:x": 2}
    assert advancing(lake, "interactions", {WATERMARK: 4}) == {WATERMARK: 4}


def test_a_run_ends_at_what_was_there_when_it_began_however_much_arrives_meanwhile(lake: Lake) -> None:
    lake.append("spans", [make_span("ab", "1")])
    horizon = Horizon(lake, "interactions", [WATERMARK])
    assert not horizon.is_reached()
    began = lake.version("spans")
    lake.append("spans", [make_span("ab", "2")])
    lake.append("interactions", [], transactions={WATERMARK: began})
    assert horizon.is_reached()

import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.settings import Settings
from tests.rows import make_span, trace


def test_what_is_settled_by_hand_is_sampled_as_the_worker_does(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_POLICY_SAMPLE_SAMPLING_PERCENTAGE", "0.001")
    penstock = Penstock(settings)
    penstock.lake.append("spans", [make_span(trace(1), "s", response_text="hello", content_present=True)])
    result = CliRunner().invoke(build_cli("signals"), ["signals", "run", "--home", settings.home], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (row,) = penstock.lake.to_records("interactions", penstock.lake.current("interactions"))
    assert (row.content_sampled, row.response_text, row.sample_probability) == (False, None, 0.00001)

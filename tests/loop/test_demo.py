"""`penstock demo` from its first to its last line: what it promises must hold for any seed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.demo.script import FIGURES_FILE

DECISIONS = ["released", "released", "refused", "rolled_back"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_good_candidates_are_released_and_bad_ones_stopped_by_the_gates_alone(tmp_path: Path, seed: int) -> None:
    home = tmp_path / "demo"
    penstock = [sys.executable, "-m", "penstock.cli"]
    done = subprocess.run(
        [*penstock, "demo", "--home", str(home), "--seed", str(seed), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    turns = result["turns"]
    assert [turn["decision"] for turn in turns] == DECISIONS, done.stderr[-4000:]
    start, learned = turns[0], turns[1]
    assert learned["acceptance_after"] >= 1.5 * start["acceptance_before"]
    assert learned["suggestion_rate_after"] <= 0.8 * start["suggestion_rate_before"]
    assert learned["reward_after"] > start["reward_before"]
    assert result["serving"] == learned["checkpoint_id"]
    assert 0 < result["rollback_seconds"] < 1
    assert turns[3]["p_value"] is not None and turns[3]["p_value"] < 0.05
    query = (home / FIGURES_FILE).read_text()
    found = subprocess.run(
        [*penstock, "sql", "--home", str(home), "--json", "-"], input=query, capture_output=True, text=True, check=True
    )
    rows = {(row["phase"], row["language"]): row for row in json.loads(found.stdout)}
    first = rows[("typed-1", "py")]
    assert first["accepted"] / first["suggestions"] == pytest.approx(start["acceptance_before"])

"""`penstock labels import`: what is typed imports answers, and says which rows it refused."""

import json

import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.errors import BadInputError
from tests.rows import make_interaction


def run(settings, path, *more):
    arguments = ["labels", "import", str(path), "--home", settings.home, *more]
    return CliRunner().invoke(build_cli("labels"), arguments, catch_exceptions=False)


def test_answers_are_imported_and_counted_with_the_labels(settings, tmp_path):
    one = make_interaction(0)
    Penstock(settings).lake.append("interactions", [one])
    path = tmp_path / "answers.csv"
    path.write_text(f"interaction_id,value\n{one.interaction_id},yes\n")
    told = json.loads(run(settings, path, "--json").output)
    assert told == {"rows": 1, "labels": 1, "unchanged": 0, "refused": []}
    result = CliRunner().invoke(build_cli("labels"), ["labels", "counts", "--home", settings.home, "--json"])
    assert json.loads(result.output) == [{"dimension": "good", "annotator": "imported", "value": 1.0, "labels": 1}]


def test_refused_rows_are_shown_and_the_others_stay(settings, tmp_path):
    one = make_interaction(0)
    lake = Penstock(settings).lake
    lake.append("interactions", [one])
    path = tmp_path / "answers.csv"
    path.write_text(f"interaction_id,value\nnobody,1\n{one.interaction_id},1\n")
    with pytest.raises(BadInputError, match="1 of 2 rows"):
        run(settings, path)
    assert lake.current("labels").count().to_pyarrow().as_py() == 1

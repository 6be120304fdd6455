"""`penstock labels model`, on a lake and on a file of votes."""

import json

import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.errors import BadInputError
from tests.labels.test_model_run import fill
from tests.statistics.crowd_sets import CROWD, anaesthetists, needs_crowds


def run(*arguments, catch=False):
    result = CliRunner().invoke(build_cli("labels"), ["labels", "model", *map(str, arguments)], catch_exceptions=catch)
    assert catch or result.exit_code == 0, result.output
    return result


@pytest.fixture
def filled(settings):
    lake = Penstock(settings).lake
    fill(lake, 600)
    return settings.home


def test_the_table_says_what_each_function_is_worth(filled):
    said = run("--home", filled).output
    assert "labels_written" in said
    assert "rated_high" in said and "on_bad" in said
    assert "Never voted: came_back, " in said


def test_json_has_every_function(filled):
    said = json.loads(run("--home", filled, "--json").stdout)
    functions = {one["function"]: one for one in said["functions"]}
    assert said["interactions"] == 600
    assert functions["accepted"]["coverage"] == pytest.approx(0.4, abs=0.1)
    assert functions["likely_completed"]["coverage"] == 0.0
    assert json.loads(run("--home", filled, "--json", "--method", "triplets").stdout)["method"] == "triplets"


def test_too_few_votes_are_an_error_that_says_what_there_is(settings):
    Penstock(settings)
    with pytest.raises(BadInputError, match="Votes on 0 interactions: none"):
        run("--home", settings.home)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--truth", "t.csv"], "go with --votes"),
        (["--method", "majority"], "none of dawid_skene, triplets"),
        (["--votes", "v.csv", "--method", "wishful"], "none of dawid_skene, triplets, majority"),
    ],
)
def test_options_that_do_not_fit_are_refused(settings, arguments, said):
    with pytest.raises(BadInputError, match=said):
        run("--home", settings.home, *arguments)


@pytest.mark.parametrize(("where", "said"), [("", "is there already"), ("v.csv", "is there already"), ("no/x.csv", "no folder")])
def test_where_nothing_can_be_written_is_told_before_the_fit(settings, tmp_path, where, said):
    file = tmp_path / "v.csv"
    file.write_text("item,annotator,answer\n1,a,yes\n")
    with pytest.raises(BadInputError, match=said):
        run("--home", settings.home, "--votes", file, "--output", tmp_path / where)
    assert file.read_text().endswith("1,a,yes\n")


def test_the_anaesthetists_patients_have_the_published_prevalences(settings, tmp_path):
    votes = anaesthetists()
    file = tmp_path / "votes.csv"
    rows = zip(votes.item.tolist(), votes.annotator.tolist(), (votes.answer + 1).tolist(), strict=True)
    file.write_text("item,annotator,answer\n" + "".join(f"{item},{who},{grade}\n" for item, who, grade in rows))
    said = json.loads(run("--home", settings.home, "--votes", file, "--json", "--output", tmp_path / "out.csv").stdout)
    assert list(said["prevalence"]) == ["1", "2", "3", "4"]
    assert list(said["prevalence"].values()) == pytest.approx([0.4000, 0.4216, 0.1118, 0.0667], abs=0.001)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 46


@needs_crowds
@pytest.mark.parametrize(("name", "accuracy", "majority"), [("d_product", 0.9366, 0.8966), ("rte", 0.9275, 0.875)])
def test_crowds_are_answered_as_well_as_published(settings, name, accuracy, majority):
    given = ["--home", settings.home, "--json", "--votes", CROWD / name / "label.csv", "--truth", CROWD / name / "truth.csv"]
    assert json.loads(run(*given).stdout)["accuracy"] >= accuracy
    assert json.loads(run(*given, "--method", "majority").stdout)["accuracy"] == pytest.approx(majority, abs=0.0001)

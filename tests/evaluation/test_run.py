"""An evaluation is run once, in its own process, and leaves its score in the registry and every item in the lake."""

import math

import pytest
from msgspec.structs import replace

from penstock.errors import ConfigurationError, NotFoundError, UpstreamError
from penstock.evaluation.run import Evaluator, address_for, model_address, name_evaluation, require_suite
from penstock.evaluation.suite_files import exact_item, freeze_exact_match
from penstock.evaluation.verdict import Tolerances
from penstock.records.clock import utc_now
from penstock.records.training import Checkpoint
from penstock.settings import Settings, UpstreamSettings
from tests.evaluation.server import answering


def checkpoint(registry, name, upstream="local"):
    return registry.checkpoints.put(
        Checkpoint(
            checkpoint_id=name,
            name=name,
            content_hash="b2:" + name,
            uri=None,
            upstream=upstream,
            model=name,
            created_at=utc_now(),
        )
    )


@pytest.fixture
def lake(empty_lake):
    return empty_lake


@pytest.fixture
def suite(registry, home):
    items = [exact_item([{"role": "user", "content": text}], text) for text in "abcd"]
    return freeze_exact_match(registry, home / "artifacts", "copy", items, utc_now())


def evaluator(registry, lake, home, base_url):
    settings = Settings(home=str(home))
    gateway = replace(settings.gateway, upstreams={"local": UpstreamSettings(base_url=base_url)})
    return Evaluator(lake, registry, home / "artifacts", replace(settings, gateway=gateway))


def test_an_evaluation_is_run_once_and_kept_item_by_item(registry, lake, home, suite):
    calls = []

    def echo(_path, asked):
        calls.append(asked["model"])
        return 200, {"choices": [{"message": {"content": asked["messages"][0]["content"]}}]}

    new, old = checkpoint(registry, "c_new"), checkpoint(registry, "c_old")
    with answering(echo) as base_url:
        examine = evaluator(registry, lake, home, base_url)
        first = examine.evaluate(suite, new, old, Tolerances(), utc_now())
        second = examine.evaluate(suite, new, old, Tolerances(), utc_now())
    assert first.evaluation_id == second.evaluation_id
    assert (first.score, first.passed, first.items, len(calls)) == (1.0, True, 4, 8)
    assert lake.revisions("evaluation_items").count().to_pyarrow().as_py() == 4


def test_a_result_left_by_a_worker_that_died_is_taken_as_it_is(registry, lake, home, suite):
    new, old = checkpoint(registry, "c_new"), checkpoint(registry, "c_old")
    folder = home / "artifacts" / "evaluations" / name_evaluation(suite, new, old, Tolerances())
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(
        '{"score":0.5,"score_low":0.1,"score_high":0.9,"baseline_score":0.5,"difference":0.0,"difference_low":-0.2,'
        '"difference_high":0.2,"passed":true,"reason":"as before","items":[]}'
    )
    examine = evaluator(registry, lake, home, "http://127.0.0.1:9/v1")
    assert examine.evaluate(suite, new, old, Tolerances(), utc_now()).reason == "copy: as before"


def test_a_model_server_that_is_not_there_is_an_upstream_error(registry, lake, home, suite):
    new, old = checkpoint(registry, "c_new"), checkpoint(registry, "c_old")
    with pytest.raises(UpstreamError, match="cannot be reached"):
        evaluator(registry, lake, home, "http://127.0.0.1:9/v1").evaluate(suite, new, old, Tolerances(), utc_now())
    assert registry.evaluations.list() == []


def test_another_tolerance_is_another_evaluation(registry, suite):
    new, old = checkpoint(registry, "c_new"), checkpoint(registry, "c_old")
    strict = name_evaluation(suite, new, old, Tolerances(exact_match=0.0))
    assert strict != name_evaluation(suite, new, old, Tolerances())
    assert strict == name_evaluation(suite, new, old, Tolerances(exact_match=0.0, held_out_margin=math.inf))


def test_a_checkpoint_on_an_unknown_upstream_is_a_configuration_error(registry):
    with pytest.raises(ConfigurationError, match=r"\[gateway.upstreams.elsewhere\]"):
        model_address(Settings(), checkpoint(registry, "c_new", "elsewhere"))


def test_an_unknown_suite_is_named_with_those_that_exist(registry, suite):
    assert require_suite(registry, "copy") == suite
    with pytest.raises(NotFoundError, match="there are: copy"):
        require_suite(registry, "reverse")


def test_a_classifier_is_found_in_its_folder_and_a_hosted_model_is_none(registry, suite, settings):
    detection = replace(suite, kind="detection")
    here = replace(checkpoint(registry, "c_here"), uri="/checkpoints/c_here")
    assert address_for(detection, settings, here).folder == "/checkpoints/c_here"
    with pytest.raises(ConfigurationError, match="'c_hosted' is a hosted model"):
        address_for(detection, settings, checkpoint(registry, "c_hosted"))

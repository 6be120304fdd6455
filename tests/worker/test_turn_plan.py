"""A plan is checked when it is made, and comes back from the registry as it went in."""

import pytest

from penstock.errors import BadInputError, ConfigurationError
from penstock.settings import ReleaseSettings
from penstock.worker.turn_plan import TurnPlan, decode_plan, encode_plan, parse_plan, release_settings


def test_a_plan_comes_back_as_it_was():
    plan = TurnPlan(route="tab", regression_suites=("copy",), recipe_config={"epochs": 2}, release={"min_users": 50})
    assert decode_plan(encode_plan(plan)) == plan


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"route": "tab", "recipe": "grpo"}, "no recipe 'grpo'; choose from sft, kto, policy_gradient"),
        ({"route": "tab", "kind": "dpo"}, "no dataset kind 'dpo'"),
        ({"route": "tab", "limits": 3}, "unknown field `limits`"),
        ({}, "missing required field `route`"),
        ({"route": "tab", "held_out": False}, "names no suite"),
        ({"route": "cards", "recipe": "classifier"}, "does not learn from a set of kind 'events'"),
        ({"route": "tab", "canary": False}, "Without a canary"),
        ({"route": "cards", "recipe": "classifier", "kind": "tabular", "canary": False, "held_out": False}, "Without a canary"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_at_once(fields, message):
    with pytest.raises(BadInputError, match=message):
        parse_plan(fields)


def test_a_plan_may_change_the_rules_of_its_own_release():
    rules = release_settings(TurnPlan(route="tab", release={"min_users": 50}), ReleaseSettings(candidate_share=0.2))
    assert (rules.min_users, rules.candidate_share) == (50, 0.2)


def test_a_misspelt_rule_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="min_user"):
        release_settings(TurnPlan(route="tab", release={"min_user": 50}), ReleaseSettings())

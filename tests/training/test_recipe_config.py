from pathlib import Path
from typing import Any

import pytest

from penstock.errors import ConfigurationError
from penstock.training.recipe_config import RECIPES, PolicyGradientConfig, config_hash, make_config, read_config

PATHS = {"dataset": "d", "out": "o", "metrics": "m", "heartbeat": "h", "cancel": "c"}
PARENT = {**PATHS, "parent": "p"}


@pytest.mark.parametrize(
    ("recipe", "fields", "complaint"),
    [
        ("grpo", PARENT, "sft, kto, policy_gradient"),
        ("sft", PATHS, "architecture"),
        ("sft", {**PARENT, "architecture": {}}, "architecture"),
        ("sft", {**PATHS, "architecture": {"hiden_size": 3}}, "hiden_size"),
        ("kto", PATHS, "parent"),
        ("kto", {**PARENT, "batch_size": 1}, "batch_size"),
        ("policy_gradient", PATHS, "parent"),
        ("policy_gradient", {**PARENT, "clip_low": 0}, "clip_low"),
        ("policy_gradient", {**PARENT, "learning_rat": 1}, "learning_rat"),
        ("policy_gradient", {**PARENT, "epochs": "many"}, "epochs"),
    ],
)
def test_a_wrong_config_is_refused_by_name(recipe: str, fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        make_config(recipe, fields)


def test_a_config_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.json"):
        read_config(tmp_path / "missing.json", PolicyGradientConfig)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"config\.json"):
        read_config(tmp_path / "config.json", PolicyGradientConfig)


def test_the_hash_covers_what_decides_the_weights_and_no_path() -> None:
    one = make_config("policy_gradient", PARENT)
    elsewhere = make_config("policy_gradient", {name: "/elsewhere/" + path for name, path in PARENT.items()})
    assert config_hash(one) == config_hash(elsewhere)
    assert config_hash(one) != config_hash(make_config("policy_gradient", {**PARENT, "seed": 1}))
    assert config_hash(one) != config_hash(make_config("kto", PARENT))


def test_every_recipe_has_a_module_of_its_name() -> None:
    folder = Path(__file__).parents[2] / "src" / "penstock" / "training" / "recipes"
    assert all((folder / f"{name}.py").is_file() for name in RECIPES)

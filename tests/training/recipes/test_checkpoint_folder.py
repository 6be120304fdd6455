from pathlib import Path

import pytest

from penstock.errors import BadInputError
from penstock.training.recipe_config import Architecture
from penstock.training.recipes.checkpoint_folder import build_model, load_parent, train_tokenizer


def test_nothing_is_outside_the_vocabulary() -> None:
    tokenizer = train_tokenizer(["tab: abcd"], Architecture(vocabulary=264))
    for text in ("tab: abcd", "naïve 日本 \x00\n", "<b>&amp;</b>", "  two  spaces  "):
        assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False), clean_up_tokenization_spaces=False) == text


def test_a_conversation_is_rendered_with_its_roles_and_ends() -> None:
    tokenizer = train_tokenizer(["tab: abcd"], Architecture(vocabulary=264))
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "tab: ab"},
        {"role": "assistant", "content": "ab"},
        {"role": "user", "content": "tab: cd"},
    ]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == "<|system|>be brief<|end|><|user|>tab: ab<|end|><|assistant|>ab<|end|><|user|>tab: cd<|end|><|assistant|>"


def test_the_model_has_the_size_that_was_asked_for() -> None:
    architecture = Architecture(
        hidden_size=32, layers=3, heads=2, key_value_heads=1, head_dim=16, intermediate_size=64, vocabulary=264
    )
    model = build_model(train_tokenizer(["tab: abcd"], architecture), architecture)
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (3, 32)
    assert model.config.eos_token_id == model.generation_config.eos_token_id


def test_a_folder_that_is_no_checkpoint_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=tmp_path.name):
        load_parent(str(tmp_path))

"""Reads a parent checkpoint, or makes a small one from nothing, and writes the result; what all recipes share of torch.

Invariant: a folder is written aside and renamed when every file in it is on disk, so a killed recipe leaves no checkpoint.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    set_seed,
)

from penstock.errors import BadInputError
from penstock.training.checkpoint_files import Manifest, hash_content, hash_file, hash_files, publish
from penstock.training.recipe_config import Architecture, RecipeConfig, config_hash

PAD, END = "<|pad|>", "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'assistant' -%}"
    "<|assistant|>{% generation %}{{ message.content }}<|end|>{% endgeneration %}"
    "{%- else -%}<|{{ message.role }}|>{{ message.content }}<|end|>{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)


def prepare_torch(config: RecipeConfig) -> None:
    """Seed everything, and use as many threads as asked for."""
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    if config.threads:
        torch.set_num_threads(config.threads)
    set_seed(config.seed)


def load_parent(folder: str, attention: str = "sdpa") -> tuple[Any, Any]:
    """Model and tokenizer of a checkpoint folder. Raises BadInputError."""
    path = Path(folder).resolve()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            path, local_files_only=True, use_safetensors=True, dtype=torch.float32, attn_implementation=attention
        )
    except (OSError, ValueError, KeyError) as error:
        raise BadInputError(f"The parent checkpoint {path} cannot be loaded: {error}") from error
    return model, tokenizer


def train_tokenizer(texts: Iterable[str], architecture: Architecture) -> Any:
    """A byte-level tokenizer: nothing is out of its vocabulary, and frequent pieces are one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=architecture.vocabulary,
        special_tokens=[PAD, END, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    make: Any = PreTrainedTokenizerFast
    wrapped = make(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        padding_side="left",
        model_max_length=architecture.context_length,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def build_model(tokenizer: Any, architecture: Architecture, attention: str = "sdpa") -> Any:
    """An untrained model of the given size."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=architecture.hidden_size,
        head_dim=architecture.head_dim,
        num_attention_heads=architecture.heads,
        num_key_value_heads=architecture.key_value_heads,
        num_hidden_layers=architecture.layers,
        intermediate_size=architecture.intermediate_size,
        max_position_embeddings=architecture.context_length,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    model.set_attn_implementation(attention)
    make: Any = GenerationConfig
    model.generation_config = make(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return model


def save_checkpoint(
    config: RecipeConfig,
    recipe: str,
    model: Any,
    tokenizer: Any,
    *,
    inputs: list[Path],
    summary: Mapping[str, float | int | str | None],
) -> None:
    """Write the trained checkpoint, so that it appears under `config.out` whole or not at all."""
    out = Path(config.out)
    partial = out.with_name(out.name + ".tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    files = hash_files(partial)
    manifest = Manifest(
        content_hash=hash_content(files),
        files=files,
        recipe=recipe,
        config_hash=config_hash(config),
        seed=config.seed,
        parent_checkpoint_id=config.parent_checkpoint_id,
        dataset_version_id=config.dataset_version_id,
        inputs={f"{path.parent.name}/{path.name}": hash_file(path) for path in inputs},
        packages={name: version(name) for name in ("torch", "transformers", "tokenizers", "trl")},
        summary=dict(summary),
    )
    publish(partial, manifest, out)

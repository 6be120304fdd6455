"""Supervised fine-tuning through TRL: config -> rows -> tokens -> trainer -> checkpoint. Loss on the completion only.

Run as `python -m penstock.training.recipes.sft config.json`. With `architecture` it makes a small model from nothing.
"""

import math
import sys
from pathlib import Path
from typing import Any

from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from penstock.errors import EmptySelectionError
from penstock.training.dataset_files import TRAIN, SftRow, read_rows
from penstock.training.progress import Progress, run_and_exit, start_recipe
from penstock.training.recipe_config import SftConfig
from penstock.training.recipes.checkpoint_folder import build_model, load_parent, prepare_torch, save_checkpoint, train_tokenizer
from penstock.training.recipes.step_callback import StepCallback

NOT_LEARNED = -100  # torch's label for a token that is no target
ROWS_PER_BEAT = 1000


def main() -> None:
    """Read the config named on the command line, train, save."""
    config, progress = start_recipe(sys.argv, SftConfig)
    prepare_torch(config)
    rows = read_rows(Path(config.dataset), SftRow)
    model, tokenizer = start_from(config, rows)
    examples, too_long = tokenize(tokenizer, rows, config.max_length, progress)
    trainer = SFTTrainer(
        model=model,
        args=trainer_arguments(config, steps(config, len(examples))),
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        callbacks=[StepCallback(progress)],
    )
    progress.beat()
    result = trainer.train()
    summary = {
        "rows": len(examples),
        "dropped_too_long": too_long,
        "steps": int(result.global_step),
        "loss": float(result.training_loss),
    }
    progress.log(int(result.global_step), final_loss=float(result.training_loss))
    save_checkpoint(config, "sft", trainer.model, tokenizer, inputs=[Path(config.dataset) / TRAIN], summary=summary)


def tokenize(tokenizer: Any, rows: list[SftRow], max_length: int, progress: Progress) -> tuple[list[dict[str, list[int]]], int]:
    """Each row as tokens and labels, made as the model server makes them; and how many rows were too long."""
    examples: list[dict[str, list[int]]] = []
    for index, row in enumerate(rows):
        text = tokenizer.apply_chat_template(row.prompt, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer.encode(text, add_special_tokens=False)
        completion = [*tokenizer.encode(row.completion, add_special_tokens=False), tokenizer.eos_token_id]
        if len(prompt) + len(completion) <= max_length:
            examples.append({"input_ids": prompt + completion, "labels": [NOT_LEARNED] * len(prompt) + completion})
        if index % ROWS_PER_BEAT == 0:
            progress.beat()
    if not examples:
        raise EmptySelectionError(f"All {len(rows)} rows are longer than max_length {max_length}.")
    return examples, len(rows) - len(examples)


def steps(config: SftConfig, examples: int) -> int:
    """How many steps the training takes."""
    return config.max_steps if config.max_steps > 0 else math.ceil(math.ceil(examples / config.batch_size) * config.epochs)


def start_from(config: SftConfig, rows: list[SftRow]) -> tuple[Any, Any]:
    """The parent, or a new model with a tokenizer trained on the rows."""
    if config.architecture is None:
        return load_parent(str(config.parent), config.attention)
    texts = (text for row in rows for text in (*(message["content"] for message in row.prompt), row.completion))
    tokenizer = train_tokenizer(texts, config.architecture)
    return build_model(tokenizer, config.architecture, config.attention), tokenizer


def trainer_arguments(config: SftConfig, max_steps: int) -> SFTConfig:
    """TRL's settings; what it would default to needs an accelerator."""
    return SFTConfig(
        output_dir=config.out + ".trainer",
        seed=config.seed,
        learning_rate=config.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": max(1, round(max_steps * config.decay_share))},
        warmup_steps=round(max_steps * config.warmup_share),
        weight_decay=config.weight_decay,
        per_device_train_batch_size=config.batch_size,
        max_steps=max_steps,
        max_length=config.max_length,
        dataset_kwargs={"skip_prepare_dataset": True},
        logging_steps=config.log_every,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


if __name__ == "__main__":
    disable_progress_bar()
    run_and_exit(main)

"""Supervised fine-tuning through TRL: config -> rows -> trainer -> checkpoint. Loss on the completion only.

Run as `python -m penstock.training.recipes.sft config.json`. With `architecture` it makes a small model from nothing.
"""

import sys
from pathlib import Path
from typing import Any

from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from penstock.training.dataset_files import TRAIN, SftRow, read_rows
from penstock.training.progress import Progress, run_and_exit
from penstock.training.recipe_config import SftConfig, read_config
from penstock.training.recipes.checkpoint_folder import build_model, load_parent, prepare_torch, save_checkpoint, train_tokenizer
from penstock.training.recipes.step_callback import StepCallback


def main() -> None:
    """Read the config named on the command line, train, save."""
    config = read_config(Path(sys.argv[1]), SftConfig)
    progress = Progress(config)
    progress.listen()
    progress.beat()
    prepare_torch(config)
    rows = read_rows(Path(config.dataset), SftRow)
    model, tokenizer = start_from(config, rows)
    trainer = SFTTrainer(
        model=model,
        args=trainer_arguments(config),
        train_dataset=Dataset.from_list([conversation(row) for row in rows]),
        processing_class=tokenizer,
        callbacks=[StepCallback(progress)],
    )
    progress.beat()
    result = trainer.train()
    summary = {"rows": len(rows), "steps": int(result.global_step), "loss": float(result.training_loss)}
    progress.log(int(result.global_step), final_loss=float(result.training_loss))
    save_checkpoint(config, "sft", trainer.model, tokenizer, inputs=[Path(config.dataset) / TRAIN], summary=summary)


def conversation(row: SftRow) -> dict[str, Any]:
    """A row as TRL wants it."""
    return {"prompt": row.prompt, "completion": [{"role": "assistant", "content": row.completion}]}


def start_from(config: SftConfig, rows: list[SftRow]) -> tuple[Any, Any]:
    """The parent, or a new model with a tokenizer trained on the rows."""
    if config.architecture is None:
        return load_parent(str(config.parent))
    texts = (text for row in rows for text in (*(message["content"] for message in row.prompt), row.completion))
    tokenizer = train_tokenizer(texts, config.architecture)
    return build_model(tokenizer, config.architecture), tokenizer


def trainer_arguments(config: SftConfig) -> SFTConfig:
    """TRL's settings; what it would default to needs an accelerator."""
    return SFTConfig(
        output_dir=config.out + ".trainer",
        seed=config.seed,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.schedule,
        warmup_steps=config.warmup_share,
        weight_decay=config.weight_decay,
        per_device_train_batch_size=config.batch_size,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps,
        max_length=config.max_length,
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

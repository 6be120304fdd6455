"""KTO through TRL on single answers labelled good or bad: config -> rows -> trainer -> checkpoint.

Run as `python -m penstock.training.recipes.kto config.json`. Two things that KTO leaves to its user are done here: the
rows are shuffled, since the trainer reads them in order and takes its KL estimate from neighbours, and the rarer class
is weighted up, since with equal weights an uneven set teaches nothing.
"""

import random
import sys
from pathlib import Path
from typing import Any

from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer

from penstock.errors import EmptySelectionError
from penstock.training.dataset_files import TRAIN, KtoRow, read_rows
from penstock.training.progress import run_and_exit, start_recipe
from penstock.training.recipe_config import KtoConfig
from penstock.training.recipes.checkpoint_folder import load_parent, prepare_torch, save_checkpoint
from penstock.training.recipes.step_callback import StepCallback


def main() -> None:
    """Read the config named on the command line, train, save."""
    config, progress = start_recipe(sys.argv, KtoConfig)
    prepare_torch(config)
    rows = read_rows(Path(config.dataset), KtoRow)
    random.Random(config.seed).shuffle(rows)  # noqa: S311 - an order, no secret
    rows = rows[: len(rows) - len(rows) % config.batch_size] or rows  # a last batch of one has no neighbour
    desirable, undesirable = class_weights(sum(row.label for row in rows), sum(not row.label for row in rows))
    model, tokenizer = load_parent(str(config.parent), config.attention)
    reference, _ = load_parent(str(config.parent), config.attention)
    trainer = KTOTrainer(
        model=model,
        ref_model=reference,
        args=trainer_arguments(config, desirable, undesirable),
        train_dataset=Dataset.from_list([conversation(row) for row in rows]),
        processing_class=tokenizer,
        callbacks=[StepCallback(progress)],
    )
    progress.beat()
    result = trainer.train()
    summary = {
        "rows": len(rows),
        "steps": int(result.global_step),
        "loss": float(result.training_loss),
        "desirable_weight": desirable,
        "undesirable_weight": undesirable,
    }
    progress.log(int(result.global_step), **summary)
    save_checkpoint(config, "kto", trainer.model, tokenizer, inputs=[Path(config.dataset) / TRAIN], summary=summary)


def class_weights(desirable: int, undesirable: int) -> tuple[float, float]:
    """Weights that make both classes count alike; only the rarer one's is changed. Raises EmptySelectionError."""
    if not desirable or not undesirable:
        raise EmptySelectionError(f"{desirable} good and {undesirable} bad rows; KTO needs at least one of each.")
    return (undesirable / desirable, 1.0) if desirable < undesirable else (1.0, desirable / undesirable)


def conversation(row: KtoRow) -> dict[str, Any]:
    """A row as TRL wants it."""
    return {"prompt": row.prompt, "completion": [{"role": "assistant", "content": row.completion}], "label": row.label}


def trainer_arguments(config: KtoConfig, desirable: float, undesirable: float) -> KTOConfig:
    """TRL's settings; what it would default to needs an accelerator."""
    return KTOConfig(
        output_dir=config.out + ".trainer",
        seed=config.seed,
        beta=config.beta,
        desirable_weight=desirable,
        undesirable_weight=undesirable,
        learning_rate=config.learning_rate,
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

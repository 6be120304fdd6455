"""What a TRL trainer does after each of its steps: beat, log, and stop at once when asked to."""

from typing import Any

from transformers import TrainerCallback

from penstock.training.progress import Progress

LOGGED = (
    "loss",
    "learning_rate",
    "grad_norm",
    "mean_token_accuracy",
    "entropy",
    "kl",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/margins",
)


class StepCallback(TrainerCallback):
    """Ties a trainer to a recipe's Progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - transformers' signature
        """One step is done."""
        self._progress.beat()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:  # noqa: ARG002
        """The trainer has figures to tell."""
        figures = {name.replace("/", "_"): float(value) for name, value in (logs or {}).items() if name in LOGGED}
        if figures:
            self._progress.log(state.global_step, **figures)

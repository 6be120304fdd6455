"""What each recipe reads from its config.json. Importable without torch or scikit-learn, so that plans can be checked first.

Invariant: `config_hash` covers what decides the weights and no path, so that the same training has the same hash anywhere.
"""

from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct, structs

from penstock.errors import ConfigurationError
from penstock.records.ids import content_hash

PATHS = frozenset({"dataset", "parent", "rehearsal", "out", "metrics", "heartbeat", "cancel"})


class Architecture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small Qwen3 made from nothing, with a byte-level tokenizer trained on the dataset."""

    hidden_size: int = 64
    layers: int = 2
    heads: int = 2
    key_value_heads: int = 2
    head_dim: int = 32
    intermediate_size: int = 192
    vocabulary: int = 272  # 256 bytes, 6 special tokens, the rest merges
    context_length: int = 256


class RecipeConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all recipes share."""

    dataset: str  # folder with train.jsonl
    out: str  # folder to make; appears whole or not at all
    metrics: str  # JSONL, one line per logged step
    heartbeat: str  # file touched at every step
    cancel: str  # the recipe stops when this file appears
    parent: str | None = None  # folder of the checkpoint to start from
    parent_checkpoint_id: str | None = None
    dataset_version_id: str | None = None
    seed: int = 0
    threads: int = 0  # 0 leaves it to the library
    log_every: int = 10  # steps


class LanguageConfig(RecipeConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the recipes of language models share."""

    learning_rate: float = 3e-4
    batch_size: int = 32
    max_length: int = 1024  # tokens of prompt and completion; longer rows are left out and counted
    attention: Literal["sdpa", "eager"] = "sdpa"  # eager trains a third faster where texts have a few dozen tokens, on a CPU


class SftConfig(LanguageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Supervised fine-tuning, or training from nothing where `architecture` is given instead of `parent`."""

    architecture: Architecture | None = None
    epochs: float = 1.0
    max_steps: int = -1  # -1: as many as the epochs need
    warmup_share: float = 0.05  # of the steps, in which the learning rate rises
    decay_share: float = 0.4  # of the steps, at the end, in which it falls to nothing
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if (self.parent is None) == (self.architecture is None):
            raise ConfigurationError(
                "Give either `parent`, to go on from a checkpoint, or `architecture`, to start from nothing."
            )


class KtoConfig(LanguageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """KTO on single answers labelled good or bad; class weights come from the data."""

    learning_rate: float = 1e-4
    epochs: float = 1.0
    max_steps: int = -1
    beta: float = 0.1

    def __post_init__(self) -> None:
        _require_parent(self)
        if self.batch_size < 2:
            raise ConfigurationError(
                f"batch_size is {self.batch_size}; KTO estimates its KL from neighbours and needs at least 2."
            )


class PolicyGradientConfig(LanguageConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Clipped policy gradient on logged events."""

    learning_rate: float = 5e-4
    batch_size: int = 512
    epochs: int = 4
    baseline: Literal["prompt", "mean"] = "prompt"  # what is subtracted from a reward: what its prompt makes expect, or the mean
    clip_low: float = 0.5  # ratio may fall to 1 - clip_low before an event stops to push it down
    clip_high: float = 0.5  # and rise to 1 + clip_high
    kl_weight: float = 0.0  # of the KL divergence to the parent, per token, estimated on a part of each batch
    rehearsal: str | None = None  # folder with SFT rows that protect what must not be unlearned
    rehearsal_weight: float = 1.0
    rehearsal_batch_size: int = 64
    silent_completion: str | None = None  # the answer that shows nothing; lets the recipe watch how often it is given
    silent_floor: float = 0.01  # stop when it is given less often than this or more often than 1 - this

    def __post_init__(self) -> None:
        _require_parent(self)
        if not (0 < self.clip_low <= 1 and self.clip_high > 0):
            raise ConfigurationError(f"clip_low is {self.clip_low} and clip_high {self.clip_high}; give 0 to 1 and more than 0.")


class ClassifierConfig(RecipeConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Boosted trees on the rows of a tabular set, from nothing each time; a parent is what it is compared with, no start."""

    rounds: int = 120  # of boosting, one tree each
    learning_rate: float = 0.1
    leaves: int = 15  # of a tree, at most
    least_rows: int = 20  # in a leaf
    l2: float = 1.0
    false_positive_rate: float = 0.005  # the threshold lies where so many of the calibration rows' negatives are flagged
    calibration_share: float = 0.15  # of users, kept from the trees for the threshold

    def __post_init__(self) -> None:
        shares = (self.false_positive_rate, self.calibration_share, self.learning_rate)
        if not all(0 < share < 1 for share in shares) or min(self.rounds, self.leaves - 1, self.least_rows) < 1:
            raise ConfigurationError(
                "A classifier needs 1 round, 2 leaves and 1 row a leaf or more, and false_positive_rate, calibration_share and "
                f"learning_rate between 0 and 1; these are {', '.join(f'{share:g}' for share in shares)}."
            )


RECIPES: dict[str, type[RecipeConfig]] = {
    "sft": SftConfig,
    "kto": KtoConfig,
    "policy_gradient": PolicyGradientConfig,
    "classifier": ClassifierConfig,
}

ConfigType = TypeVar("ConfigType", bound=RecipeConfig)


def _require_parent(config: RecipeConfig) -> None:
    if config.parent is None:
        raise ConfigurationError("`parent` is missing; this recipe goes on from a checkpoint.")


def read_config(path: Path, shape: type[ConfigType]) -> ConfigType:
    """A recipe's config out of its file. Raises ConfigurationError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{path} is no config of this recipe: {error}.") from error


def make_config(recipe: str, fields: dict[str, object]) -> RecipeConfig:
    """The typed config of a recipe. Raises ConfigurationError."""
    shape = RECIPES.get(recipe)
    if shape is None:
        raise ConfigurationError(f"No recipe {recipe!r}; there are {', '.join(RECIPES)}.")
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"The config of recipe {recipe} is wrong: {error}.") from error


def config_hash(config: RecipeConfig) -> str:
    """The hash of everything in a config but its paths."""
    fields = {name: value for name, value in structs.asdict(config).items() if name not in PATHS}
    return content_hash(msgspec.json.encode({"config": type(config).__name__, **fields}, order="deterministic"))

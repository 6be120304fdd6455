"""The demo's plot: two good turns, and two bad ones that the gates alone must stop. Everything that can be tuned is here."""

from typing import Any

from msgspec import Struct, field


class Phase(Struct, frozen=True, kw_only=True):
    """A stretch of typing; its name is a tag on every request of it."""

    name: str
    requests: int
    contexts: tuple[str, ...] = ("py",)  # what is typed, each as often as it stands here
    swapped: tuple[str, ...] = ()  # contexts whose client reports accepted as rejected and the other way round


class Act(Struct, frozen=True, kw_only=True):
    """One turn: what its users see before, what it learns from, and what they type while its candidate is proved."""

    number: int
    title: str
    before: Phase  # with sound clients; the act before this one reads it as its `after`
    corrupted: Phase | None = None  # what the turn learns from, where that is not `before`
    contexts: tuple[str, ...] = ("py",)  # of its figures and of its canary
    recipe: dict[str, Any] = field(default_factory=dict)  # over RECIPE

    @property
    def data(self) -> Phase:
        """What the turn learns from."""
        return self.corrupted or self.before


TWO_LANGUAGES = ("py", "sql")

ACTS = (
    Act(number=1, title="good: learns when to stay silent", before=Phase(name="typed-1", requests=4_000), recipe={"epochs": 3}),
    Act(number=2, title="good: learns it better", before=Phase(name="typed-2", requests=4_000), recipe={"epochs": 5}),
    Act(
        number=3,
        title="bad: every client mixes up accepted and rejected, and nothing keeps the candidate near its parent",
        before=Phase(name="typed-3", requests=1_200),
        corrupted=Phase(name="corrupted-3", requests=4_000, swapped=("py",)),
        recipe={"kl_weight": 0.0},
    ),
    Act(
        number=4,
        title="bad: the client of a new language mixes them up, and no suite speaks it",
        before=Phase(name="typed-4", requests=1_300, contexts=TWO_LANGUAGES),
        corrupted=Phase(name="corrupted-4", requests=3_500, contexts=TWO_LANGUAGES, swapped=("sql",)),
        contexts=TWO_LANGUAGES,
    ),
)
LAST = Phase(name="typed-5", requests=1_000, contexts=TWO_LANGUAGES)  # what users get when all is over

CONFIGURATION = """\
[edge]
port = {edge_port}
grpc = false
flush_interval_s = 2.0

[ingest]
settle_interval_s = 1.0

[traffic]
exposures = ["simulated"]  # the demo's users are simulated, and say so

[serving]
enabled = true
port = {serving_port}
max_batch = 128

[training]
threads = 2  # nobody types while a recipe runs

[release]
check_interval_s = 1.0
min_users = 50
max_canary_s = 180.0
"""

ARCHITECTURE = {
    "hidden_size": 96, "layers": 3, "heads": 4, "key_value_heads": 2, "head_dim": 32, "intermediate_size": 288,
    "context_length": 64,
}  # fmt: skip
BASE = {"architecture": ARCHITECTURE, "attention": "eager", "learning_rate": 0.003, "batch_size": 64, "max_steps": 300}
BASE_ROWS = 12_000
REHEARSAL_ROWS = 2_000
NEIGHBOUR_ITEMS = 100
RECIPE = {
    "learning_rate": 0.001, "epochs": 4, "batch_size": 256, "clip_high": 1.0, "rehearsal_weight": 0.1, "kl_weight": 0.02,
    "attention": "eager", "silent_completion": "-",
}  # fmt: skip


def turn_plan(act: Act, since: str, rehearsal: str, suite: str, seed: int) -> dict[str, Any]:
    """What `penstock turn run` is asked for."""
    return {
        "since": since,
        "rehearsal_dataset": rehearsal,
        "regression_suites": [suite],
        "recipe_config": {**RECIPE, **act.recipe},
        "seed": seed,
    }

"""The demo's plot: two good turns, and two bad ones that the gates alone must stop."""

from msgspec import Struct


class Act(Struct, frozen=True, kw_only=True):
    """One turn: what its users type beforehand, and whose client mixes up accept and reject meanwhile."""

    number: int
    title: str
    contexts: tuple[str, ...]  # typed during collection and canary
    swapped: tuple[str, ...] = ()  # contexts whose reports are swapped during collection
    collect: int = 4_000  # requests


ACTS = (
    Act(number=1, title="good: learns when to stay silent", contexts=("py",)),
    Act(number=2, title="good: learns the rest", contexts=("py",)),
    Act(number=3, title="bad: every client swaps accept and reject", contexts=("py",), swapped=("py",)),
    Act(number=4, title="bad: a new language whose client swaps them", contexts=("py", "sql"), swapped=("sql",)),
)
PROBE_REQUESTS = 1_200

CONFIGURATION = """\
[edge]
port = {edge_port}
flush_interval_s = 0.5

[ingest]
settle_interval_s = 1.0

[traffic]
exposures = ["simulated"]  # the demo's users are simulated, and say so

[serving]
enabled = true
port = {serving_port}

[training]
threads = 1

[release]
check_interval_s = 1.0
min_users = 50
max_canary_s = 120.0
"""

BASE = {
    "architecture": {
        "hidden_size": 96, "layers": 3, "heads": 4, "key_value_heads": 2, "head_dim": 32, "intermediate_size": 288,
        "context_length": 64,
    },
    "learning_rate": 0.003, "batch_size": 64, "max_steps": 300,
}  # fmt: skip
RECIPE = {"learning_rate": 0.0005, "epochs": 4, "batch_size": 256, "silent_completion": "-"}

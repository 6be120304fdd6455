"""Where a relay sends everything, and what it may not be asked to do: it never sees a whole trace, so it cannot decide by one."""

import re

from penstock.errors import ConfigurationError
from penstock.ingest.sampling import Sampling
from penstock.policy_settings import ENDPOINT, ForwardSettings
from penstock.records.feedback import TargetKind
from penstock.settings import Settings
from penstock.text.secret_key import load_key


def feedback_targets(settings: Settings) -> tuple[TargetKind, ...]:
    """What feedback may be about here: everything, unless it goes to a backend that knows spans and responses alone."""
    if not settings.edge.relay or find_relay_target(settings).penstock:
        return tuple(TargetKind)
    return TargetKind.SPAN, TargetKind.RESPONSE


def find_relay_target(settings: Settings) -> ForwardSettings:
    """The target that `edge.relay` names; a URL is taken for another Penstock."""
    relay, targets = settings.edge.relay, settings.policy.forward
    if Sampling(settings.policy.sample, load_key(settings.home_path)).needs_whole_traces:
        raise ConfigurationError(
            'policy.sample.policies and policy.sample.by = "session" need whole traces, which a relay never holds. '
            "Set them at the Penstock that it sends to; a relay draws by sampling_percentage and applications."
        )
    if relay in targets:
        return targets[relay]
    if re.match(ENDPOINT, relay):
        return ForwardSettings(endpoint=relay, penstock=True)
    known = ", ".join(targets) or "none"
    raise ConfigurationError(
        f"edge.relay is {relay.rpartition('@')[2]!r}, which names no [policy.forward] target (there is {known}) and is no URL "
        "like https://penstock.example.com; a password does not belong in one."
    )

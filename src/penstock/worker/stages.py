"""What is done with what has arrived: settle it, then compute signals and labels from it."""

from penstock.ingest.prices import load_prices
from penstock.ingest.sampling import Sampling
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.settle_outcomes import outcome_settling
from penstock.ingest.thin_spans import thin_spans
from penstock.labels.run import run_labels
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock, utc_now
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.signals.definition import label
from penstock.signals.definitions import all_definitions
from penstock.signals.run import run_signals
from penstock.text.secret_key import load_key


class Stages:
    """Settle, signals, labels, with all that one home's settings ask of them."""

    def __init__(self, registry: Registry, settings: Settings, clock: WriterClock) -> None:
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._definitions = all_definitions(settings.signals, settings.home_path)
        self._price = load_prices(settings.prices).cost
        self._outcomes = outcome_settling(settings)
        self._sampling = Sampling(settings.policy.sample, load_key(settings.home_path))

    def run(self, lake: Lake) -> None:
        """Each after the other, in the order in which data flows."""
        self.settle(lake)
        self.read(lake)

    def settle(self, lake: Lake) -> None:
        """Bring interactions and the targets of feedback up to what there was when this began."""
        settle_interactions(lake, self._clock, price=self._price, sampling=self._sampling)
        settle_feedback(lake, self._clock, self._settings.ingest.pending_expiry_h, outcomes=self._outcomes)

    def thin(self, lake: Lake) -> None:
        """Take the content of what sampling has left out from spans too, where settling decided that."""
        thin_spans(lake, self._sampling, utc_now())

    def read(self, lake: Lake) -> None:
        """Bring signals and labels up to what was settled when this began, or a part where an erasure waits for the lake."""
        run_signals(lake, self._clock, definitions=self._definitions, ends_early=lake.is_wanted_alone)
        in_force = [label(definition) for definition in self._definitions.values()]
        run_labels(lake, self._registry, self._settings.reward, self._clock, definitions=in_force)

"""The label models of one home: fitted now and then, and in between what has new votes is labelled by the last fit."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from penstock.errors import BadInputError
from penstock.labels.labelling_functions import FUNCTIONS, LabellingFunction, all_functions, of_dimension
from penstock.labels.model_run import ModelStage
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock, utc_now
from penstock.records.label_model import LabelModel
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.signals.definitions import all_definitions, in_force

RETRY = timedelta(minutes=10)  # after a look that found too few votes

logger = logging.getLogger(__name__)


def functions_in_force(settings: Settings) -> list[LabellingFunction]:
    """The labelling functions that the settings leave. ConfigurationError where one reads a signal that there is not."""
    signals = {*all_definitions(settings.signals, settings.home_path), *(one.signal for one in FUNCTIONS.values())}
    return list(all_functions(settings.labelling_functions, settings.label_model.without, signals).values())


def model_stage(
    lake: Lake, registry: Registry, settings: Settings, clock: WriterClock, dimension: str, method: str | None = None
) -> ModelStage:
    """The label model of one dimension, with all that this home's settings ask of it."""
    chosen = settings.label_model
    return ModelStage(
        lake,
        registry,
        clock,
        of_dimension(functions_in_force(settings), dimension),
        chosen if method is None else msgspec.convert({**msgspec.to_builtins(chosen), "method": method}, type(chosen)),
        exposures=settings.traffic.exposures,
        definitions=in_force(settings.signals, settings.home_path),
    )


def is_due(model: LabelModel | None, labelled: int, every_h: float, now: datetime) -> bool:
    """Whether to fit anew: where there is no model, when it is old, or when as much was labelled since as it was fitted to."""
    return model is None or now - model.fitted_at >= timedelta(hours=every_h) or labelled >= model.voted


class Modelling:
    """Keeps the label models of one home up to date; one thread at a time."""

    def __init__(self, registry: Registry, settings: Settings, clock: WriterClock, now: Callable[[], datetime] = utc_now) -> None:
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._now = now
        self._dimensions = sorted({function.dimension for function in functions_in_force(settings)})
        self._labelled = dict.fromkeys(self._dimensions, 0)  # since the last fit
        self._not_before: dict[str, datetime] = {}

    def step(self, lake: Lake) -> None:
        """Fit what is due, and label what is new by the other models."""
        for dimension in self._dimensions:
            stage = model_stage(lake, self._registry, self._settings, self._clock, dimension)
            model = stage.newest()
            if is_due(model, self._labelled[dimension], self._settings.label_model.every_h, self._now()):
                self._fit(stage)
            elif model is not None:
                self._labelled[dimension] += stage.update(model, self._now())

    def _fit(self, stage: ModelStage) -> None:
        now = self._now()
        if now < self._not_before.get(stage.dimension, now):
            return
        try:
            run = stage.fit(now)
        except BadInputError as error:
            logger.info("%s", error)
            self._not_before[stage.dimension] = now + RETRY
            return
        self._labelled[stage.dimension] = 0
        logger.info("Fitted %s to %s interactions, %s labels", run.model.label_model_id, run.fitted.voted, run.labels)

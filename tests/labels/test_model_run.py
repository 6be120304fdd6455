"""The label model against a real lake, with signals drawn so that the truth is known."""

from datetime import timedelta
from typing import Any

import msgspec
import numpy
import pytest

from penstock.errors import BadInputError
from penstock.labels.labelling_functions import FUNCTIONS, of_dimension
from penstock.labels.model_run import ModelStage
from penstock.labels.run import current_labels
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.interaction import Interaction
from penstock.records.label import AnnotatorKind, Label
from penstock.records.signal import Signal
from penstock.registry.registry import Registry
from penstock.settings import LabelModelSettings
from penstock.signals.definition import label
from penstock.signals.definitions import DEFINITIONS
from tests.rows import LATER, make_interaction, make_signal

SIGNALS = {"rating": (0.3, 0.9), "acceptance": (0.6, 0.85), "completion": (0.8, 0.75), "edit": (0.3, 0.8)}  # share, right
MUCH_LATER = LATER + timedelta(days=3)


class Modelling:
    """A label model over one lake."""

    def __init__(self, lake: Lake, registry: Registry, clock: WriterClock) -> None:
        self.lake, self.registry, self.clock = lake, registry, clock

    def stage(self, **settings: Any) -> ModelStage:
        functions = of_dimension(FUNCTIONS.values(), "good")
        given = LabelModelSettings(**settings)
        return ModelStage(self.lake, self.registry, self.clock, functions, given, exposures=["served"])

    def labels(self) -> dict[str, Label]:
        standing = current_labels(self.lake.current("labels"))
        rows: list[Label] = self.lake.to_records("labels", standing.filter(standing.annotator == "label-model@1"))
        assert len({row.target_id for row in rows}) == len(rows)
        return {row.target_id: row for row in rows}


@pytest.fixture
def modelling(lake: Lake, registry: Registry, clock: WriterClock) -> Modelling:
    return Modelling(lake, registry, clock)


def in_force(name: str) -> str:
    """The definition that finds such signals now."""
    return label(DEFINITIONS[name])


def signals_of(one: Interaction, is_good: bool, generator: numpy.random.Generator) -> list[Signal]:
    """What a user does: two-sided signals that err, and copies and complaints that only come at all."""
    found = []
    for name, (share, right) in SIGNALS.items():
        if generator.random() < share:
            says_good = is_good == (generator.random() < right)
            value = {"rating": (-1.0, 1.0), "edit": (0.9, 0.0)}.get(name, (0.0, 1.0))[says_good]
            found.append(make_signal(name, one, value))
    if generator.random() < (0.4 if is_good else 0.1):
        found.append(make_signal("copy", one, 1.0))
    if generator.random() < (0.02 if is_good else 0.3):
        found.append(make_signal("feedback", one, -1.0, evidence={"code": "UR3"}))
    return found


def fill(lake: Lake, count: int, first: int = 0, **fields: Any) -> tuple[list[Interaction], numpy.ndarray[Any, Any]]:
    """Interactions, three to a session, with their signals; and which of them are good."""
    generator = numpy.random.default_rng(first)
    truth = generator.random(count) < 0.7
    turns = [
        make_interaction(first + place, session_id=f"c{(first + place) // 3}", application="chat", **fields)
        for place in range(count)
    ]
    lake.append("interactions", turns)
    lake.append(
        "signals", [signal for one, good in zip(turns, truth, strict=True) for signal in signals_of(one, bool(good), generator)]
    )
    return turns, truth


def test_the_probability_tells_good_from_bad_and_names_its_signals_and_functions(lake: Lake, modelling: Modelling) -> None:
    turns, truth = fill(lake, 3000)
    run = modelling.stage().fit(MUCH_LATER)
    labels = modelling.labels()
    assert run.labels == len(labels) > 2900
    known = [place for place, one in enumerate(turns) if one.interaction_id in labels]
    value = numpy.array([labels[turns[place].interaction_id].value for place in known])
    assert numpy.mean((value > 0.5) == truth[known]) > 0.85
    assert value.mean() == pytest.approx(truth.mean(), abs=0.04)
    copied = next(one for one in labels.values() if "copied says good" in str(one.rationale))
    assert (copied.schema, copied.schema_version, copied.dimension) == ("usefulness", 1, "good")
    assert (copied.annotator_kind, copied.annotator, copied.probability) == ("program", "label-model@1", copied.value)
    said = msgspec.json.decode(str(copied.value_json))
    assert said["model"] == run.model.label_model_id
    assert said["votes"]["copied"] == "good"
    assert said["silent"] in ([], ["complained"])
    assert len(copied.signal_ids) == len(said["votes"])
    assert "copied says good" in str(copied.rationale)


def test_rates_of_functions_are_found_without_any_truth(lake: Lake, modelling: Modelling) -> None:
    fill(lake, 4000)
    functions = {one.function: one for one in modelling.stage().fit(MUCH_LATER).functions}
    rated = functions["rated_high"]
    assert (rated.right_on_good, rated.right_on_bad) == (pytest.approx(0.9, abs=0.05), pytest.approx(0.9, abs=0.06))
    assert functions["copied"].right_on_good == pytest.approx(0.4, abs=0.04)
    assert functions["copied"].right_on_bad == pytest.approx(0.9, abs=0.06)
    assert functions["complained"].right_on_bad == pytest.approx(0.3, abs=0.06)
    assert functions["complained"].precision == pytest.approx(0.3 * 0.3 / (0.3 * 0.3 + 0.7 * 0.02), abs=0.08)
    assert functions["retried"].coverage == 0.0
    assert functions["retried"].precision is None


def test_fitting_again_writes_nothing_new(lake: Lake, modelling: Modelling) -> None:
    fill(lake, 600)
    modelling.stage().fit(MUCH_LATER)
    version = lake.version("labels")
    assert modelling.stage().fit(MUCH_LATER).labels == 0
    assert lake.version("labels") == version


def test_between_fits_what_has_new_votes_is_labelled_by_the_model_there_is(lake: Lake, modelling: Modelling) -> None:
    fill(lake, 900)
    stage = modelling.stage()
    model = stage.fit(MUCH_LATER).model
    assert stage.update(model, MUCH_LATER) == 0
    (one, *_), _ = fill(lake, 90, first=900)
    written = stage.update(model, MUCH_LATER)
    assert 80 < written <= 90
    before = modelling.labels()
    assert stage.fit(MUCH_LATER).labels < 90  # a new fit moves a few by more than the least change
    lake.append("signals", [make_signal("rating", one, -1.0, revision=5)])
    stage.update(model, MUCH_LATER)
    label = modelling.labels()[one.interaction_id]
    assert "rated_low says bad" in str(label.rationale)
    assert one.interaction_id not in before or label.label_id != before[one.interaction_id].label_id


def test_an_update_gives_what_a_fit_gives(lake: Lake, modelling: Modelling) -> None:
    fill(lake, 900)
    stage = modelling.stage()
    model = stage.fit(MUCH_LATER).model
    turns, _ = fill(lake, 300, first=900)
    stage.update(model, MUCH_LATER)
    by_update = {name: label.value for name, label in modelling.labels().items()}
    everything = stage._labelled_by(model)
    with lake.kept("label_model_votes", stage._all_votes(MUCH_LATER)):
        assert stage._label_all(everything, {}) == 0
    assert {name: label.value for name, label in modelling.labels().items()} == by_update
    assert any(one.interaction_id in by_update for one in turns)


def test_a_withdrawn_signal_withdraws_the_label(lake: Lake, modelling: Modelling) -> None:
    turns, _ = fill(lake, 600)
    stage = modelling.stage()
    model = stage.fit(MUCH_LATER).model
    alone = next(label for label in modelling.labels().values() if len(label.signal_ids) == 1)
    (signal,) = lake.to_records("signals", lake.current("signals", ids=alone.signal_ids))
    lake.append("signals", [msgspec.structs.replace(signal, value=None, revision=1)])
    assert stage.update(model, MUCH_LATER) >= 1
    label = modelling.labels()[alone.target_id]
    assert (label.value, label.probability, label.signal_ids, label.supersedes) == (None, None, [], alone.label_id)
    assert label.rationale == "the evidence was withdrawn"
    assert stage.fit(MUCH_LATER).labels < len(turns)


def test_traffic_that_is_not_the_users_own_is_neither_fitted_nor_labelled(lake: Lake, modelling: Modelling) -> None:
    turns, _ = fill(lake, 600)
    fill(lake, 300, first=600, exposure="simulated")
    run = modelling.stage().fit(MUCH_LATER)
    assert run.fitted.interactions == 600
    assert set(modelling.labels()) <= {one.interaction_id for one in turns}


def test_too_few_votes_are_refused_with_what_there_is(lake: Lake, modelling: Modelling) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    with pytest.raises(BadInputError, match=r"0 of 12 voters have voted.*Votes on 1 interactions: none"):
        modelling.stage().fit(MUCH_LATER)
    lake.append("signals", [make_signal("rating", one, 1.0), make_signal("copy", one, 1.0), make_signal("acceptance", one, 1.0)])
    with pytest.raises(BadInputError, match=r"met on 1 interactions.*accepted 1, copied 1, rated_high 1"):
        modelling.stage().fit(MUCH_LATER)
    assert modelling.stage().newest() is None


def test_a_model_of_other_functions_is_not_used(lake: Lake, modelling: Modelling, registry: Registry) -> None:
    fill(lake, 600)
    stage = modelling.stage()
    model = stage.fit(MUCH_LATER).model
    assert stage.newest() == model
    fewer = of_dimension([one for one in FUNCTIONS.values() if one.name != "copied"], "good")
    other = ModelStage(lake, registry, modelling.clock, fewer, LabelModelSettings(), exposures=["served"])
    assert other.newest() is None


def test_silence_counts_only_after_a_while(lake: Lake, modelling: Modelling) -> None:
    fill(lake, 900)
    modelling.stage().fit(LATER)
    assert all(msgspec.json.decode(str(label.value_json))["silent"] == [] for label in modelling.labels().values())
    modelling.stage().fit(MUCH_LATER)
    assert any(msgspec.json.decode(str(label.value_json))["silent"] for label in modelling.labels().values())


def test_only_the_last_days_are_looked_at(lake: Lake, modelling: Modelling) -> None:
    fill(lake, 600)
    old = make_interaction(5000, start=-20 * 86_400.0)
    lake.append("interactions", [old])
    lake.append("signals", [make_signal("rating", old, 1.0)])
    assert modelling.stage(days=10.0).fit(MUCH_LATER).fitted.interactions == 600
    assert modelling.stage(days=0.0).fit(MUCH_LATER).fitted.interactions == 601
    assert old.interaction_id in modelling.labels()


def test_a_signal_about_a_session_counts_for_its_last_interaction(lake: Lake, modelling: Modelling) -> None:
    turns, _ = fill(lake, 600)
    session = make_signal("completion", turns[0], 0.0)
    about = {"target_kind": "session", "target_id": "c0", "interaction_id": None, "session_id": "c0", "signal_id": "s_of_session"}
    lake.append("signals", [msgspec.structs.replace(session, **about)])
    modelling.stage().fit(MUCH_LATER)
    labels = modelling.labels()
    assert [
        one.interaction_id
        for one in turns
        if one.interaction_id in labels and "s_of_session" in labels[one.interaction_id].signal_ids
    ] == [turns[2].interaction_id]


def test_definitions_that_are_not_in_force_do_not_vote(lake: Lake, registry: Registry, modelling: Modelling) -> None:
    fill(lake, 600)
    functions = of_dimension(FUNCTIONS.values(), "good")
    definitions = [in_force(name) for name in ("acceptance", "completion", "edit")]
    stage = ModelStage(
        lake, registry, modelling.clock, functions, LabelModelSettings(), exposures=["served"], definitions=definitions
    )
    coverage = {one.function: one.coverage for one in stage.fit(MUCH_LATER).functions}
    assert coverage["rated_high"] == 0.0 < coverage["accepted"]


def test_peoples_labels_are_an_audit(lake: Lake, modelling: Modelling) -> None:
    turns, truth = fill(lake, 1500)
    asked = [
        Label(
            label_id=f"l_{place}",
            target_kind="interaction",
            target_id=one.interaction_id,
            interaction_id=one.interaction_id,
            schema="usefulness",
            schema_version=1,
            dimension="good",
            value=float(truth[place]),
            annotator_kind=str(AnnotatorKind.PERSON),
            annotator="ann",
            known_at=LATER,
            inclusion_probability=0.2,
            started_at=one.started_at,
        )
        for place, one in enumerate(turns)
        if place % 5 == 0
    ]
    lake.append("labels", asked)
    run = modelling.stage().fit(MUCH_LATER)
    assert run.fitted.audited == 300
    accepted = next(one for one in run.functions if one.function == "accepted")
    assert accepted.audited > 80
    assert accepted.audited_low is not None and accepted.audited_high is not None and accepted.audited_precision is not None
    assert accepted.audited_low < accepted.audited_precision < accepted.audited_high
    assert {label.annotator for label in modelling.labels().values()} == {"label-model@1"}  # theirs stand beside it

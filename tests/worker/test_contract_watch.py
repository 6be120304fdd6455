"""The worker's warnings: once, to the point, and again only after it was well."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from penstock.errors import ConfigurationError
from penstock.lake.lake import Lake
from penstock.records.clock import utc_now
from penstock.records.interaction import Interaction
from penstock.settings import ContractSettings, Settings
from penstock.worker import contract_watch
from penstock.worker.contract_watch import ContractWatch
from tests.rows import make_interaction


@pytest.fixture
def lake(empty_lake: Lake) -> Lake:
    return empty_lake


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    found: list[str] = []
    with caplog.at_level(logging.WARNING, logger="penstock.worker.contract_watch"):
        handler = logging.Handler()
        handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("penstock.worker.contract_watch").addHandler(handler)
        yield found
        logging.getLogger("penstock.worker.contract_watch").removeHandler(handler)


def recent(number: int, days_ago: float = 1.0, **fields: object) -> Interaction:
    at = utc_now() - timedelta(days=days_ago)
    row = make_interaction(number, application="desk", **fields)
    return msgspec.structs.replace(row, started_at=at, ended_at=at)


def watch(settings: Settings, interval_s: float = 0.0, **contracts: ContractSettings) -> ContractWatch:
    return ContractWatch(msgspec.structs.replace(settings, contracts=contracts), interval_s)


def test_a_share_under_its_threshold_is_warned_of_once(settings: Settings, lake: Lake, warnings: list[str]) -> None:
    lake.append("interactions", [recent(1, user_id="u"), recent(2)])
    watching = watch(settings, desk=ContractSettings(required=["user"]))
    watching.look(lake)
    watching.look(lake)
    (warning,) = warnings
    assert "desk: 50.0% of 2 interactions say user" in warning
    assert 'span.set_attribute("user.id", user_id)' in warning


def test_what_was_well_again_is_warned_of_again(settings: Settings, lake: Lake, warnings: list[str]) -> None:
    watching = watch(settings, desk=ContractSettings(required=["user"], min_share=0.6))
    lake.append("interactions", [recent(1)])
    watching.look(lake)
    lake.append("interactions", [recent(number, user_id="u") for number in range(2, 6)])
    watching.look(lake)
    lake.append("interactions", [recent(number) for number in range(6, 20)])
    watching.look(lake)
    assert len(warnings) == 2


def test_without_a_contract_only_a_fall_is_warned_of(settings: Settings, lake: Lake, warnings: list[str]) -> None:
    lake.append("interactions", [recent(number, days_ago=9, user_id="u") for number in range(60)])
    lake.append("interactions", [recent(100 + number) for number in range(60)])
    watch(settings).look(lake)
    (warning,) = warnings
    assert "100.0% the week before" in warning


def test_an_application_that_promised_and_says_nothing_is_warned_of(settings: Settings, lake: Lake, warnings: list[str]) -> None:
    watch(settings, desk=ContractSettings(required=["user"])).look(lake)
    assert warnings == ["The contract of desk: no traffic in seven days."]


def test_it_looks_now_and_then(settings: Settings, lake: Lake, warnings: list[str]) -> None:
    watching = watch(settings, interval_s=3600.0, desk=ContractSettings(required=["user"], min_share=1.0))
    watching.look(lake)
    lake.append("interactions", [recent(1)])
    watching.look(lake)
    assert len(warnings) == 1


def test_a_field_that_there_is_not_stops_the_worker(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="usr"):
        watch(settings, desk=ContractSettings(required=["usr"]))


def test_of_very_many_interactions_a_fair_share_is_looked_at(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract_watch, "_MOST_ROWS", 200)
    lake.append("interactions", [recent(number, user_id="u" if number % 4 else None) for number in range(3000)])
    today = utc_now().date()
    sample = contract_watch.sample_interactions(lake, (today - timedelta(days=14), today))
    found = sample.aggregate(rows=sample.count(), users=sample.user_id.count()).to_pyarrow().to_pylist()[0]
    assert 130 < found["rows"] < 250
    assert found["users"] / found["rows"] == pytest.approx(0.75, abs=0.1)

"""Contracts: the share of traffic that says what it should, weighted, and against the week before."""

from datetime import timedelta

import pytest

from penstock.errors import ConfigurationError
from penstock.ingest.contract import FieldShare, check_contracts, contract_shares
from penstock.lake.lake import Lake
from penstock.records.interaction import Interaction
from penstock.settings import ContractSettings
from tests.rows import T0, make_interaction

NOW = T0 + timedelta(days=1)
LAST_WEEK = -8 * 86_400.0


def desk(number: int, **fields: object) -> Interaction:
    return make_interaction(number, **{"application": "desk", **fields})


def shares(lake: Lake, rows: list[Interaction], **contracts: ContractSettings) -> dict[tuple[str | None, str], FieldShare]:
    lake.append("interactions", rows)
    found = contract_shares(lake.current("interactions"), contracts, ["served"], NOW)
    return {(share.application, share.field): share for share in found}


def test_without_a_contract_the_default_fields_are_measured(lake: Lake) -> None:
    full = {"model_version": "fp", "prompt_version": "7", "session_id": "s", "user_id": "u", "segment": "pro", "keys": {"t": "1"}}
    found = shares(lake, [desk(1, **full), desk(2)])
    assert [field for _, field in found] == ["model_version", "prompt_version", "session", "user", "segment", "keys"]
    assert {share.share for share in found.values()} == {0.5}
    assert {share.status for share in found.values()} == {"low"}


def test_a_contract_names_its_fields_its_threshold_and_single_keys(lake: Lake) -> None:
    contract = ContractSettings(required=["keys.ticket_id", "tags.team", "user"], min_share=0.5)
    rows = [desk(1, keys={"ticket_id": "1"}, user_id="u"), desk(2, keys={"other": "1"}, user_id="u")]
    found = shares(lake, rows, desk=contract)
    assert {field: (share.share, share.status) for (_, field), share in found.items()} == {
        "keys.ticket_id": (0.5, "met"),
        "tags.team": (0.0, "low"),
        "user": (1.0, "met"),
    }


def test_every_field_that_can_be_required_can_be_met_and_not_met(lake: Lake) -> None:
    met = {
        "application": "desk", "request_model": "m", "model_version": "v", "prompt_name": "p", "prompt_version": "1",
        "segment": "s", "session_id": "s", "user_id": "u", "keys": {"k": "1"},
        "input_tokens": 1, "output_tokens": 1, "content_present": True,
    }  # fmt: skip
    every = ContractSettings(
        required=[
            "application", "model", "model_version", "prompt_name", "prompt_version", "session", "user", "segment", "keys",
            "tokens", "content",
        ]
    )  # fmt: skip
    found = shares(lake, [make_interaction(1, **met), make_interaction(2, application="bare")], desk=every, bare=every)
    assert {share.share for (name, _), share in found.items() if name == "desk"} == {1.0}
    assert {field for (name, field), share in found.items() if name == "bare" and share.share == 1.0} == {"application"}


def test_a_checkpoint_is_a_model_version(lake: Lake) -> None:
    found = shares(lake, [desk(1, checkpoint_id="c_1")], desk=ContractSettings(required=["model_version"]))
    assert found["desk", "model_version"].share == 1.0


def test_rows_count_for_the_traffic_that_they_stand_for(lake: Lake) -> None:
    rows = [desk(1, user_id="u", sample_probability=0.25), desk(2)]
    found = shares(lake, rows, desk=ContractSettings(required=["user"]))
    assert found["desk", "user"].share == pytest.approx(0.8)
    assert found["desk", "user"].interactions == 2


def test_a_fall_against_the_week_before_is_a_warning_even_above_the_threshold(lake: Lake) -> None:
    before = [desk(number, start=LAST_WEEK + number, user_id="u") for number in range(60)]
    now = [desk(100 + number, user_id="u" if number < 48 else None) for number in range(60)]
    contract = ContractSettings(required=["user"], min_share=0.5, max_fall=0.1)
    share = shares(lake, [*before, *now], desk=contract)["desk", "user"]
    assert (share.status, share.share, share.week_before) == ("fell", 0.8, 1.0)


def test_a_fall_of_a_handful_is_chance(lake: Lake) -> None:
    rows = [desk(1, start=LAST_WEEK, user_id="u"), desk(2, user_id="u"), desk(3)]
    contract = ContractSettings(required=["user"], min_share=0.5, max_fall=0.1)
    assert shares(lake, rows, desk=contract)["desk", "user"].status == "met"


def test_an_application_that_falls_silent_is_told(lake: Lake) -> None:
    found = shares(
        lake, [desk(1, start=LAST_WEEK)], desk=ContractSettings(required=["user"]), never=ContractSettings(required=["user"])
    )
    assert {name: (share.status, share.share) for (name, _), share in found.items()} == {
        "desk": ("silent", None),
        "never": ("silent", None),
    }


def test_our_own_traffic_and_older_rows_do_not_count(lake: Lake) -> None:
    rows = [desk(1, user_id="u", exposure="replay"), desk(2, user_id="u", start=-20 * 86_400.0), desk(3)]
    found = shares(lake, rows, desk=ContractSettings(required=["user"]))
    assert (found["desk", "user"].share, found["desk", "user"].interactions) == (0.0, 1)


def test_an_interaction_without_an_application_is_measured_as_such(lake: Lake) -> None:
    assert shares(lake, [make_interaction(1, user_id="u")])[None, "user"].share == 1.0


@pytest.mark.parametrize("name", ["usr", "keys.", "keys", "key.ticket"])
def test_a_field_that_there_is_not_is_refused(name: str) -> None:
    if name == "keys":
        check_contracts({"desk": ContractSettings(required=[name])})
        return
    with pytest.raises(ConfigurationError, match=f"contracts.desk.required names `{name}`"):
        check_contracts({"desk": ContractSettings(required=[name])})

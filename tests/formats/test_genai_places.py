"""The place of an attribute is where `read_genai` puts its value."""

from typing import Any

import pytest

from penstock.formats.aliases import ATTRIBUTES, first_text, milliseconds, text_of
from penstock.formats.dialects import DIALECT_MARKERS
from penstock.formats.genai import CONTENT, read_genai
from penstock.formats.genai_places import Role, place_of


@pytest.mark.parametrize("attribute", sorted(ATTRIBUTES.keys() - DIALECT_MARKERS))
def test_an_attribute_that_means_a_column_fills_it(attribute: str) -> None:
    place = place_of(attribute)
    assert place is not None
    value: Any = "stop" if place.convert in (text_of, first_text) else 7
    column = read_genai({attribute: value}).columns[place.name]
    assert column == (7000 if place.convert is milliseconds else value)


@pytest.mark.parametrize(
    ("attribute", "role", "column"),
    [
        ("gen_ai.request.temperature", Role.PARAMETER, "parameters"),
        ("penstock.key.ticket_id", Role.KEYS, "keys"),
        ("penstock.tag.team", Role.TAGS, "tags"),
    ],
)
def test_an_entry_goes_under_its_own_name(attribute: str, role: Role, column: str) -> None:
    place = place_of(attribute)
    assert place is not None
    assert place.role is role
    assert place.name in str(read_genai({attribute: "x"}).columns[column])


@pytest.mark.parametrize("attribute", ["server.port", "http.route", "gen_ai.something.new", "llm.from.the.future"])
def test_what_no_column_holds_stays_as_it_is(attribute: str) -> None:
    place = place_of(attribute)
    assert place is not None
    assert (place.role, place.name) == (Role.ATTRIBUTES, attribute)
    assert read_genai({attribute: "x"}).rest == {attribute: "x"}


@pytest.mark.parametrize("attribute", sorted(CONTENT))
def test_messages_have_a_place_of_their_own(attribute: str) -> None:
    place = place_of(attribute)
    assert place is not None
    assert place.role is Role.CONTENT


@pytest.mark.parametrize(
    "attribute",
    [
        "openinference.span.kind",
        "ai.operationId",
        "langfuse.observation.type",
        "metadata.plan",
        "baggage.session_id",
        "order_id",
        "penstock.exposure",
        "penstock.relay.kind",
        "gen_ai.tool.definitions",
        "gen_ai.server.time_to_first_token",
        "gen_ai.openai.request.logit_bias",
        "resource.host.name",
    ],
)
def test_what_takes_more_than_a_look_at_the_value_has_none(attribute: str) -> None:
    assert place_of(attribute) is None

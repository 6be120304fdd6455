"""One redaction for everything that is stored."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ingest.redact import MASKED_CREDENTIAL, SPAN_TEXTS, Redaction
from penstock.policy_settings import RedactSettings
from penstock.records.ids import digest, feedback_id
from penstock.text.email_addresses import EmailAddresses
from penstock.text.redaction import FAILED, Redactor
from tests.rows import make_feedback, make_span, trace
from tests.text.test_redaction import Raising

PERSONAL = {
    "email": "jane.doe@example.com",
    "phone": "+1 415 555 0134",
    "card": "4111 1111 1111 1111",
    "ip": "192.168.17.4",
    "secret": "sk-abcdefghijklmnopqrstuvwx1",
}
# Business keys that say nothing by their value, or not enough, but with their name.
TELLING_KEYS = {
    "tax_id": "86095742719",
    "customer.national_id": "123456789",
    "ssn": "123456789",
    "date_of_birth": "1990-01-02",
    "taxId": "C01X00T47",
    "passport_id": "C01X00T47",
    "dob_id": "1990-01-02",
    "user.id": "jane",
    "account_key": "plain words",
}
REDACTION = Redaction(Redactor(b"k" * 32), ["customer"])


@pytest.mark.parametrize("column", SPAN_TEXTS)
def test_every_text_column_is_redacted(column: str) -> None:
    for kind, value in PERSONAL.items():
        (span,) = REDACTION.redact_spans([make_span(trace(1), "s", **{column: f"it is {value} indeed"})])
        assert value not in getattr(span, column)
        assert f"[{kind.upper()}_" in getattr(span, column)
        assert span.redactions == {kind: 1}


@pytest.mark.parametrize("value", PERSONAL.values())
def test_names_and_values_of_maps_are_redacted(value: str) -> None:
    raw = make_span(trace(1), "s", attributes={value: value, "clean": "yes"}, tags={value: value}, keys={value: value})
    (span,) = REDACTION.redact_spans([raw])
    assert value not in repr(span)
    assert (span.attributes["clean"], len(span.attributes), len(span.tags), len(span.keys)) == ("yes", 2, 1, 1)


def test_what_stands_under_a_credentials_name_goes_whatever_it_looks_like() -> None:
    (span,) = REDACTION.redact_spans([make_span(trace(1), "s", attributes={"http.header.authorization": "plain words"})])
    assert span.attributes == {"http.header.authorization": MASKED_CREDENTIAL}
    assert span.redactions == {"secret": 1}


def test_user_ids_are_hashed_wherever_they_stand_and_hash_alike() -> None:
    (span,) = REDACTION.redact_spans([make_span(trace(1), "s", user_id="u-17", attributes={"resource.enduser.id": "u-17"})])
    assert span.user_id == span.attributes["resource.enduser.id"] != "u-17"


def test_hashed_keys_join_feedback_to_spans() -> None:
    (span,) = REDACTION.redact_spans([make_span(trace(1), "s", keys={"customer": "c-9", "ticket": "t-1"})])
    (report,) = REDACTION.redact_feedback([make_feedback("thumb", "key", "c-9", key="customer")])
    assert span.keys["customer"] == report.target_id != "c-9"
    assert span.keys["ticket"] == "t-1"


@pytest.mark.parametrize(("name", "value"), TELLING_KEYS.items())
def test_a_key_is_judged_with_its_name_and_its_hash_still_joins(name: str, value: str) -> None:
    (span,) = REDACTION.redact_spans([make_span(trace(1), "s", keys={name: value, "ticket_id": "T-1"})])
    (suspected,) = REDACTION.redact_spans([make_span(trace(1), "s", keys={name: value}, prompt_text=PERSONAL["email"])])
    (report,) = REDACTION.redact_feedback([make_feedback("outcome.paid", "key", value, key=name)])
    assert re.fullmatch("k_[0-9a-f]{24}", report.target_id)
    assert span.keys == {name: report.target_id, "ticket_id": "T-1"}
    assert suspected.keys == {name: report.target_id}
    assert REDACTION.redact_spans([span]) == [span], "what a relay has hashed stays"
    assert REDACTION.key(name, report.target_id) == report.target_id


def test_an_idempotency_key_that_names_a_hidden_target_is_hashed_and_another_stays() -> None:
    raw = [
        make_feedback("paid", "key", value, key=name, idempotency_key=f"paid-{value}")
        for name, value in (("tax_id", "86095742719"), ("customer", "c-9"), ("ticket_id", "T-1"))
    ]
    redacted = REDACTION.redact_feedback(raw)
    assert [bool(re.fullmatch("i_[0-9a-f]{24}", report.idempotency_key)) for report in redacted] == [True, True, False]
    assert redacted[2].idempotency_key == "paid-T-1"
    assert REDACTION.redact_feedback(redacted) == redacted


def test_the_id_of_a_report_on_a_hidden_target_tells_nothing_of_it_and_is_the_same_each_time() -> None:
    digested = digest("outcome.paid", "key", "tax_id", "86095742719")
    reports = [
        make_feedback("paid", "key", value, key=name, idempotency_key=key)
        for name, value, key in (("tax_id", "86095742719", f"webhook:bank:{digested}"), ("ticket", "T-1", "webhook:bank:1"))
    ]
    hidden, plain = REDACTION.redact_feedback(reports)
    assert digested not in hidden.idempotency_key
    assert hidden.feedback_id == feedback_id(hidden.idempotency_key) != reports[0].feedback_id
    assert (plain.idempotency_key, plain.feedback_id) == (reports[1].idempotency_key, reports[1].feedback_id)
    assert REDACTION.redact_feedback(reports) == [hidden, plain] == REDACTION.redact_feedback([hidden, plain])


@pytest.mark.parametrize(("name", "value"), [("ticket_id", "123456789"), ("invoice", "86095742719"), ("born_again", "T-1")])
def test_a_key_whose_name_tells_nothing_stays(name: str, value: str) -> None:
    (span,) = REDACTION.redact_spans([make_span(trace(1), "s", keys={name: value})])
    assert span.keys == {name: value}


@pytest.mark.parametrize(
    ("kind", "target"),
    [("trace", "4111111111111111" * 2), ("span", f"{'4111111111111111' * 2}:4111111111111111"), ("span", ":4111111111111111")],
)
def test_hexadecimal_targets_stay_even_where_they_look_like_a_card(kind: str, target: str) -> None:
    (report,) = REDACTION.redact_feedback([make_feedback("rating", kind, target)])
    assert report.target_id == target


def test_a_run_that_names_a_person_still_joins_with_the_request_that_does() -> None:
    (span,) = REDACTION.redact_spans([make_span(trace(1), "s", request_id="jane.doe@example.com-7")])
    (report,) = REDACTION.redact_feedback([make_feedback("rating", "run", "jane.doe@example.com-7")])
    assert span.request_id == report.target_id != "jane.doe@example.com-7"


def test_a_clean_span_comes_out_as_it_went_in() -> None:
    span = make_span(trace(1), "s", prompt_text="what is the time", attributes={"a": "b"})
    assert REDACTION.redact_spans([span]) == [span]


def test_a_detector_that_fails_costs_a_span_only_the_text_that_it_failed_on() -> None:
    redaction = Redaction(Redactor(b"k" * 32, detectors=[EmailAddresses(), Raising()]))
    raw = make_span(
        trace(1),
        "s",
        prompt_text="boom",
        response_text="fine",
        session_id="boom",
        attributes={"a": "boom", "b": "jane@example.com"},
    )
    (span,) = redaction.redact_spans([raw])
    assert (span.prompt_text, span.response_text, span.attributes["a"]) == (FAILED, "fine", FAILED)
    assert span.redactions == {"failed": 2, "email": 1}
    assert "boom" not in repr(span)
    (report,) = redaction.redact_feedback([make_feedback("thumb", "session", "boom", text="boom", metadata={"k": "boom"})])
    assert "boom" not in repr(report)
    assert report.target_id == span.session_id
    assert report.redactions == {"failed": 2}


def test_exceptions_and_headers_among_attributes_are_redacted() -> None:
    attributes = {
        "exception.stacktrace": 'File "/home/jdoe/a.py", line 3\n  raise Denied("jane@example.com")',
        "llm.headers": '{"Authorization": "Bearer x", "Cookie": "sid=1", "Accept": "*/*"}',
        "http.request.header.cookie": "sid=1",
        "enduser.phone": "4673395",
        "order.id": "4155550134",
    }
    (span,) = REDACTION.redact_spans([make_span(trace(1), "s", attributes=attributes)])
    assert span.redactions == {"username": 1, "email": 1, "secret": 3, "phone": 1}
    assert re.fullmatch(
        r'File "/home/\[USERNAME_\d+\]/a.py", line 3\n  raise Denied\("\[EMAIL_\d+\]"\)', span.attributes["exception.stacktrace"]
    )
    assert json.loads(span.attributes["llm.headers"])["Accept"] == "*/*"
    assert span.attributes["http.request.header.cookie"] == MASKED_CREDENTIAL
    assert span.attributes["enduser.phone"].startswith("[PHONE_")
    assert span.attributes["order.id"] == "4155550134"


def test_the_hash_of_a_value_is_alike_in_traces_and_feedback_whatever_the_session() -> None:
    redaction = Redaction(Redactor(b"k" * 32, RedactSettings(modes={"email": "hash"})), ["customer"])
    (span,) = redaction.redact_spans(
        [make_span(trace(1), "s", session_id="one", prompt_text="I am jane@example.com", keys={"customer": "jane@example.com"})]
    )
    (report,) = redaction.redact_feedback(
        [make_feedback("thumb", "key", "jane@example.com", key="customer", session_id="two", text="Jane@example.com wrote")]
    )
    assert span.prompt_text is not None
    assert report.text is not None
    assert span.prompt_text.split()[-1] == report.text.split()[0]
    assert span.keys["customer"] == report.target_id


def test_numbers_of_placeholders_hold_within_a_session_across_batches_and_workers() -> None:
    def shown(session: str | None, trace_number: int) -> str | None:
        raw = make_span(trace(trace_number), "s", session_id=session, prompt_text="mail jane@example.com")
        return Redaction(Redactor(b"k" * 32)).redact_spans([raw])[0].prompt_text

    assert shown("one", 1) == shown("one", 2)
    assert shown("one", 1) != shown("two", 1)
    assert shown(None, 1) == shown(None, 1)
    assert shown(None, 1) != shown(None, 2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([*PERSONAL.values(), "word", "{", '"', "\n", "17", "@", "é"]), max_size=6), st.booleans())
def test_redacting_twice_changes_nothing(pieces: list[str], is_joined: bool) -> None:
    text = ("" if is_joined else " ").join(pieces)
    once = REDACTION.redact_spans([make_span(trace(1), "s", prompt_text=text, attributes={"a": text})])
    assert REDACTION.redact_spans(once) == once

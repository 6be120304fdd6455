"""Whose content is kept: alike everywhere, nested, and with a probability by which totals come out right."""

import math
import random
from datetime import timedelta

import msgspec
import pytest

from penstock.formats.message_events import CONTENT_EVENT
from penstock.formats.otlp_attributes import SAMPLE_PROBABILITY
from penstock.ingest.interactions import build_interactions
from penstock.ingest.sampling import Sampling, thin
from penstock.policy_settings import AttributeMatch, SamplePolicySettings, SampleSettings
from penstock.records.interaction import Interaction
from penstock.records.span import Span
from tests.rows import LATER, make_span, trace

SECRET = b"k" * 32
ERRORS = SamplePolicySettings(name="errors", status_codes=["ERROR"])
SLOW = SamplePolicySettings(name="slow", threshold_ms=5000, sampling_percentage=60)


def sampling(percentage: float, *policies: SamplePolicySettings, secret: bytes = SECRET, **settings: object) -> Sampling:
    given = SampleSettings(sampling_percentage=percentage, policies=list(policies))
    return Sampling(msgspec.structs.replace(given, **settings), secret)


def call(number: int, **fields: object) -> Span:
    given = {
        "prompt_text": "question", "response_text": "answer", "content_present": True, "input_tokens": 7,
        "request_id": f"r{number}", "tags": {"a": "b"}, "keys": {"ticket": "T"},
        "attributes": {"customer.tier": "gold"}, "parameters": "{}",
    }  # fmt: skip
    return make_span(trace(number), f"{number + 1:016x}", **{**given, **fields})


def settle(draw: Sampling, spans: list[Span], standing: dict[str, Interaction] | None = None) -> list[Interaction]:
    return draw.thin_interactions(build_interactions(spans, LATER), spans, standing or {})


def kept(rows: list[Interaction]) -> set[str]:
    return {row.trace_id for row in rows if row.content_sampled}


def test_without_a_policy_everything_is_kept_whole() -> None:
    spans = [call(number) for number in range(5)]
    assert sampling(100).thin_spans(spans) == spans
    assert {row.sample_probability for row in settle(sampling(100), spans)} == {1.0}


def test_the_same_secret_draws_alike_in_every_worker_and_another_one_otherwise() -> None:
    spans = [call(number) for number in range(2000)]
    one, same, other = (
        {span.trace_id for span in sampling(50, secret=secret).thin_spans(spans) if span.content_sampled}
        for secret in (SECRET, SECRET, b"x" * 32)
    )
    assert one == same != other
    seeded = {sampling(50, secret=secret, hash_seed="s").draw("t") for secret in (SECRET, b"x" * 32)}
    assert len(seeded) == 1


def test_a_higher_rate_keeps_a_superset_at_about_its_share() -> None:
    spans = [call(number) for number in range(4000)]
    before: set[str] = set()
    for percentage in (1, 10, 33, 80):
        now = {span.trace_id for span in sampling(percentage).thin_spans(spans) if span.content_sampled}
        assert before < now
        share = percentage / 100
        assert abs(len(now) / 4000 - share) < 4 * math.sqrt(share * (1 - share) / 4000)
        before = now


def test_draws_are_spread_evenly() -> None:
    counts = [0] * 20
    for number in range(20_000):
        counts[int(sampling(50).draw(trace(number)) * 20)] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 43.8  # chi square with 19 degrees of freedom at .001


def test_all_spans_and_events_of_a_trace_share_their_fate() -> None:
    draw = sampling(50)
    for number in range(50):
        spans = [
            call(number),
            make_span(trace(number), "root", kind="agent"),
            make_span(trace(number), "x", kind="event", name=CONTENT_EVENT, response_text="hi"),
        ]
        assert len({span.content_sampled for span in draw.thin_spans(spans)}) == 1


def test_a_thin_row_keeps_what_feedback_and_gates_need_and_nothing_of_the_content() -> None:
    span = call(
        1, session_id="s", user_id="u", response_id="p", checkpoint_id="c", release_arm="stable", arm_probability=0.5, cost=0.1,
        error_type="boom", system_instructions="[]", token_logprobs=[0.1], tool_calls="[]", retrieved_documents="[]",
        input_messages="[]", output_messages="[]",
    )  # fmt: skip
    (row,) = build_interactions([thin(span)], LATER)
    left = {name for name in Interaction.__struct_fields__ if getattr(row, name) not in (None, {}, False)}
    assert left == {
        "interaction_id", "request_id", "response_id", "session_id", "trace_id", "span_id", "user_id", "checkpoint_id",
        "release_arm", "arm_probability", "keys", "input_tokens", "cost", "error_type", "exposure", "started_at", "ended_at",
        "known_at", "dialect", "sample_probability", "capture_probability",
    }  # fmt: skip
    assert thin(span).attributes == {}


def test_an_application_has_its_own_rate() -> None:
    draw = sampling(10, applications={"checkout": 100})
    spans = draw.thin_spans([call(number, application="checkout") for number in range(100)])
    assert all(span.content_sampled and span.sample_probability == 1.0 for span in spans)
    rows = settle(draw, spans)
    assert {row.sample_probability for row in rows} == {1.0}
    assert {span.sample_probability for span in draw.thin_spans([call(1, application="shop")])} == {0.1}


def test_what_a_later_rule_could_keep_is_stored_whole_until_the_trace_is_settled() -> None:
    spans = [call(number) for number in range(200)]
    assert sampling(5, ERRORS).thin_spans(spans) == spans
    some = sampling(5, msgspec.structs.replace(ERRORS, sampling_percentage=40)).thin_spans(spans)
    assert {span.sample_probability for span in some} == {0.4}
    assert 40 < sum(bool(span.content_sampled) for span in some) < 120
    assert sampling(5, by="session").thin_spans(spans) == spans


def test_an_error_anywhere_in_a_trace_keeps_all_of_it() -> None:
    spans = [call(number) for number in range(100)]
    failed = [make_span(trace(number), "tool", f"{number + 1:016x}", kind="tool", status="error") for number in range(50)]
    rows = settle(sampling(1, ERRORS), spans + failed)
    assert {trace(number) for number in range(50)} <= kept(rows)
    assert {row.sample_probability for row in rows if row.trace_id in {trace(n) for n in range(50)}} == {1.0}
    assert {row.sample_probability for row in rows if row.trace_id in {trace(n) for n in range(50, 100)}} == {0.01}


def test_latency_is_that_of_the_trace_and_attributes_are_of_one_span() -> None:
    gold = SamplePolicySettings(
        name="gold", applications=["shop"], attributes=[AttributeMatch(key="customer.tier", values=["gold"])]
    )
    draw = sampling(0.001, msgspec.structs.replace(SLOW, sampling_percentage=100), gold)

    def is_kept(*spans: Span) -> bool:
        return settle(draw, list(spans))[0].sample_probability == 1.0

    silver = call(1, attributes={"customer.tier": "silver"})
    late = make_span(trace(1), "late", kind="other", start=4.5)
    assert is_kept(silver, late) and not is_kept(silver, make_span(trace(1), "soon", kind="other", start=4))
    assert is_kept(call(1, application="shop")) and not is_kept(call(1, application="bank"))
    assert not is_kept(silver, make_span(trace(1), "x", kind="other", application="shop"))


def test_a_rule_that_matches_late_brings_the_content_back() -> None:
    draw = sampling(0.001, ERRORS)
    (row,) = settle(draw, [call(1)])
    assert (row.content_sampled, row.response_text, row.sample_probability) == (False, None, 0.00001)
    late = make_span(trace(1), "late", kind="tool", status="error")
    (row,) = settle(draw, [call(1), late], {row.interaction_id: row})
    assert (row.content_sampled, row.response_text, row.sample_probability) == (True, "answer", 1.0)


@pytest.mark.parametrize("hours", [24, 25])
def test_a_rule_looks_at_what_comes_within_the_wait_and_at_nothing_later(hours: float) -> None:
    late = make_span(trace(1), "late", kind="tool", status="error", known_at=LATER + timedelta(hours=hours))
    for percentage in (0.001, 99.999):
        draw = sampling(percentage, ERRORS)
        (row,) = settle(draw, [call(1)])
        (after,) = settle(draw, [call(1), late], {row.interaction_id: row})
        assert (after.content_sampled, after.sample_probability) == (
            (True, 1.0) if hours == 24 else (row.content_sampled, row.sample_probability)
        )
        (at_once,) = settle(draw, [call(1), late])
        assert at_once == after


def test_a_session_that_comes_after_the_wait_moves_nothing() -> None:
    draw = sampling(50, by="session")
    late = make_span(trace(1), "late", kind="other", known_at=LATER + timedelta(hours=25))
    (alone,) = settle(draw, [call(1)])
    for session in range(20):
        (row,) = settle(draw, [call(1, session_id=f"s{session}"), late], {alone.interaction_id: alone})
        assert row.content_sampled == alone.content_sampled


def test_a_stricter_policy_takes_nothing_back_of_what_stands() -> None:
    standing = {row.interaction_id: row for row in settle(sampling(100), [call(number) for number in range(50)])}
    rows = settle(sampling(1), [call(number) for number in range(60)], standing)
    assert {row.sample_probability for row in rows[:50]} == {1.0} and all(row.content_sampled for row in rows[:50])
    assert {row.sample_probability for row in rows[50:]} == {0.01}


def test_a_session_is_kept_or_not_as_a_whole_and_moves_when_its_id_comes_late() -> None:
    draw = sampling(50, by="session")
    rows = settle(draw, [call(number, session_id=f"s{number % 40}") for number in range(400)])
    for session in range(40):
        assert len({row.content_sampled for row in rows if row.session_id == f"s{session}"}) == 1
    assert 5 < len({row.session_id for row in rows if row.content_sampled}) < 35
    inside = next(row for row in rows if not row.content_sampled)
    number = int(inside.trace_id, 16) - 1
    (alone,) = settle(draw, [call(number)])
    (joined,) = settle(draw, [call(number, session_id=inside.session_id)], {alone.interaction_id: alone})
    assert not joined.content_sampled


def test_what_was_sampled_before_it_came_is_not_sampled_again() -> None:
    relayed = call(1, sample_probability=0.25, attributes={SAMPLE_PROBABILITY: "0.25"})
    for draw in (sampling(0.001), sampling(0.001, ERRORS), sampling(0.001, by="session")):
        assert draw.thin_spans([relayed]) == [relayed]
        (row,) = settle(draw, draw.thin_spans([relayed]))
        assert (row.content_sampled, row.sample_probability) == (True, 0.25)


def test_a_thin_copy_never_takes_the_place_of_a_whole_one() -> None:
    whole = call(1)
    late = msgspec.structs.replace(thin(whole), known_at=LATER.replace(year=2027))
    for spans in ([whole, late], [late, whole]):
        assert build_interactions(spans, LATER)[0].response_text == "answer"


def test_what_came_thin_gets_its_content_back_from_no_event() -> None:
    event = make_span(trace(1), f"{2:016x}", kind="event", name=CONTENT_EVENT, response_text="hi", content_present=True)
    relayed = msgspec.structs.replace(thin(call(1)), attributes={SAMPLE_PROBABILITY: "0.5"}, sample_probability=0.5)
    for draw in (sampling(100), sampling(50)):
        (row,) = settle(draw, [relayed, event])
        assert (row.content_sampled, row.response_text, row.content_present, row.sample_probability) == (False, None, False, 0.5)


def test_an_event_without_a_trace_is_drawn_by_itself() -> None:
    orphans = [msgspec.structs.replace(call(number), trace_id="", span_id="", kind="event") for number in range(200)]
    assert 40 < sum(bool(span.content_sampled) for span in sampling(50).thin_spans(orphans)) < 160


@pytest.mark.parametrize("by", ["trace", "session"])
def test_totals_weighted_back_agree_with_the_truth_within_their_interval(by: str) -> None:
    """Horvitz-Thompson under clustered draws: over 100 secrets the 95 % interval has to hold the truth about as often."""
    spans = _traffic()
    built = build_interactions(spans, LATER)
    worth = {row.interaction_id: float(row.output_tokens or 0) for row in built}
    truth_total, truth_count = sum(worth.values()), len(built)
    inside_total = inside_count = 0
    estimates: list[float] = []
    for number in range(100):
        draw = sampling(20, ERRORS, SLOW, secret=number.to_bytes(32, "big"), by=by)
        stored = draw.thin_spans(spans)
        rows = draw.thin_interactions(build_interactions(stored, LATER), stored, {})
        assert len(rows) == truth_count  # a row is there either way
        total, half = _horvitz_thompson(rows, worth, by)
        inside_total += abs(total - truth_total) <= half
        count, half = _horvitz_thompson(rows, dict.fromkeys(worth, 1.0), by)
        inside_count += abs(count - truth_count) <= half
        estimates.append(total)
    mean, spread = sum(estimates) / 100, max(estimates) - min(estimates)
    assert abs(mean - truth_total) < spread / 20  # no bias to be seen
    assert inside_total >= 88 and inside_count >= 88


def _traffic() -> list[Span]:
    """Traces of one to four calls in sessions of three traces; what matters to a rule goes with what is counted."""
    chance = random.Random(5)
    spans: list[Span] = []
    for number in range(400):
        is_failed, is_slow = chance.random() < 0.1, chance.random() < 0.15
        for position in range(chance.randint(1, 4)):
            spans.append(
                make_span(
                    trace(number), f"{number:08x}{position:08x}", start=number + (9 * position if is_slow else 0),
                    status="error" if is_failed and position == 0 else "ok", session_id=f"s{number // 3}", content_present=True,
                    output_tokens=chance.randint(50, 150) * (3 if is_slow else 1), response_text="x",
                )
            )  # fmt: skip
    return spans


def _horvitz_thompson(rows: list[Interaction], worth: dict[str, float], by: str) -> tuple[float, float]:
    """The total over the rows with content, each weighted by 1/p, and half of its interval.

    Calls that share a draw are in or out together: the pair probability of two in one cluster is the lesser of theirs.
    """
    clusters: dict[str, list[Interaction]] = {}
    for row in rows:
        if row.content_sampled:
            clusters.setdefault((row.session_id or "") if by == "session" else row.trace_id, []).append(row)
    total = variance = 0.0
    for of_cluster in clusters.values():
        for one in of_cluster:
            total += worth[one.interaction_id] / one.sample_probability
            for two in of_cluster:
                p, q = one.sample_probability, two.sample_probability
                together = min(p, q)
                variance += worth[one.interaction_id] * worth[two.interaction_id] * (together - p * q) / (together * p * q)
    return total, 1.96 * math.sqrt(max(variance, 0.0))

"""What settling sampled out leaves `spans` too: no text is left on the disk, and what comes late settles as if it were."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.formats.message_events import CONTENT_EVENT
from penstock.formats.otlp_attributes import SAMPLE_PROBABILITY
from penstock.ingest.sampling import SAMPLED_OUT, Sampling
from penstock.ingest.settle import WATERMARK, settle_interactions
from penstock.ingest.thin_spans import MARK, thin_spans
from penstock.lake import delta, rewriting
from penstock.lake.lake import Lake
from penstock.policy_settings import SamplePolicySettings, SampleSettings
from penstock.records.clock import WriterClock, utc_now
from penstock.records.interaction import Interaction
from penstock.records.span import Span
from penstock.settings import LakeSettings
from tests.rows import LATER, make_span, trace
from tests.stages import Now
from tests.worker.left_behind import find_left

ERRORS = SamplePolicySettings(name="errors", status_codes=["ERROR"])
SAMPLING = Sampling(SampleSettings(sampling_percentage=0.000001, policies=[ERRORS]), b"k" * 32)
AFTER = timedelta(hours=25)
TEXT = "zanzibar"


def call(number: int, span_id: str = "call", parent: str | None = None, **fields: Any) -> Span:
    given: dict[str, Any] = {
        "response_text": f"{TEXT} {number}",
        "content_present": True,
        "output_tokens": 3,
        "attributes": {"note": TEXT},
    }
    return make_span(trace(number), span_id, parent, **{**given, **fields})


def event(number: int) -> Span:
    return make_span(trace(number), "call", kind="event", name=CONTENT_EVENT, input_messages=f'[{{"role":"user","x":"{TEXT}"}}]')


def tool(number: int, **fields: Any) -> Span:
    return make_span(trace(number), "tool", "call", kind="tool", **{"tool_calls": f'[{{"name":"{TEXT}"}}]', **fields})


def settle(lake: Lake, clock: WriterClock) -> None:
    settle_interactions(lake, clock, sampling=SAMPLING)


def rows(lake: Lake) -> dict[str, Interaction]:
    found = lake.revisions("interactions").order_by("revision")
    return {row.interaction_id: row for row in lake.to_records("interactions", found)}


def spans(lake: Lake) -> dict[str, Span]:
    return {row.span_key: row for row in lake.to_records("spans", lake.current("spans"))}


def vacuumed(lake: Lake) -> Path:
    """The lake's folder without the files that no longer count, which a vacuum takes in its time."""
    with lake.alone():
        lake.purge()
    return Path(str(lake.root))


def test_after_the_wait_no_file_holds_the_text_and_interactions_are_as_they_were(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [call(0), event(0), tool(0), make_span(trace(0), "root", kind="agent", tags={"a": TEXT})])
    settle(lake, clock)
    standing = rows(lake)
    assert find_left(Path(str(lake.root)), [TEXT])
    assert thin_spans(lake, SAMPLING, utc_now() + AFTER) == 4
    assert rows(lake) == standing
    assert find_left(vacuumed(lake), [TEXT]) == []
    left = spans(lake)[call(0).span_key]
    assert (left.output_tokens, left.content_sampled, left.attributes) == (3, False, {SAMPLED_OUT: "true"})


def test_settling_takes_nothing_thinned_for_new(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [call(0)])
    settle(lake, clock)
    read = lake.transaction_version("interactions", WATERMARK)
    thin_spans(lake, SAMPLING, utc_now() + AFTER)
    assert lake.changes("spans", read).rows.num_rows == 0
    version = lake.revisions("interactions").count().to_pyarrow().as_py()
    settle(lake, clock)
    assert lake.revisions("interactions").count().to_pyarrow().as_py() == version


def test_what_is_kept_and_what_shares_its_trace_with_something_kept_stays_whole(lake: Lake, clock: WriterClock) -> None:
    relayed = call(2, "relayed", attributes={SAMPLE_PROBABILITY: "0.5"})
    whole = [call(0), tool(0, status="error"), call(2), relayed]
    lake.append("spans", [*whole, call(1)])
    settle(lake, clock)
    assert thin_spans(lake, SAMPLING, utc_now() + AFTER) == 1
    left = spans(lake)
    assert [left[span.span_key] for span in whole] == whole


def test_before_the_wait_is_over_and_without_rules_nothing_is_touched(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [call(0)])
    settle(lake, clock)
    version = lake.version("spans")
    by_percentage = Sampling(SampleSettings(sampling_percentage=0.000001), b"k" * 32)
    assert thin_spans(lake, by_percentage, utc_now() + AFTER) == 0
    assert lake.version("spans") == version
    assert thin_spans(lake, SAMPLING, utc_now() + timedelta(hours=23)) == 0
    assert spans(lake)[call(0).span_key].response_text


def test_a_trace_with_a_span_that_is_not_settled_yet_waits(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [call(0), call(1)])
    settle(lake, clock)
    lake.append("spans", [tool(0, status="error")])
    assert thin_spans(lake, SAMPLING, utc_now() + AFTER) == 1
    settle(lake, clock)
    row = rows(lake)[call(0).span_key]
    assert (row.response_text, row.content_sampled) == (f"{TEXT} 0", True)


def test_it_looks_once_an_hour_and_only_at_what_has_come_of_age_since(
    lake: Lake, clock: WriterClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("spans", [call(0)])
    settle(lake, clock)
    first = utc_now() + AFTER
    assert thin_spans(lake, SAMPLING, first) == 1
    later_ns = time.time_ns() + 120 * 10**9  # of age two minutes after the first look
    written_ns = later_ns + int((AFTER - timedelta(hours=24, minutes=10)).total_seconds()) * 10**9
    with monkeypatch.context() as patched:
        patched.setattr(delta, "time", SimpleNamespace(time_ns=lambda: written_ns))
        lake.append("spans", [call(1)])
    settle(lake, clock)
    version = lake.version("spans")
    assert thin_spans(lake, SAMPLING, first + timedelta(minutes=59)) == 0
    assert lake.version("spans") == version
    second = first + timedelta(minutes=61)
    assert thin_spans(lake, SAMPLING, second) == 1
    assert lake.transaction_version("spans", MARK) == int(second.timestamp())
    version = lake.version("spans")
    assert thin_spans(lake, SAMPLING, second + timedelta(minutes=61)) == 0
    assert lake.version("spans") == version


def test_an_error_after_the_wait_brings_nothing_back_and_leaves_the_probability_true(
    lake: Lake, clock: WriterClock, now: Now
) -> None:
    lake.append("spans", [call(0)])
    settle(lake, clock)
    thin_spans(lake, SAMPLING, utc_now() + AFTER)
    late = LATER + AFTER
    now.time = late
    root = make_span(trace(0), "root", kind="agent", status="error", known_at=late, user_id="u_1", session_id="s")
    lake.append("spans", [root, call(0, "second", "root", start=9, known_at=late)])
    standing = rows(lake)[call(0).span_key]
    settle(lake, clock)
    after = rows(lake)
    assert after[call(0).span_key] == standing
    second = after[call(0, "second").span_key]
    assert (second.content_sampled, second.response_text, second.user_id) == (False, None, "u_1")
    assert second.sample_probability == standing.sample_probability == pytest.approx(1e-8)


def test_a_parent_that_comes_late_still_says_who_asked(lake: Lake, clock: WriterClock, now: Now) -> None:
    lake.append("spans", [call(0, parent="root", keys={"ticket": "T"})])
    settle(lake, clock)
    thin_spans(lake, SAMPLING, utc_now() + AFTER)
    now.time = LATER + AFTER
    lake.append(
        "spans",
        [make_span(trace(0), "root", kind="agent", known_at=now.time, user_id="u_1", session_id="s", keys={"order": "O"})],
    )
    settle(lake, clock)
    row = rows(lake)[call(0).span_key]
    assert (row.user_id, row.session_id, row.keys, row.revision) == ("u_1", "s", {"ticket": "T", "order": "O"}, 1)
    assert (row.output_tokens, row.content_sampled) == (3, False)


@pytest.mark.parametrize(("answers", "is_one_call"), [(("same", "same"), True), (("one", "other"), False)])
def test_calls_told_apart_or_taken_for_one_by_their_texts_stay_so(
    lake: Lake, clock: WriterClock, now: Now, answers: tuple[str, str], is_one_call: bool
) -> None:
    outer = call(0, "outer", response_text=answers[0], output_tokens=None)
    lake.append("spans", [outer, call(0, "inner", "outer", response_text=answers[1], output_tokens=None)])
    settle(lake, clock)
    before = rows(lake)
    assert (before[outer.span_key].merged_into is not None) == is_one_call
    thin_spans(lake, SAMPLING, utc_now() + AFTER)
    now.time = LATER + AFTER
    lake.append("spans", [make_span(trace(0), "x", kind="other", known_at=now.time)])
    settle(lake, clock)
    assert rows(lake) == before


def test_a_nearer_view_that_comes_late_takes_the_place_of_a_thinned_one(lake: Lake, clock: WriterClock, now: Now) -> None:
    lake.append("spans", [call(0, response_id="r", user_id="u_1")])
    settle(lake, clock)
    thin_spans(lake, SAMPLING, utc_now() + AFTER)
    now.time = LATER + AFTER
    gateway = call(0, "gw", "call", start=0.5, dialect="gateway", response_id="r", known_at=now.time)
    lake.append("spans", [gateway])
    settle(lake, clock)
    after = rows(lake)
    assert after[call(0).span_key].merged_into == gateway.span_key
    assert (after[gateway.span_key].user_id, after[gateway.span_key].response_text) == ("u_1", None)


def test_a_span_sent_again_whole_is_thinned_again(
    lake: Lake, clock: WriterClock, now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("spans", [call(0)])
    settle(lake, clock)
    standing = rows(lake)
    thin_spans(lake, SAMPLING, utc_now() + AFTER)
    now.time = LATER + AFTER
    then_ns = time.time_ns() + int(AFTER.total_seconds()) * 10**9
    with monkeypatch.context() as patched:
        patched.setattr(delta, "time", SimpleNamespace(time_ns=lambda: then_ns))  # when the file says that it was written
        lake.append("spans", [call(0, known_at=now.time)])
    settle(lake, clock)
    assert rows(lake) == standing
    assert thin_spans(lake, SAMPLING, utc_now() + 2 * AFTER) == 1
    assert find_left(vacuumed(lake), [TEXT]) == []


def test_a_crash_before_the_commit_leaves_everything_to_the_next_time(
    lake: Lake, clock: WriterClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("spans", [call(0)])
    settle(lake, clock)
    due: datetime = utc_now() + AFTER
    with monkeypatch.context() as patched:
        patched.setattr(rewriting, "_commit", lambda *_: (_ for _ in ()).throw(RuntimeError("the power went")))
        with pytest.raises(RuntimeError):
            thin_spans(lake, SAMPLING, due)
    again = Lake(lake.root, LakeSettings())
    assert spans(again)[call(0).span_key].response_text
    assert thin_spans(again, SAMPLING, due) == 1

"""Server-sent events, however the network cuts them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadInputError
from penstock.formats.server_sent_events import EventSplitter, write_event

STREAM = b'data: {"a":1}\n\n: comment\n\ndata:two\r\n\r\nevent: x\ndata: l1\ndata: l2\n\ndata: [DONE]\n\n'
DATA = [b'{"a":1}', None, b"two", b"l1\nl2", b"[DONE]"]


def test_events_are_cut_out_with_their_data() -> None:
    events = list(EventSplitter().feed(STREAM))
    assert [event.data for event in events] == DATA
    assert b"".join(event.raw for event in events) == STREAM


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=12))
def test_it_does_not_matter_where_the_network_cuts(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    splitter = EventSplitter()
    events = [event for start, end in pairwise(edges) for event in splitter.feed(STREAM[start:end])]
    assert [event.data for event in events] == DATA
    assert b"".join(event.raw for event in events) == STREAM
    assert splitter.rest() is None


def test_an_event_without_its_last_blank_line_is_left_for_the_end() -> None:
    splitter = EventSplitter()
    assert list(splitter.feed(b"data: last")) == []
    rest = splitter.rest()
    assert rest is not None and rest.data == b"last"


def test_what_is_written_is_read_back() -> None:
    assert [event.data for event in EventSplitter().feed(write_event(b"{}"))] == [b"{}"]


def test_an_event_that_never_ends_is_refused() -> None:
    with pytest.raises(BadInputError, match="does not end"):
        list(EventSplitter().feed(b"data: " + b"x" * (17 * 1024 * 1024)))

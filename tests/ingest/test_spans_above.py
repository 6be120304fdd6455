"""Interactions below a span."""

from penstock.ingest.spans_above import Link, SpanId, spans_below


def links(*pairs: tuple[str, str | None]) -> list[Link]:
    return [Link(trace_id="t", span_id=span, parent_span_id=parent) for span, parent in pairs]


def below(*pairs: tuple[str, str | None], leaves: str, wanted: str) -> set[str]:
    found = spans_below(links(*pairs), [SpanId("t", leaf) for leaf in leaves.split()], [SpanId("t", wanted)])
    return {span.span_id for span in found.get(SpanId("t", wanted), set())}


def test_everything_below_is_found_however_deep() -> None:
    tree = [("a", None), ("b", "a"), ("c", "b"), ("d", "a"), ("e", None)]
    assert below(*tree, leaves="c d e", wanted="a") == {"c", "d"}
    assert below(*tree, leaves="c d e", wanted="b") == {"c"}
    assert below(*tree, leaves="c d e", wanted="e") == set()


def test_a_span_that_never_came_is_known_by_its_children() -> None:
    assert below(("c", "gone"), leaves="c", wanted="gone") == {"c"}


def test_a_missing_link_ends_the_search_and_a_circle_does_too() -> None:
    assert below(("a", None), ("c", "gone"), leaves="c", wanted="a") == set()
    assert below(("a", "b"), ("b", "a"), leaves="a", wanted="b") == {"a"}
    assert below(("a", "a"), leaves="a", wanted="a") == set()


def test_traces_are_kept_apart() -> None:
    other = SpanId("u", "a")
    assert spans_below(links(("c", "a")), [SpanId("t", "c")], [other]) == {}

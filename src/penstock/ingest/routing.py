"""Where a span goes: into the store, to other OTLP endpoints, or nowhere. Of the rules the first that matches counts."""

from collections import defaultdict
from collections.abc import Sequence

from penstock.config import RoutingSettings
from penstock.ingest.span_match import span_match
from penstock.records.span import Span

STORE = "store"


class Routing:
    """The table of one home."""

    def __init__(self, settings: RoutingSettings) -> None:
        self._default = tuple(dict.fromkeys(settings.default_pipelines))
        self._table = [
            (
                span_match(f"policy.route.table ({rule.name})", rule.applications, rule.attributes),
                tuple(dict.fromkeys(rule.pipelines)),
            )
            for rule in settings.table
        ]

    def route(self, spans: Sequence[Span]) -> dict[str, Sequence[Span]]:
        """The spans of each pipeline, in order; those that go nowhere are in none."""
        if not self._table:
            return dict.fromkeys(self._default, spans) if spans else {}
        routed: dict[str, list[Span]] = defaultdict(list)
        for span in spans:
            for pipeline in self._pipelines(span):
                routed[pipeline].append(span)
        return dict(routed)

    def _pipelines(self, span: Span) -> tuple[str, ...]:
        return next((pipelines for matches, pipelines in self._table if matches(span)), self._default)

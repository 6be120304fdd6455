"""Where a span goes: into the store, to other OTLP endpoints, or nowhere. Of the rules the first that matches counts."""

from collections import defaultdict
from collections.abc import Sequence

from penstock.ingest.span_match import span_match
from penstock.policy_settings import RoutingSettings
from penstock.records.span import Span

STORE = "store"
Pipelines = tuple[str, ...]


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

    @property
    def stores_all(self) -> bool:
        """Whether every span goes into the store, and nowhere else."""
        return not self._table and self._default == (STORE,)

    def pipelines(self, spans: Sequence[Span]) -> list[Pipelines]:
        """Where each span goes, as it arrives: whole, and before anything in it is masked. Empty: nowhere."""
        if not self._table:
            return [self._default] * len(spans)
        return [self._pipelines_of(span) for span in spans]

    def _pipelines_of(self, span: Span) -> Pipelines:
        return next((pipelines for matches, pipelines in self._table if matches(span)), self._default)


def group(spans: Sequence[Span], pipelines: Sequence[Pipelines]) -> dict[str, Sequence[Span]]:
    """The spans of each pipeline, in order."""
    different = set(pipelines)
    if len(different) == 1:
        return dict.fromkeys(different.pop(), spans)
    grouped: dict[str, list[Span]] = defaultdict(list)
    for span, leads_to in zip(spans, pipelines, strict=True):
        for pipeline in leads_to:
            grouped[pipeline].append(span)
    return dict(grouped)

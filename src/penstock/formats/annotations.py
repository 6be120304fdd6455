"""OpenInference's annotations and evaluations: feedback flattened into a span's attributes, as gen_ai.evaluation.* has it.

An annotation is about the span that carries it, or its trace or session. So is an evaluation, unless an evaluator's span carries
it: that one names what it judged by its one link, and where it has none it is about nothing that can be told.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from penstock.formats.aliases import real_of, text_of
from penstock.formats.json_value import decoded_map
from penstock.records.feedback import TargetKind

_KIND = "openinference.span.kind"
_PREFIXES = ("annotations.", "evaluations.", "trace.", "session.")
_NAME = re.compile(
    r"(?P<scope>trace\.|session\.|)(?P<list>annotations|evaluations)\.(?P<index>\d{1,9})\.(?:annotation|evaluation)\.(?P<field>\w+)"
)
_FIELDS = {
    "name": "gen_ai.evaluation.name",
    "score": "gen_ai.evaluation.score.value",
    "label": "gen_ai.evaluation.score.label",
    "explanation": "gen_ai.evaluation.explanation",
    "annotator_kind": "annotator_kind",
    "identifier": "identifier",
}
_SpanIds = tuple[str, str]


class Annotation(Struct, frozen=True):
    """One of them: what it is about, what makes it that one among the span's, and what it says."""

    target_kind: TargetKind
    target_id: str
    identity: tuple[str, ...]
    said: dict[str, Any]


def take_annotations(attributes: dict[str, Any], span: _SpanIds, links: Sequence[_SpanIds]) -> list[Annotation]:
    """Take out of an OpenInference span's attributes what is feedback; what is incomplete or about nothing stays."""
    if _KIND not in attributes:
        return []
    found: dict[tuple[str, str, str], dict[str, str]] = {}  # attribute by field, of each
    for name in attributes:
        if name.startswith(_PREFIXES) and (match := _NAME.fullmatch(name)) is not None:
            found.setdefault((match["scope"], match["list"], match["index"]), {})[match["field"]] = name
    taken = []
    for place, names in found.items():
        target = _target(place, attributes, span, links)
        said = _said({field: attributes[name] for field, name in names.items()})
        if target is None or said is None:
            continue
        identifier = said.get("identifier")
        # The same judgement may be told twice, in another place, where it has an identifier.
        identity = (said["gen_ai.evaluation.name"], identifier) if identifier else ("".join(place[:2]), place[2], *span)
        taken.append(Annotation(*target, (str(target[0]), target[1], *identity), said))
        for name in names.values():
            del attributes[name]
    return taken


def _target(
    place: tuple[str, str, str], attributes: Mapping[str, Any], span: _SpanIds, links: Sequence[_SpanIds]
) -> tuple[TargetKind, str] | None:
    scope, of_list, _ = place
    if scope == "session.":
        session = text_of(attributes.get("session.id"))
        return None if session is None else (TargetKind.SESSION, session)
    if of_list == "evaluations" and str(attributes[_KIND]).upper() == "EVALUATOR":
        if len(links) != 1:
            return None
        (span,) = links
    return (TargetKind.TRACE, span[0]) if scope else (TargetKind.SPAN, ":".join(span))


def _said(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """Its fields under the names of an evaluation result; None where it has no name or says nothing."""
    name = text_of(fields.get("name"))
    has_score = isinstance(fields.get("score"), bool) or real_of(fields.get("score")) is not None
    if name is None or not (has_score or fields.get("label") or fields.get("explanation")):
        return None
    named = {_FIELDS[field]: value for field, value in fields.items() if field in _FIELDS and value not in (None, "")}
    return {**decoded_map(fields.get("metadata")), **named, "gen_ai.evaluation.name": name}

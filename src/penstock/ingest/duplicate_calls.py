"""Model calls that were seen twice: by a framework and the client library below it, by the application and the gateway, or by a
wrapper that repeats what the calls within it said.

The innermost view counts, because it is nearest to what was served; the outer ones know who asked and why. Two views are one call
where one lies within the other and nothing that both say differs: the response's id first, else models, tokens and text.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from penstock.formats import google_adk
from penstock.ingest.event_content import FILLED
from penstock.records.interaction import Exposure
from penstock.records.span import Span, SpanKind

Draft = dict[str, Any]
Ancestors = Callable[[Span], Iterable[Span]]

_FROM_THE_OUTER = ("session_id", "user_id", "segment", "tenant", "application", "prompt_name", "prompt_version")
_MAPS = ("tags", "keys")


def merge_duplicates(inferences: Sequence[Span], drafts: dict[str, Draft], ancestors: Ancestors) -> dict[str, str]:
    """Merge what is one call, and tell for every view that does not count which span does."""
    within: dict[str, list[Span]] = defaultdict(list)
    depth: dict[str, int] = {}
    spans = {span.span_id: span for span in inferences}
    for span in inferences:
        above = list(ancestors(span))
        depth[span.span_id] = len(above)
        outer = next((ancestor for ancestor in above if ancestor.kind == SpanKind.INFERENCE), None)
        if outer is not None and not (outer.dialect == _GATEWAY and span.dialect == _GATEWAY):
            within[outer.span_id].append(span)
    merged: dict[str, str] = {}
    # From the outermost inwards, so that what the outermost knows reaches the innermost.
    for outer_id in sorted(within, key=lambda span_id: (depth.get(span_id, 0), span_id)):
        inner = within[outer_id]
        same = [span for span in inner if _is_step(span, spans[outer_id]) or _is_one_call(drafts[span.span_id], drafts[outer_id])]
        if same:
            _merge(drafts[same[-1].span_id], drafts[outer_id])  # of several attempts the last
            merged[outer_id] = same[-1].span_id
        elif _wraps(drafts[outer_id], [drafts[span.span_id] for span in inner]):
            merged[outer_id] = inner[-1].span_id
    return {span_id: _last(merged, span_id) for span_id in merged}


_GATEWAY = "gateway"


def _last(merged: dict[str, str], span_id: str) -> str:
    while span_id in merged:
        span_id = merged[span_id]
    return span_id


def _is_step(inner: Span, outer: Span) -> bool:
    """Google's Agent Development Kit has a step around each call of the model, which may count thoughts otherwise."""
    return outer.dialect == google_adk.DIALECT and inner.parent_span_id == outer.span_id


def _is_one_call(inner: Draft, outer: Draft) -> bool:
    if inner["response_id"] is not None and outer["response_id"] is not None:
        return bool(inner["response_id"] == outer["response_id"])
    if inner["error_type"] is not None and outer["error_type"] is not None:
        return True
    if outer["response_id"] is not None or not _models_agree(inner, outer):
        return False
    if _tokens(outer) is not None and _tokens(inner) is not None:
        return _tokens(outer) == _tokens(inner) and _texts_agree(inner, outer)
    if outer["response_text"] is not None and inner["response_text"] is not None:
        return _texts_agree(inner, outer)
    return inner["response_id"] is not None and _says_nothing(outer)


def _wraps(outer: Draft, inner: Sequence[Draft]) -> bool:
    """Whether this is no call but what stands around some: it names no response, and no model, or sums up or repeats theirs."""
    if outer["response_id"] is not None:
        return False
    if _names_no_call(outer) and not all(map(_names_no_call, inner)):
        return True
    if len(inner) < 2:
        return False
    tokens = _tokens(outer)
    if tokens is not None:
        counts = [found for draft in inner if (found := _tokens(draft)) is not None]
        return tokens == (sum(count[0] for count in counts), sum(count[1] for count in counts))
    return outer["response_text"] is None or outer["response_text"] in [draft["response_text"] for draft in inner]


def _names_no_call(draft: Draft) -> bool:
    """A program around a call knows what was asked and answered, and neither the model nor the tokens."""
    return draft["request_model"] is None and draft["response_model"] is None and _tokens(draft) is None


def _tokens(draft: Draft) -> tuple[int, int] | None:
    counts = draft["input_tokens"], draft["output_tokens"]
    return None if None in counts else counts


def _texts_agree(inner: Draft, outer: Draft) -> bool:
    return None in (inner["response_text"], outer["response_text"]) or inner["response_text"] == outer["response_text"]


def _models_agree(inner: Draft, outer: Draft) -> bool:
    """A name may come with its date or its vendor (`gpt-4o-2024-07-18`, `openai/gpt-4o`)."""
    ours, theirs = ([draft[name] for name in ("request_model", "response_model") if draft[name]] for draft in (inner, outer))
    if not ours or not theirs:
        return True
    return any(one.startswith(other) or one.endswith(other) or other.startswith(one) or other.endswith(one)
               for one in ours for other in theirs)  # fmt: skip


def _says_nothing(draft: Draft) -> bool:
    return draft["response_text"] is None and draft["input_tokens"] is None and draft["output_tokens"] is None


def _merge(inner: Draft, outer: Draft) -> None:
    """Two views of one call: the outer knows who and why, the inner knows what was served and how."""
    for name in FILLED:
        if inner[name] is None:
            inner[name] = outer[name]
    for name in _FROM_THE_OUTER:
        if outer[name] is not None:
            inner[name] = outer[name]
    for name in _MAPS:
        inner[name] = {**inner[name], **outer[name]}
    if inner["exposure"] == Exposure.SERVED:
        inner["exposure"] = outer["exposure"]
    inner["content_present"] = inner["content_present"] or outer["content_present"]

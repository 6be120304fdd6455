"""The lines of code that an answer suggested: what stands in fenced blocks of its text, and what its tool calls were to write.

A line counts without its white space at the ends and with single spaces inside. One without a letter or digit, or with something
that redaction took out, is left aside: the one would be found anywhere, the other nowhere.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from ibis import _
from msgspec import Struct

from penstock.lake.lake import Lake
from penstock.text.placeholders import PlaceholderSpans

_QUOTE = re.compile(r"^(?:[ \t]*>)+[ \t]?")
_OPENING = re.compile(r"^[ \t]*((?:>[ \t]*)*)(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$")
_WRITTEN = frozenset({"content", "contents", "code", "new_string", "new_str", "new_text", "file_text", "insert_text", "text"})
_PATCHES = frozenset({"patch", "diff"})
_MOST_LINES = 10_000
_COLUMNS = ("interaction_id", "request_id", "trace_id", "span_id", "started_at", "response_text", "tool_calls", "keys")


class Suggestion(Struct, frozen=True, kw_only=True):
    """What one request was answered with."""

    interaction_id: str
    request_id: str  # as a commit names it, or else as it is stored
    target: dict[str, str]  # as a report names it
    span: dict[str, str]  # as a report could name it as well
    lines: tuple[str, ...]
    reason: str | None = None  # why there are none


def find_suggestions(
    lake: Lake, names: Mapping[str, str], key: str | None = None, values: Mapping[str, str] | None = None
) -> dict[str, list[Suggestion]]:
    """By request id as named, or by commit: what was suggested. `names` and `values` say how each is stored."""
    found: dict[str, list[Suggestion]] = {}
    if names:
        by_name: dict[str, list[str]] = {}
        for name, stored in names.items():
            by_name.setdefault(stored, []).append(name)
        for row in lake.find("interactions", "request_id", sorted(by_name), _COLUMNS).to_pylist():
            for name in by_name[row["request_id"]]:
                found.setdefault(name, []).append(_suggestion(row, name, {"request_id": name}))
        for name, some in found.items():
            if len(some) > 1:  # such a request is no one's name: each is named by its span
                found[name] = [msgspec.structs.replace(one, target=one.span) for one in some]
    if key is not None and values:
        by_value = {stored: commit for commit, stored in values.items()}
        for row in _read(lake, _.keys.get(key, "").isin(list(by_value))):
            commit = by_value[dict(row["keys"])[key]]
            suggestion = _suggestion(row, row["request_id"] or row["interaction_id"], {})
            found.setdefault(commit, []).append(msgspec.structs.replace(suggestion, target=suggestion.span))
    return found


def _read(lake: Lake, wanted: Any) -> list[dict[str, Any]]:
    """The interactions that count of those of which some revision is wanted, and that are still wanted."""
    ids = lake.revisions("interactions").filter(wanted).select("interaction_id").distinct().to_pyarrow()
    if ids.num_rows == 0:
        return []
    rows: list[dict[str, Any]] = lake.current("interactions", ids=ids).filter(wanted).select(*_COLUMNS).to_pyarrow().to_pylist()
    return rows


def suggested_lines(text: str | None, tool_calls: str | None) -> tuple[str, ...]:
    """The lines of code in an answer."""
    lines = [*_fenced_lines(text or ""), *_written_lines(tool_calls or "")]
    return tuple(line for line in lines[:_MOST_LINES] if _counts(line))


def normalise(line: str) -> str:
    """A line as it is compared."""
    return " ".join(line.split())


def _suggestion(row: Mapping[str, Any], name: str, target: dict[str, str]) -> Suggestion:
    lines = suggested_lines(row["response_text"], row["tool_calls"])
    has_content = row["response_text"] is not None or row["tool_calls"] is not None
    reason = None if lines else "the answer suggests no code" if has_content else "the answer was not kept"
    span = {"trace_id": row["trace_id"], "span_id": row["span_id"]}
    return Suggestion(interaction_id=row["interaction_id"], request_id=name, target=target, span=span, lines=lines, reason=reason)


def _fenced_lines(text: str) -> Iterator[str]:
    fence: str | None = None
    is_diff = is_quoted = False
    for given in text.splitlines():
        line = _QUOTE.sub("", given) if is_quoted else given
        if fence is None:
            if opening := _OPENING.match(given):
                fence, is_diff = opening.group(2), opening.group(3).lower() in ("diff", "patch")
                is_quoted = bool(opening.group(1))
        elif (closing := line.strip()) and set(closing) == {fence[0]} and len(closing) >= len(fence):
            fence, is_quoted = None, False
        else:
            yield from map(normalise, _added_lines([line]) if is_diff else [line])


def _added_lines(lines: Iterable[str]) -> Iterator[str]:
    return (line[1:] for line in lines if line.startswith("+") and not line.startswith("+++ "))


def _written_lines(tool_calls: str) -> Iterator[str]:
    try:
        calls = msgspec.json.decode(tool_calls) if tool_calls else None
    except (msgspec.DecodeError, RecursionError):
        return
    for call in calls if isinstance(calls, list) else ():
        arguments = call.get("arguments") if isinstance(call, Mapping) else None
        if isinstance(arguments, str):
            try:
                arguments = msgspec.json.decode(arguments)
            except (msgspec.DecodeError, RecursionError):
                continue
        for name, text in _texts(arguments):
            lines = text.splitlines()
            yield from map(normalise, _added_lines(lines) if name in _PATCHES else lines)


def _texts(value: Any) -> Iterable[tuple[str, str]]:
    """What stands under the names by which tools are told what to write."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            yield from ((name, text) for name, text in item.items() if name in _WRITTEN | _PATCHES and isinstance(text, str))
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _counts(line: str) -> bool:
    encoded = line.encode("utf-8", "replace")
    return any(character.isalnum() for character in line) and not PlaceholderSpans(encoded).overlap(0, len(encoded))

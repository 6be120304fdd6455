"""Logs of OpenAI-style requests: {"request": {...}, "response": {...}} with what stands beside them, and OpenAI's batch files.

A batch has its questions in one file and its answers in another, tied by `custom_id` alone, which is unique within one batch
only: so the two files of one batch are replayed together, and the questions are found among the files of the same replay.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from penstock.records.ids import digest
from penstock.replay.binding import RowError
from penstock.replay.chat_content import read_answer, read_messages
from penstock.replay.export_values import amount, first, mapping, required_time, structure, text_of, texts, time_of, walk
from penstock.replay.exported import Exported, ExportedReport, ExportedSpan, Translate

TOOL = "openai"
QUESTIONS = "questions of a batch: sent with their answers"
_PARAMETERS = (
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens", "frequency_penalty", "presence_penalty",
    "stop", "seed", "n", "stream", "reasoning_effort", "response_format", "tool_choice",
)  # fmt: skip
_STARTED = ("started_at", "start_time", "timestamp", "created_at", "time", "at", "date")
_ENDED = ("ended_at", "end_time", "finished_at")
_DURATIONS_S = {"duration_s": 1.0, "latency_s": 1.0, "duration_ms": 1e-3, "latency_ms": 1e-3, "duration": 1.0, "latency": 1.0}
_SESSIONS = ("session_id", "session", "conversation_id", "thread_id", "chat_id")
_USERS = ("user_id", "user", "end_user", "safety_identifier", "customer")
_FEEDBACK = ("rating", "thumbs", "score", "feedback")


def read_questions(rows: Iterable[Mapping[str, Any]]) -> dict[str, bytes | None]:
    """The bodies of a batch's requests by custom_id; None for one that several requests have."""
    found: dict[str, bytes | None] = {}
    for row in rows:
        if _is_question(row):
            name = str(row["custom_id"])
            found[name] = None if name in found else msgspec.json.encode(mapping(row.get("body")))
    return found


def translator(questions: Mapping[str, bytes | None]) -> Translate:
    """Reads rows; answers of a batch are put together with these questions."""

    def translate(row: Mapping[str, Any]) -> Exported:
        if _is_question(row):
            return Exported(passed_over=QUESTIONS)
        if "custom_id" in row and "response" in row:
            return _batch_answer(row, questions)
        return _logged(row)

    return translate


def _is_question(row: Mapping[str, Any]) -> bool:
    return "custom_id" in row and "body" in row and "url" in row


def _batch_answer(row: Mapping[str, Any], questions: Mapping[str, bytes | None]) -> Exported:
    name = str(row["custom_id"])
    if name not in questions:
        raise RowError("custom_id: none of the files has its request; name the batch's input file in the same replay")
    question = questions[name]
    if question is None:
        raise RowError("custom_id: several requests have it; replay one batch at a time")
    request = msgspec.json.decode(question, type=dict[str, Any])
    outer = mapping(row.get("response"))
    body = mapping(outer.get("body"))
    error = mapping(row.get("error")) or mapping(body.get("error"))
    failed = bool(error) or (amount(outer.get("status_code")) or 200) >= 400
    started_at = time_of(body.get("created") or body.get("created_at"), "created")
    if started_at is None:
        raise RowError("response: it has no time `created`, so this request never reached a model")
    about = {"error_type": text_of(first(error, "code", "type")) or "error"} if failed else {}
    identity = text_of(row.get("id")) or text_of(outer.get("request_id")) or name
    span = _call(request, body, identity, started_at, started_at, {"tags": {"batch": "true"}, **about})
    return Exported(spans=[span])


def _logged(row: Mapping[str, Any]) -> Exported:
    request, response = mapping(row.get("request")), mapping(row.get("response"))
    # Some loggers keep the HTTP message, whose body is the request.
    request, response = mapping(request.get("body")) or request, mapping(response.get("body")) or response
    if not request:
        raise RowError("request: it is no JSON object")
    started_at = time_of(first(row, *_STARTED), "timestamp") or required_time(
        first(response, "created", "created_at"), "timestamp"
    )
    error = structure(row.get("error")) or response.get("error")
    metadata = {**mapping(request.get("metadata")), **mapping(row.get("metadata"))}
    identity = text_of(first(row, "id", "request_id", "log_id")) or text_of(response.get("id"))
    about = {
        "session": text_of(first(row, *_SESSIONS))
        or text_of(first(metadata, *_SESSIONS))
        or text_of(request.get("conversation")),
        "user": text_of(first(row, *_USERS)) or text_of(first(request, *_USERS)) or text_of(first(metadata, *_USERS)),
        "application": text_of(first(row, "application", "app", "service")),
        "segment": text_of(first(row, "segment", "plan", "tier")),
        "prompt_name": text_of(first(row, "prompt_name", "prompt_id")) or text_of(walk(request, "prompt", "id")),
        "prompt_version": text_of(row.get("prompt_version")) or text_of(walk(request, "prompt", "version")),
        "provider": text_of(row.get("provider")),
        "cost": amount(row.get("cost")),
        "error_type": _error_type(error, row),
        "tags": {name: value for name, value in texts(metadata).items() if name not in {*_SESSIONS, *_USERS}},
    }
    identity = identity or digest(started_at.isoformat(), msgspec.json.encode([request, response], enc_hook=str).decode())
    span = _call(request, response, identity, started_at, _end(row, started_at), about)
    return Exported(spans=[span], reports=_reports(row, span))


def _call(
    request: Mapping[str, Any],
    response: Mapping[str, Any],
    identity: str,
    started_at: datetime,
    ended_at: datetime,
    about: Mapping[str, Any],
) -> ExportedSpan:
    answer = read_answer(response)
    wanted = {
        name: request[name] for name in ("messages", "input", "prompt", "contents", "system", "instructions") if name in request
    }
    is_embedding = "input" in request and "messages" not in request and "embedding" in str(request.get("model"))
    output = None if set(response) <= {"error"} else answer.messages
    return ExportedSpan(
        trace=identity,
        span=identity,
        kind="embedding" if is_embedding else "inference",
        started_at=started_at,
        ended_at=ended_at,
        fields={
            **answer.facts,
            "id": identity,
            "operation": "text_completion" if "prompt" in request and "messages" not in request and not is_embedding else None,
            "model": text_of(request.get("model")),
            "input_messages": _plain_prompt(wanted) or read_messages(wanted, "user"),
            "output": output,
            **{name: value for name, value in about.items() if name != "tags" and value is not None},
        },
        tags=dict(about.get("tags") or {}),
        parameters={name: request[name] for name in _PARAMETERS if name in request},
    )


def _plain_prompt(wanted: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    for name in ("input", "prompt"):
        if isinstance(wanted.get(name), str):
            system = wanted.get("instructions") or wanted.get("system")
            messages = [{"role": "system", "content": system}] if isinstance(system, str) else []
            return read_messages([*messages, {"role": "user", "content": wanted[name]}], "user")
    return None


def _end(row: Mapping[str, Any], started_at: datetime) -> datetime:
    ended_at = time_of(first(row, *_ENDED), "ended_at")
    if ended_at is not None:
        return ended_at
    durations = (seconds * factor for name, factor in _DURATIONS_S.items() if (seconds := amount(row.get(name))) is not None)
    try:
        return started_at + timedelta(seconds=max(0.0, next(durations, 0.0)))
    except OverflowError:
        raise RowError("duration: the number is too large") from None


def _error_type(error: Any, row: Mapping[str, Any]) -> str | None:
    if isinstance(error, Mapping) and error:
        return text_of(first(error, "code", "type")) or "error"
    status = amount(first(row, "status_code", "status"))
    if isinstance(error, str) and error:
        return "error"
    return str(int(status)) if status is not None and status >= 400 else None


def _reports(row: Mapping[str, Any], span: ExportedSpan) -> list[ExportedReport]:
    """A rating that stands in the row itself; what is more than one value is an object {name: value}."""
    said = {name: structure(row[name]) for name in _FEEDBACK if row.get(name) is not None}
    inner = said.pop("feedback", None)
    said |= inner if isinstance(inner, Mapping) else {"feedback": inner} if inner is not None else {}
    return [
        ExportedReport(
            id=f"{span.span} {name}",
            name=name,
            value=float(value) if isinstance(value, bool) else None if isinstance(value, str) else amount(value),
            text=value if isinstance(value, str) else None,
            span=(span.trace, span.span),
        )
        for name, value in said.items()
        if amount(value) is not None or isinstance(value, str | bool)
    ]

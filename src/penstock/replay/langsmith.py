"""LangSmith exports: runs (SDK as JSON lines, or the bulk export's Parquet) and feedback.

Feedback that is already summed up in a run (`feedback_stats`) becomes one report per name; rows of feedback are finer. Replay
one of the two.
"""

from collections.abc import Mapping
from typing import Any

from penstock.records.interaction import Exposure
from penstock.replay.chat_content import read_answer, read_messages, read_usage
from penstock.replay.export_values import (
    amount,
    first,
    listing,
    mapping,
    required_text,
    required_time,
    structure,
    text_of,
    texts,
    time_of,
)
from penstock.replay.exported import KINDS, Exported, ExportedReport, ExportedSpan
from penstock.replay.retrieved import read_documents

TOOL = "langsmith"
TRACE_KEY = "langsmith_trace"
_SESSION_KEYS = ("session_id", "thread_id", "conversation_id")
_USER_KEYS = ("user_id", "user", "ls_user_id")
_PARAMETERS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "n")


def translate(row: Mapping[str, Any]) -> Exported:
    """One row of an export: a run, with the runs below it where they were loaded, or feedback on one."""
    if "key" in row and "run_type" not in row:
        return Exported(reports=[_feedback(row)])
    spans: list[ExportedSpan] = []
    reports: list[ExportedReport] = []
    waiting = [row]
    while waiting:
        run = waiting.pop()
        spans.append(_run(run))
        reports += _summed_up(run)
        waiting += [mapping(child) for child in listing(run.get("child_runs"))]
    return Exported(spans=spans, reports=reports)


def _run(row: Mapping[str, Any]) -> ExportedSpan:
    span = required_text(row, "id")
    trace = text_of(row.get("trace_id")) or span
    kind = KINDS.get(str(row.get("run_type") or "").lower(), "other")
    extra = mapping(row.get("extra"))
    metadata = mapping(extra.get("metadata"))
    error = text_of(row.get("error"))
    is_call = kind in ("inference", "embedding")
    started_at = required_time(row.get("start_time"), "start_time")
    asked = {**mapping(extra.get("invocation_params")), **{k.removeprefix("ls_"): v for k, v in metadata.items() if k in _LS}}
    return ExportedSpan(
        trace=trace,
        span=span,
        parent=text_of(row.get("parent_run_id")),
        kind=kind,
        name=text_of(row.get("name")),
        started_at=started_at,
        ended_at=time_of(row.get("end_time"), "end_time"),
        fields={
            "application": first(row, "session_name", "project_name"),
            "session": text_of(first(metadata, *_SESSION_KEYS)),
            "user": text_of(first(metadata, *_USER_KEYS)),
            # A run over an example of a dataset is an experiment, no user.
            "exposure": Exposure.SIMULATED if row.get("reference_example_id") else None,
            "error_type": "error" if error else None,
            **(_call(row, metadata, asked, started_at) if is_call else {}),
        },
        tags=_tags(row, metadata),
        keys={TRACE_KEY: trace} if kind == "inference" else {},
        parameters={name: asked[name] for name in _PARAMETERS if name in asked} if is_call else {},
        called={"name": row.get("name"), "arguments": structure(row.get("inputs")), "result": structure(row.get("outputs"))}
        if kind == "tool"
        else {},
        documents=read_documents(row.get("outputs")) if kind == "retrieval" else [],
        note=error,
    )


_LS = ("ls_temperature", "ls_max_tokens", "ls_stop")
_COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


def _call(row: Mapping[str, Any], metadata: Mapping[str, Any], asked: Mapping[str, Any], started_at: Any) -> dict[str, Any]:
    answer = read_answer(row.get("outputs"))
    usage = {**answer.facts, **read_usage(metadata.get("usage_metadata")), **_tokens(row)}
    first_token_at = time_of(row.get("first_token_time"), "first_token_time")
    return {
        **answer.facts,
        **{name: usage.get(name) for name in _COUNTS},
        "id": text_of(row.get("id")),
        "provider": text_of(metadata.get("ls_provider")),
        "model": text_of(metadata.get("ls_model_name")) or text_of(first(asked, "model", "model_name")),
        "prompt_name": text_of(metadata.get("lc_hub_repo")),
        "prompt_version": text_of(metadata.get("lc_hub_commit_hash")),
        "input_messages": read_messages(row.get("inputs"), "user"),
        "output": answer.messages,
        "first_token": (first_token_at - started_at).total_seconds() if first_token_at and first_token_at >= started_at else None,
        "cost": amount(row.get("total_cost")),
    }


def _tokens(row: Mapping[str, Any]) -> dict[str, Any]:
    """The run's own counts; LangSmith writes 0 where it knows none."""
    found = {
        "input_tokens": amount(row.get("prompt_tokens")),
        "output_tokens": amount(row.get("completion_tokens")),
        "cached_tokens": amount(mapping(row.get("prompt_token_details")).get("cache_read")),
        "cache_write_tokens": amount(mapping(row.get("prompt_token_details")).get("cache_creation")),
        "reasoning_tokens": amount(mapping(row.get("completion_token_details")).get("reasoning")),
    }
    return {name: int(value) for name, value in found.items() if value}


def _summed_up(row: Mapping[str, Any]) -> list[ExportedReport]:
    found = []
    for name, stats in mapping(row.get("feedback_stats")).items():
        stats = mapping(stats)
        value = amount(first(stats, "avg", "mean"))
        words = mapping(stats.get("values"))
        if value is None and not words:
            continue
        found.append(
            ExportedReport(
                id=f"{row.get('id')} {name} summed up",
                name=name,
                value=value,
                text=None if value is not None else ", ".join(sorted(words)),
                metadata=texts({"reports": stats.get("n")}),
                **_about(text_of(row.get("id")), text_of(row.get("trace_id"))),
            )
        )
    return found


def _feedback(row: Mapping[str, Any]) -> ExportedReport:
    score = row.get("score")
    value = float(score) if isinstance(score, bool) else amount(score)
    words = [text_of(structure(row.get(name))) or _text(row.get(name)) for name in ("comment", "correction", "value")]
    return ExportedReport(
        id=required_text(row, "id"),
        name=required_text(row, "key"),
        value=value if value is not None else amount(row.get("value")),
        text=next((word for word in words if word), None),
        occurred_at=time_of(first(row, "created_at", "modified_at"), "created_at"),
        metadata=texts({"langsmith_source": mapping(row.get("feedback_source")).get("type")}),
        **_about(text_of(row.get("run_id")), text_of(row.get("trace_id"))),
    )


def _text(value: Any) -> str | None:
    found = mapping(value)
    return ", ".join(f"{name}: {item}" for name, item in found.items()) or None


def _about(run: str | None, trace: str | None) -> dict[str, Any]:
    """What is said of the root of a trace is said of the trace."""
    if run is None or run == trace:
        return {"key": (TRACE_KEY, trace)} if trace else {}
    return {"span": (trace, run)} if trace else {"request": run}


def _tags(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, str]:
    plain = {
        name: value for name, value in metadata.items() if not name.startswith(("ls_", "LANGSMITH_")) and name not in _SKIPPED
    }
    tags = [tag for tag in listing(row.get("tags")) if isinstance(tag, str)]
    return {**texts(plain), **({"tags": ", ".join(tags)} if tags else {})}


_SKIPPED = frozenset({*_SESSION_KEYS, *_USER_KEYS, "usage_metadata"})

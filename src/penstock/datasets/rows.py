"""Interactions and labels become training rows: canonical JSON, so that the same rows are the same bytes.

A row carries the ids of what it came from. Its user decides its side of the split, so that nobody is on both.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from penstock.formats.messages import otel_to_openai
from penstock.records.dataset import DatasetKind, Split
from penstock.records.ids import content_hash

_SPLIT_SALT = "penstock-split-1"  # one for all sets: a user held out of one set is held out of every later one


class TrainingRow(Struct, frozen=True, kw_only=True):
    """One row, as it is written, and where it belongs."""

    row_hash: str
    line: bytes
    split: Split
    interaction_ids: list[str]
    label_ids: list[str]
    started_at: datetime
    user: str
    value: float
    weight: float = 1.0  # how many of all interactions it stands for


def make_row(selected: Mapping[str, Any], kind: str, test_share: float) -> TrainingRow:
    """The training row of one selected interaction."""
    user = selected["user_id"] or selected["session_id"] or selected["interaction_id"]
    content = _content(selected, kind)
    origin = {"interaction_id": selected["interaction_id"], "label_ids": [selected["label_id"]], "user": user}
    row_hash = content_hash(_encode({**content, **origin}))
    return TrainingRow(
        row_hash=row_hash,
        line=_encode({"row_hash": row_hash, **content, **origin}) + b"\n",
        split=side_of(user, test_share),
        interaction_ids=[selected["interaction_id"]],
        label_ids=[selected["label_id"]],
        started_at=selected["started_at"],
        user=user,
        value=selected["value"],
        weight=_weight(selected),
    )


def side_of(user: str, test_share: float) -> Split:
    """The side of the split on which this user is, in every set."""
    number = int.from_bytes(hashlib.sha256(f"{_SPLIT_SALT}\0{user}".encode()).digest()[:8], "big")
    return Split.TEST if number / 2**64 < test_share else Split.TRAIN


def _content(selected: Mapping[str, Any], kind: str) -> dict[str, Any]:
    if kind != DatasetKind.TABULAR:
        return {"prompt": _prompt(selected), "completion": selected["response_text"], **_target(selected, kind)}
    probability = selected["probability"]
    label = selected["value"] if probability is None else probability
    return {
        "features": _features(selected["prompt_text"]),
        "label": label,
        "weight": _weight(selected),
        "started_at": selected["started_at"],
    }


def _weight(selected: Mapping[str, Any]) -> float:
    """How many rows it stands for; what was known of only some of those like it is told by its label."""
    kept = float(selected["sample_probability"] * selected["capture_probability"])
    return 1.0 / (kept * (selected.get("inclusion_probability") or 1.0))


def _features(asked: str) -> dict[str, float | bool | None]:
    """The numbers and yes-or-nos of the JSON object that a classifier was asked with; everything else is for people."""
    try:
        given = msgspec.json.decode(asked, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
    return {name: value for name, value in given.items() if value is None or isinstance(value, bool | int | float)}


def _prompt(selected: Mapping[str, Any]) -> list[dict[str, str]]:
    """The request's messages as every chat template takes them: role and text, the system instructions first.

    Where there are no messages, or they are not what they should be, the last thing that the user said stands for them.
    """
    try:
        messages = msgspec.json.decode(selected["input_messages"] or "", type=list[dict[str, Any]])
    except msgspec.DecodeError:
        messages = []
    if not messages:
        return [{"role": "user", "content": selected["prompt_text"] or ""}]
    prompt = [_plain(message) for message in otel_to_openai(messages)]
    text = _instructions(selected["system_instructions"])
    # Some applications send them as the first message, so that they stand in both columns.
    is_first = prompt[0]["role"] in ("system", "developer")
    return [{"role": "system", "content": text}, *prompt] if text and not is_first else prompt


def _plain(message: Mapping[str, Any]) -> dict[str, str]:
    """A message as role and text; tool calls become their JSON."""
    content, calls = message.get("content"), message.get("tool_calls")
    parts = [content if isinstance(content, str) else _encode(content).decode()] if content else []
    parts += [_encode(calls).decode()] if calls else []
    return {"role": str(message["role"]), "content": "\n".join(parts)}


def _instructions(given: str | None) -> str:
    try:
        parts = msgspec.json.decode(given or "[]", type=list[dict[str, Any]])
    except msgspec.DecodeError:
        return given or ""
    return "\n".join(str(part["content"]) for part in parts if part.get("content"))


def _target(selected: Mapping[str, Any], kind: str) -> dict[str, Any]:
    if kind == DatasetKind.KTO:
        return {"label": selected["value"] >= 1.0}
    if kind == DatasetKind.SFT:
        return {}
    logprobs = selected["token_logprobs"]
    return {
        "reward": selected["value"],
        "behaviour_logprob": sum(logprobs) if logprobs else None,
        "token_logprobs": logprobs,
        "checkpoint_id": selected["checkpoint_id"],
        "finish_reason": selected["finish_reason"],
        "arm_probability": selected["arm_probability"],
        "inclusion_probability": selected["sample_probability"] * selected["capture_probability"],
    }


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")

"""Ids: how every noun is named, and how a name is derived so that the same thing always gets the same one."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import NewType

TraceId = NewType("TraceId", str)
SpanId = NewType("SpanId", str)
InteractionId = NewType("InteractionId", str)
FeedbackId = NewType("FeedbackId", str)
SignalId = NewType("SignalId", str)
LabelId = NewType("LabelId", str)
DatasetVersionId = NewType("DatasetVersionId", str)
TrainingRunId = NewType("TrainingRunId", str)
CheckpointId = NewType("CheckpointId", str)
EvaluationId = NewType("EvaluationId", str)
ReleaseId = NewType("ReleaseId", str)
TurnId = NewType("TurnId", str)

_DIGEST_HEX = 32
_TRACE_HEX, _SPAN_HEX = 32, 16
_HEAD = _TRACE_HEX.to_bytes(8, "big") + b"%b" + _SPAN_HEX.to_bytes(8, "big") + b"%b"


def digest(*parts: str) -> str:
    """128 bits of sha256 over the parts, as hex; a length before each part keeps ("ab", "c") apart from ("a", "bc")."""
    return hashlib.sha256(b"".join([_sized(part) for part in parts])).hexdigest()[:_DIGEST_HEX]


def _sized(part: str) -> bytes:
    encoded = part.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "big") + encoded


def interaction_id(trace_id: str, span_id: str) -> InteractionId:
    """The id of the interaction that this span is."""
    if len(trace_id) == _TRACE_HEX and len(span_id) == _SPAN_HEX and trace_id.isascii() and span_id.isascii():
        # The same bytes as digest() hashes; this stands in the way of every span.
        return InteractionId("i_" + hashlib.sha256(_HEAD % (trace_id.encode(), span_id.encode())).hexdigest()[:_DIGEST_HEX])
    return InteractionId("i_" + digest(trace_id, span_id))


def interaction_ids(trace_ids: str, span_ids: str) -> list[str]:
    """The ids of many interactions at once, given all trace ids end to end in hexadecimal, and all span ids."""
    traces, spans = trace_ids.encode(), span_ids.encode()
    both = [
        (traces[at * _TRACE_HEX : (at + 1) * _TRACE_HEX], spans[at * _SPAN_HEX : (at + 1) * _SPAN_HEX])
        for at in range(len(spans) // _SPAN_HEX)
    ]
    return ["i_" + hashlib.sha256(_HEAD % pair).hexdigest()[:_DIGEST_HEX] for pair in both]


def feedback_id(idempotency_key: str) -> FeedbackId:
    """The same idempotency key always names the same feedback, so a repeated delivery is one report."""
    return FeedbackId("f_" + digest(idempotency_key))


def signal_id(definition: str, target_id: str, source_id: str) -> SignalId:
    """One signal per definition, target and source; a recomputation is a revision of it."""
    return SignalId("s_" + digest(definition, target_id, source_id))


def signal_ids(definition: str, target_ids: Sequence[str], source_ids: Sequence[str]) -> list[str]:
    """The ids of many signals of one definition at once: `signal_id` of each."""
    head, tails = _sized(definition), {source: _sized(source) for source in set(source_ids)}
    return [
        "s_" + hashlib.sha256(b"".join((head, _sized(target), tails[source]))).hexdigest()[:_DIGEST_HEX]
        for target, source in zip(target_ids, source_ids, strict=True)
    ]


def label_id(schema: str, schema_version: int, dimension: str, target_id: str, annotator: str, evidence: str) -> LabelId:
    """One label per question, target, annotator and evidence; other evidence is another label, which supersedes."""
    return LabelId("l_" + digest(schema, str(schema_version), dimension, target_id, annotator, evidence))


def content_hash(data: bytes) -> str:
    """The hash, tagged with its algorithm, of something that must never change."""
    return "b2:" + hashlib.blake2b(data, digest_size=20).hexdigest()


def random_id(prefix: str) -> str:
    """A fresh id for something that has no content to be named by."""
    return f"{prefix}_{secrets.token_hex(8)}"

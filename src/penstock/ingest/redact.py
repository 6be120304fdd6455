"""The one redaction of everything that is stored: spans and feedback go in raw and come out fit for a disk.

All texts of a batch are scanned in one pass; only those in which something may be found are looked at one by one.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from penstock.records.feedback import Feedback, TargetKind
from penstock.records.span import Span
from penstock.text.patterns import is_credential_name
from penstock.text.redaction import Redactor

MASKED_CREDENTIAL = "[CREDENTIAL]"
_SPAN_TEXTS = (
    "name",
    "application",
    "scope",
    "tenant",
    "segment",
    "prompt_name",
    "prompt_version",
    "error_type",
    "finish_reason",
    "request_model",
    "response_model",
    "input_messages",
    "output_messages",
    "system_instructions",
    "prompt_text",
    "response_text",
    "tool_calls",
    "retrieved_documents",
    "parameters",
    "reason",
)
_SPAN_IDS = ("session_id", "request_id", "response_id")
_FEEDBACK_TEXTS = ("name", "text", "source", "reason")
Record = TypeVar("Record", Span, Feedback)


class Redaction:
    """Redacts records with one key; business keys named in `hashed_keys` become keyed hashes, wherever they turn up."""

    def __init__(self, redactor: Redactor, hashed_keys: Sequence[str] = ()) -> None:
        self._redactor = redactor
        self._hashed_keys = frozenset(hashed_keys)

    def redact_spans(self, spans: Sequence[Span]) -> list[Span]:
        """The spans with personal data masked, ids hashed, and how much was found."""
        drafts = [_Draft(span, span.session_id or span.trace_id) for span in spans]
        for draft, span in zip(drafts, spans, strict=True):
            draft.take_texts(_SPAN_TEXTS)
            draft.take_map("attributes")
            draft.take_map("tags")
            if span.user_id is not None:
                draft.changes["user_id"] = self._redactor.hash_id(span.user_id, "user")
            for name in _SPAN_IDS:
                value = getattr(span, name)
                if value is not None:
                    draft.changes[name] = self._redactor.redact_id(value, name.removesuffix("_id"))
            if span.keys:
                draft.changes["keys"] = {name: self.key(name, value) for name, value in span.keys.items()}
        self._mask(drafts)
        return [draft.finish() for draft in drafts]

    def redact_feedback(self, feedback: Sequence[Feedback]) -> list[Feedback]:
        """The reports with personal data masked; targets are treated just as they are in spans, so that they still join."""
        drafts = [_Draft(report, report.session_id or report.target_id) for report in feedback]
        for draft, report in zip(drafts, feedback, strict=True):
            draft.take_texts(_FEEDBACK_TEXTS)
            draft.take_map("metadata")
            draft.changes["target_id"] = self._target(report)
            draft.changes["idempotency_key"] = self._redactor.redact_id(report.idempotency_key, "idempotency")
        self._mask(drafts)
        return [draft.finish() for draft in drafts]

    def key(self, name: str, value: str) -> str:
        """A business key as it is stored."""
        return (
            self._redactor.hash_id(value, f"key:{name}") if name in self._hashed_keys else self._redactor.redact_id(value, "key")
        )

    def _target(self, report: Feedback) -> str:
        if report.target_kind == TargetKind.KEY:
            return self.key(report.target_key or "", report.target_id)
        return self._redactor.redact_id(report.target_id, report.target_kind)

    def _mask(self, drafts: Sequence["_Draft"]) -> None:
        slots = [(draft, slot) for draft in drafts for slot in draft.slots]
        suspects = self._redactor.find_suspects([slot.text.encode("utf-8", "replace") for _, slot in slots])
        for index in suspects:
            draft, slot = slots[index]
            masked, counts = self._redactor.redact(slot.text, draft.session)
            draft.put(slot, masked or "", counts)


class _Slot(Struct, frozen=True):
    """A text and where it stands: in a column, or in a map of the record as key or value."""

    text: str
    column: str
    key: str | None = None
    is_key: bool = False


class _Draft:
    """One record on its way through."""

    def __init__(self, record: Any, session: str) -> None:
        self.record = record
        self.session = session
        self.slots: list[_Slot] = []
        self.changes: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()

    def take_texts(self, names: Sequence[str]) -> None:
        """Have these columns looked at."""
        for name in names:
            value = getattr(self.record, name)
            if value:
                self.slots.append(_Slot(value, name))

    def take_map(self, column: str) -> None:
        """Have the keys and values of a map looked at; what is stored under a credential's name goes at once."""
        entries: dict[str, str] = getattr(self.record, column)
        kept: dict[str, str] = {}
        for key, value in entries.items():
            if value and is_credential_name(key) and value != MASKED_CREDENTIAL:
                kept[key] = MASKED_CREDENTIAL
                self._counts["secret"] += 1
                continue
            kept[key] = value
            self.slots.append(_Slot(key, column, key, is_key=True))
            if value:
                self.slots.append(_Slot(value, column, key))
        if kept != entries:
            self.changes[column] = kept

    def put(self, slot: _Slot, masked: str, counts: dict[str, int]) -> None:
        """Replace one text."""
        if not counts and masked == slot.text:
            return
        self._counts.update(counts)
        if slot.key is None:
            self.changes[slot.column] = masked
            return
        entries = dict(self.changes.get(slot.column, getattr(self.record, slot.column)))
        if slot.is_key:
            entries[masked] = entries.pop(slot.key)
        else:
            current = (
                slot.key if slot.key in entries else next((key for key, value in entries.items() if value == slot.text), slot.key)
            )
            entries[current] = masked
        self.changes[slot.column] = entries

    def finish(self) -> Any:
        """The record as it may be stored."""
        if self._counts:
            self.changes["redactions"] = dict(Counter(self.record.redactions) + self._counts)
        return msgspec.structs.replace(self.record, **self.changes) if self.changes else self.record

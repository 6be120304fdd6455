"""The one redaction of everything that is stored: spans and feedback go in raw and come out fit for a disk.

All texts of a batch are scanned in one pass; only those in which something may be found are looked at one by one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from penstock.ingest.attribute_length import cut_after_redaction
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import feedback_id
from penstock.records.span import Span
from penstock.text.patterns import SEPARATOR
from penstock.text.redaction import Redactor
from penstock.text.telling_names import is_credential_name, is_personal_name

_SEPARATOR = SEPARATOR.decode()
MASKED_CREDENTIAL = "[CREDENTIAL]"
SPAN_TEXTS = (
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
    "operation",
    "provider",
    "model_version",
    "release_arm",
)
SPAN_IDS = ("session_id", "request_id", "response_id", "checkpoint_id")
_FEEDBACK_TEXTS = ("name", "text", "source", "reason")
_USER_NAMES = re.compile(r"(?:^|\.)(?:end)?user(?:\.pseudo)?\.(?:id|name|full_name|email|hash)$")
_OTEL_TARGET = re.compile("[0-9a-f]{32}|(?:[0-9a-f]{32})?:[0-9a-f]{16}")
_HASHED_USER = re.compile("u_[0-9a-f]{24}")
_HASHED_KEY = re.compile("k_[0-9a-f]{24}")
# Nanoseconds and the like in an id: too long for a phone or a national number, and no card begins so.
_COUNTER = re.compile("(?<![0-9])(?:[0-37-9][0-9]{18}|[0-9]{20,})(?![0-9])")
COUNTER_DIGITS = 19
_USERS_REMEMBERED = 16_384  # in memory only; the same few come again and again
_span_texts = attrgetter(*SPAN_TEXTS)
_span_ids = attrgetter(*SPAN_IDS)
_feedback_texts = attrgetter(*_FEEDBACK_TEXTS)
Record = TypeVar("Record", Span, Feedback)


class Redaction:
    """Redacts records with one key; business keys under a telling name or one of `hashed_keys` become keyed hashes everywhere."""

    def __init__(self, redactor: Redactor, hashed_keys: Sequence[str] = ()) -> None:
        self.redactor = redactor
        self.hashed_keys = frozenset(hashed_keys)
        self._hash_user = lru_cache(maxsize=_USERS_REMEMBERED)(lambda user: redactor.hash_id(user, "user"))

    def redact_spans(self, spans: Sequence[Span]) -> list[Span]:
        """The spans with personal data masked, ids hashed, and how much was found."""
        found = frozenset(self.redactor.find_suspects([_joined_texts(span) for span in spans]))
        names = frozenset().union(*[span.attributes for span in spans], *[span.tags for span in spans if span.tags])
        telling = frozenset(filter(is_telling, names))
        closer = [
            index
            for index, span in enumerate(spans)
            if index in found or not (telling.isdisjoint(span.attributes) and telling.isdisjoint(span.tags))
        ]
        looked_at = dict(zip(closer, self.redact_suspects([spans[index] for index in closer]), strict=True))
        redacted = (looked_at[index] if index in looked_at else self._hash_ids(span) for index, span in enumerate(spans))
        return [_capped(span, "attributes", span.attributes) for span in redacted]

    def redact_suspects(self, spans: Sequence[Span]) -> list[Span]:
        """The same of spans in each of which something is suspected, so that all their texts are looked at."""
        texts = [text for span in spans for text in (*_span_texts(span), *_span_ids(span)) if text]
        suspects = self._suspects(texts, [entries for span in spans for entries in (span.attributes, span.tags, span.keys)])
        return [self._redact_span(span, suspects) for span in spans]

    def redact_feedback(self, feedback: Sequence[Feedback]) -> list[Feedback]:
        """The reports with personal data masked; targets are treated just as they are in spans, so that they still join."""
        texts = [text for report in feedback for text in _feedback_texts(report) if text]
        suspects = self._suspects(texts, [report.metadata for report in feedback])
        redacted = (self._redact_report(report, suspects) for report in feedback)
        return [_capped(report, "metadata", report.metadata) for report in redacted]

    def key(self, name: str, value: str) -> str:
        """A business key as it is stored, judged with its name; one that a relay has hashed stays as it is."""
        if _HASHED_KEY.fullmatch(value):
            return value
        if self.hides_key(name):
            return self.redactor.hash_id(value, f"key:{name}")
        return self.redactor.redact_id(value, "key", name)

    def hides_key(self, name: str) -> bool:
        """Whether business keys of this name are hashed whatever they are."""
        return name in self.hashed_keys or is_telling(name)

    def user(self, value: str) -> str:
        """A user as it is stored; one that a relay has hashed stays as it is, or its rows would not join with any other."""
        return value if _HASHED_USER.fullmatch(value) else self._hash_user(value)

    def _suspects(self, texts: Iterable[str], maps: Iterable[Mapping[str, str]]) -> frozenset[str]:
        """Of all the texts of a batch those that need a closer look; the many that come again and again are scanned once."""
        unique = dict.fromkeys(texts)
        names: dict[str, None] = {}
        for entries in maps:
            if entries:
                names.update(dict.fromkeys(entries))
                unique.update(dict.fromkeys(entries.values()))
        unique.update(names)
        scanned = list(unique)
        found = self.redactor.find_suspects([text.encode("utf-8", "replace") for text in scanned])
        return frozenset([*(scanned[index] for index in found), *filter(is_telling, names)])

    def _hash_ids(self, span: Span) -> Span:
        """A span in which nothing is suspected: only ids are left to hash."""
        changes: dict[str, Any] = {}
        if span.user_id is not None:
            changes["user_id"] = self.user(span.user_id)
        if any(map(self.hides_key, span.keys)):
            changes["keys"] = {name: self.key(name, value) for name, value in span.keys.items()}
        return msgspec.structs.replace(span, **changes) if changes else span

    def _redact_span(self, span: Span, suspects: frozenset[str]) -> Span:
        draft = _Draft(self.redactor, span, span.session_id or span.trace_id, suspects)
        if not suspects.isdisjoint(_span_texts(span)):
            draft.mask_texts(SPAN_TEXTS)
        for name, value in zip(SPAN_IDS, _span_ids(span), strict=True):
            if value in suspects:
                draft.changes[name] = self.redactor.redact_id(value, name.removesuffix("_id"))
        if span.attributes:
            draft.mask_map("attributes")
        if span.tags:
            draft.mask_map("tags")
        if span.user_id is not None:
            draft.changes["user_id"] = self.user(span.user_id)
        if span.keys:
            draft.changes["keys"] = {
                self.redactor.redact_id(name, "key"): self.key(name, value) for name, value in span.keys.items()
            }
        finished: Span = draft.finish()
        return finished

    def _redact_report(self, report: Feedback, suspects: frozenset[str]) -> Feedback:
        draft = _Draft(self.redactor, report, report.session_id or report.target_id, suspects)
        draft.mask_texts(_FEEDBACK_TEXTS)
        draft.mask_map("metadata")
        target = draft.changes["target_id"] = self._target(report)
        if report.target_key is not None:
            draft.changes["target_key"] = self.redactor.redact_id(report.target_key, "key")
        # Many make the key of what the report is about, maybe as a digest, from which a short target can be guessed.
        hidden = self.redactor.hash_id if target != report.target_id else self.redactor.redact_id
        key = draft.changes["idempotency_key"] = hidden(report.idempotency_key, "idempotency")
        if key != report.idempotency_key:
            draft.changes["feedback_id"] = feedback_id(key)
        finished: Feedback = draft.finish()
        return finished

    def _target(self, report: Feedback) -> str:
        if report.target_kind == TargetKind.KEY:
            return self.key(report.target_key or "", report.target_id)
        if report.target_kind in (TargetKind.SPAN, TargetKind.TRACE) and _OTEL_TARGET.fullmatch(report.target_id):
            return report.target_id  # hexadecimal, which may by chance look like a number of some kind
        kind = TargetKind.REQUEST if report.target_kind == TargetKind.RUN else report.target_kind
        return self.redactor.redact_id(report.target_id, kind)


def _joined_texts(span: Span) -> bytes:
    """Everything of a span that has to be scanned, as one text."""
    texts = [*_span_texts(span), *[without_counter(value) for value in _span_ids(span) if value]]
    for entries in (span.attributes, span.tags, span.keys):
        if entries:
            texts += entries
            texts += entries.values()
    texts += [f"{name}: {value}" for name, value in span.keys.items()]  # a word in the name may tell what the value is
    return _SEPARATOR.join([text for text in texts if text]).encode("utf-8", "replace")


def without_counter(value: str) -> str:
    """An id as it is scanned: what many ids count in would be looked at again and again, and is never anybody's."""
    return value if len(value) < COUNTER_DIGITS else _COUNTER.sub("#", value)


@lru_cache(maxsize=4096)
def is_telling(name: str) -> bool:
    """Whether the name alone says that its value may not be stored, or not unseen."""
    return is_credential_name(name) or is_personal_name(name) or _USER_NAMES.search(name) is not None


class _Draft:
    """One record on its way through; only texts among the suspects are looked at."""

    def __init__(self, redactor: Redactor, record: Any, session: str, suspects: frozenset[str]) -> None:
        self.changes: dict[str, Any] = {}
        self._redactor = redactor
        self._record = record
        self._session = session
        self._suspects = suspects
        self._counts: Counter[str] = Counter()

    def mask_texts(self, columns: Sequence[str]) -> None:
        """Mask these columns."""
        for column in columns:
            value = getattr(self._record, column)
            if value in self._suspects:
                self.changes[column] = self._mask(value)

    def mask_map(self, column: str) -> None:
        """Mask the keys and values of a map; what is stored under a credential's or a user's name goes at once."""
        entries: dict[str, str] = getattr(self._record, column)
        if self._suspects.isdisjoint(entries) and self._suspects.isdisjoint(entries.values()):
            return
        masked: dict[str, str] = {}
        for name, value in entries.items():
            shown = self._mask(name)
            while shown in masked:
                shown += "_"  # two names that look alike once masked are still two entries
            masked[shown] = self._entry(name, value)
        if masked != entries:
            self.changes[column] = masked

    def finish(self) -> Any:
        """The record as it may be stored."""
        if self._counts:
            self.changes["redactions"] = dict(Counter(self._record.redactions) + self._counts)
        return msgspec.structs.replace(self._record, **self.changes) if self.changes else self._record

    def _entry(self, name: str, value: str) -> str:
        if value and is_credential_name(name) and value != MASKED_CREDENTIAL:
            self._counts["secret"] += 1
            return MASKED_CREDENTIAL
        if value and _USER_NAMES.search(name) is not None:
            return value if _HASHED_USER.fullmatch(value) else self._redactor.hash_id(value, "user")
        return self._mask(value, name)

    def _mask(self, text: str, name: str = "") -> str:
        """The text redacted where it or the name that it stands under is suspected."""
        if text not in self._suspects and name not in self._suspects:
            return text
        masked, counts = self._redactor.redact(text, self._session, name)
        self._counts.update(counts)
        return masked or ""


def _capped(record: Any, name: str, attributes: Mapping[str, str]) -> Any:
    """The record with its long attributes cut, now that nothing in them can be cut in half and missed."""
    cut = cut_after_redaction(attributes)
    return record if cut is None else msgspec.structs.replace(record, **{name: cut})

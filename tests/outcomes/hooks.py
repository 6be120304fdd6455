"""What a test needs of a sender of events: its rules, its signature, a GitHub-like event."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from penstock.outcome_settings import WebhookRule

SECRET = "It's a Secret to Everybody"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def signature(body: bytes, secret: str = SECRET, hash_name: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, getattr(hashlib, hash_name)).hexdigest()


def resolved_rule(**changes: Any) -> WebhookRule:
    said: dict[str, Any] = {
        "name": "outcome.resolved",
        "when": {"ticket.status": ["solved", "reopened"]},
        "key": "ticket_id",
        "target_path": "ticket.id",
        "value_path": "ticket.status",
        "values": {"solved": 1.0, "reopened": 0.0},
        "time_path": "ticket.updated_at",
        "id_path": "event_id",
    }
    return WebhookRule(**{**said, **changes})


def ticket_event(
    status: str = "solved", *, ticket: Any = 4711, at: Any = "2026-03-01T10:00:00Z", event_id: Any = "e1"
) -> dict[str, Any]:
    return {"event_id": event_id, "ticket": {"id": ticket, "status": status, "updated_at": at}}


def as_body(content: Any) -> bytes:
    return json.dumps(content).encode()

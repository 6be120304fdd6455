"""The types of `[outcomes]`, `[pulls]` and `[webhooks]`: what an outcome is about, where outcomes come from by themselves, and
which of their fields mean what.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

HEADER = "header:"  # begins the path of what stands in a request's header and not in its body


class OutcomeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outcome that comes by business key: reports named `outcome.NAME`."""

    keys: Annotated[list[str], Meta(description="Business keys that it comes by, such as ticket_id.", min_length=1)]
    window_h: Annotated[float, Meta(description="How long before the outcome an interaction may have begun.", gt=0)] = 168.0
    rule: Annotated[
        Literal["last", "first", "all", "decay"],
        Meta(description="Which interactions of the window it is about: the last, the first, all alike, or all, less the older."),
    ] = "last"
    half_life_h: Annotated[float, Meta(description="With rule decay: the age at which an interaction weighs half.", gt=0)] = 24.0
    value: Annotated[float | None, Meta(description="Value of a report that has none of its own.")] = None
    mature_after_h: Annotated[
        float,
        Meta(description="Age at which no outcome means 0 in mean values; at 0 only outcomes that came are averaged.", ge=0),
    ] = 0.0
    good: Annotated[
        Literal["high", "low"],
        Meta(description="Whether a value above 0 is good in `penstock signals quality` and `missing` (high), or bad (low)."),
    ] = "high"


class PullSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that the worker reads again and again."""

    url: Annotated[str, Meta(description="SQLAlchemy URL of a database, without a password; or say `parquet`.")] = ""
    password_env: Annotated[str, Meta(description="Environment variable that holds the password of `url`.")] = ""
    query: Annotated[str, Meta(description="What is read from `url`; anything that the database takes as a sub-query.")] = ""
    parquet: Annotated[str, Meta(description="A Parquet file, a folder of them, or s3://BUCKET/PREFIX.")] = ""
    watermark: Annotated[str, Meta(description="Column that grows as rows are written; read on from its highest value.")]
    every_s: Annotated[float, Meta(description="How often it is read.", gt=0)] = 300.0
    id: Annotated[
        dict[str, Any] | None,
        Meta(description="Binding of a row's own id: a row that changes amends its report. Else a row is what it holds."),
    ] = None
    feedback: Annotated[
        list[dict[str, Any]],
        Meta(description="What a row reports, [[pulls.NAME.feedback]]: see docs/outcome-sources.md.", min_length=1),
    ]


class WebhookRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one kind of event reports. A path leads into its JSON (`ticket.id`, `runs.0.id`), or to a header (`header:NAME`)."""

    name: Annotated[str, Meta(description="Name of the report, such as outcome.resolved.", min_length=1)]
    when: Annotated[
        dict[str, list[str | bool | float]],
        Meta(description="Events that count: each path must hold one of its values, in any case; `*` is anything but null."),
    ] = field(default_factory=dict)
    target: Annotated[
        str,
        Meta(
            description="What it is about: key, request, response, trace or session.",
            pattern="^(key|request|response|trace|session)$",
        ),
    ] = "key"
    key: Annotated[str, Meta(description="With target key: the business key's name, such as ticket_id.")] = ""
    target_path: Annotated[str, Meta(description="Where its value stands: a path, or text with paths in braces.", min_length=1)]
    value: Annotated[float | None, Meta(description="The value, where it is always the same.")] = None
    value_path: Annotated[str, Meta(description="Where the value stands: a number, or a word of `values`.")] = ""
    values: Annotated[dict[str, float], Meta(description="Words and what they are worth; another word reports nothing.")] = field(
        default_factory=dict
    )
    text: Annotated[str, Meta(description="Where its text stands: a path, or text with paths in braces.")] = ""
    time_path: Annotated[str, Meta(description="When it happened; on arrival where left out.")] = ""
    time_format: Annotated[
        str,
        Meta(
            description="iso, seconds, milliseconds, or auto: ISO 8601 or an epoch whose unit shows in its size.",
            pattern="^(auto|iso|seconds|milliseconds)$",
        ),
    ] = "auto"
    id_path: Annotated[
        str, Meta(description="What tells one event from another: a path, or text with paths in braces; else all that it holds.")
    ] = ""


class WebhookSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /v1/webhooks/NAME takes."""

    ready: Annotated[
        str, Meta(description="A ready mapping: github, zendesk or intercom; what is said beside it holds instead.")
    ] = ""
    secret_env: Annotated[
        str, Meta(description="Environment variable that holds the secret shared with the sender; empty asks for an API key.")
    ] = ""
    signature_header: Annotated[str, Meta(description="Header with the HMAC of the body, in hexadecimal or Base64.")] = (
        "X-Hub-Signature-256"
    )
    signature_prefix: Annotated[str, Meta(description="What may stand before it.")] = "sha256="
    signature_hash: Annotated[str, Meta(description="Hash of the HMAC: sha256 or sha1.", pattern="^(sha256|sha1)$")] = "sha256"
    timestamp_header: Annotated[
        str, Meta(description="Header with a time that is signed before the body and must be fresh; empty for none.")
    ] = ""
    max_age_s: Annotated[float, Meta(description="How far that time may lie from ours.", gt=0)] = 300.0
    form_field: Annotated[str, Meta(description="Field that holds the JSON of a form.")] = "payload"
    events: Annotated[str, Meta(description="Path to a list of events within the body; empty: the body is one, or a list.")] = ""
    feedback: Annotated[list[WebhookRule], Meta(description="What events report: [[webhooks.NAME.feedback]].")] = field(
        default_factory=list
    )

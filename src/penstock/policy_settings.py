"""The types of `[policy]`: what happens to everything that comes in, in words that users of the OpenTelemetry Collector know."""

from typing import Annotated

from msgspec import Meta, Struct, field

REDACTION_KINDS = (
    "email",
    "phone",
    "card",
    "iban",
    "ssn",
    "national_id",
    "ip",
    "mac",
    "url_password",
    "secret",
    "jwt",
    "private_key",
    "address",
    "birth_date",
    "username",
    "person",
    "place",
)
REDACTION_MODES = ("mask", "hash", "drop", "keep")
NER_BACKENDS = ("presidio",)
ENDPOINT = r"^https?://[^/@\s]+(/\S*)?$"  # with no user and password in it: secrets stand in the environment


class RedactSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is taken out of every text before it is stored; docs/policy.md says how."""

    modes: Annotated[
        dict[str, str], Meta(description="What happens to a kind: mask (where nothing is said), hash, drop or keep; KIND = MODE.")
    ] = field(default_factory=dict)
    patterns: Annotated[dict[str, str], Meta(description="Kinds of one's own: NAME = an RE2 pattern.")] = field(
        default_factory=dict
    )
    allow: Annotated[list[str], Meta(description="Values that are left as they are, whatever kind they look like.")] = field(
        default_factory=lambda: ["127.0.0.1", "0.0.0.0"]  # noqa: S104 - a text to leave alone, not an address to bind
    )
    allow_patterns: Annotated[
        list[str], Meta(description="RE2 patterns; a value that one of them matches whole is left as it is.")
    ] = field(default_factory=list)
    allow_domains: Annotated[
        list[str], Meta(description="Domains whose e-mail addresses are left as they are, those below them included.")
    ] = field(default_factory=list)
    hashed_keys: Annotated[list[str], Meta(description="Business keys that are stored as keyed hashes.")] = field(
        default_factory=list
    )
    ner: Annotated[str, Meta(description="Backend that finds names and places: presidio; empty for none.")] = ""
    ner_model: Annotated[str, Meta(description="The backend's spaCy model: an installed package's name, or a folder.")] = ""
    ner_language: Annotated[str, Meta(description="Language of that model.")] = "en"
    ner_min_score: Annotated[float, Meta(description="Confidence from which on a name or place is taken out.")] = 0.5


class AttributeMatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one attribute of a span must be."""

    key: Annotated[str, Meta(description="Attribute of the span or its resource, as OpenTelemetry names it.", min_length=1)]
    values: Annotated[list[str], Meta(description="It must be one of these; empty accepts any value.")] = field(
        default_factory=list
    )
    enabled_regex_matching: Annotated[bool, Meta(description="Take `values` as regular expressions (RE2).")] = False
    min_value: Annotated[float | None, Meta(description="It must be a number and at least this.")] = None
    max_value: Annotated[float | None, Meta(description="It must be a number and at most this.")] = None


class SamplePolicySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that keeps the content of more traces; all of its conditions have to hold."""

    name: Annotated[str, Meta(description="What you call it.", min_length=1)]
    applications: Annotated[list[str], Meta(description="A span of the trace comes from one of these (service.name).")] = field(
        default_factory=list
    )
    status_codes: Annotated[list[str], Meta(description="That span's status is one of these: ERROR, OK, UNSET.")] = field(
        default_factory=list
    )
    attributes: Annotated[list[AttributeMatch], Meta(description="That span has all of these attributes.")] = field(
        default_factory=list
    )
    threshold_ms: Annotated[float, Meta(description="The trace takes longer than this; 0 for any.", ge=0)] = 0.0
    sampling_percentage: Annotated[
        float, Meta(description="How many of the matching traces keep their content.", gt=0, le=100)
    ] = 100.0


class SampleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose content is kept; what is sampled out keeps a thin row."""

    sampling_percentage: Annotated[float, Meta(description="Traces or sessions whose content is kept.", gt=0, le=100)] = 100.0
    by: Annotated[str, Meta(description="What is drawn: a trace or a session.", pattern="^(trace|session)$")] = "trace"
    hash_seed: Annotated[str, Meta(description="Homes with the same seed draw alike; empty draws with the key of this home.")] = (
        ""
    )
    decision_wait_h: Annotated[
        float,
        Meta(
            description="So long after its first span the spans of a trace count for the rules; then the content of what is "
            "sampled out leaves `spans`.",
            gt=0,
        ),
    ] = 24.0
    applications: Annotated[
        dict[str, Annotated[float, Meta(gt=0, le=100)]],
        Meta(description="Percentage of one application (service.name) in place of the general one."),
    ] = field(default_factory=dict)
    policies: Annotated[
        list[SamplePolicySettings],
        Meta(description="What is kept beside: [[policy.sample.policies]]; the highest percentage holds."),
    ] = field(default_factory=list)


class RouteSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a span that meets all of the conditions goes."""

    name: Annotated[str, Meta(description="What you call it.", min_length=1)]
    applications: Annotated[list[str], Meta(description="It comes from one of these (service.name).")] = field(
        default_factory=list
    )
    attributes: Annotated[list[AttributeMatch], Meta(description="It has all of these attributes.")] = field(default_factory=list)
    pipelines: Annotated[list[str], Meta(description="`store`, and names of [policy.forward]; an empty list drops it.")]


class RoutingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where spans go."""

    table: Annotated[list[RouteSettings], Meta(description="Rules, [[policy.route.table]]; the first that matches counts.")] = (
        field(default_factory=list)
    )
    default_pipelines: Annotated[list[str], Meta(description="Where all others go.")] = field(default_factory=lambda: ["store"])


class ForwardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OTLP/HTTP endpoint that gets a copy."""

    endpoint: Annotated[str, Meta(description="Base URL; /v1/traces and /v1/logs are appended.", pattern=ENDPOINT)]
    headers: Annotated[dict[str, str], Meta(description="Headers of every request that are no secret.")] = field(
        default_factory=dict
    )
    headers_env: Annotated[dict[str, str], Meta(description="Headers whose values stand in environment variables.")] = field(
        default_factory=dict
    )
    penstock: Annotated[
        bool, Meta(description="It is another Penstock, which also gets feedback and the thin rows of what was sampled out.")
    ] = False
    compression: Annotated[str, Meta(description="gzip or none.", pattern="^(gzip|none)$")] = "gzip"
    timeout_s: Annotated[float, Meta(description="How long one request may take.", gt=0)] = 10.0
    queue_max_bytes: Annotated[int, Meta(description="Per edge worker; what is oldest is dropped beyond it.", gt=0)] = 1024**3


class PolicySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to everything that comes in: what is masked, what is kept, and where it goes."""

    redact: RedactSettings = field(default_factory=RedactSettings)
    sample: SampleSettings = field(default_factory=SampleSettings)
    route: RoutingSettings = field(default_factory=RoutingSettings)
    forward: Annotated[dict[str, ForwardSettings], Meta(description="Targets by name: [policy.forward.NAME].")] = field(
        default_factory=dict
    )

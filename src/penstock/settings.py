"""Every setting, declared once, with default and help; config.py reads them, and docs/configuration.md is made from them."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from penstock.outcome_settings import OutcomeSettings, PullSettings, WebhookSettings
from penstock.policy_settings import PolicySettings


class EdgeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process that machines talk to."""

    host: Annotated[str, Meta(description="Address to listen on; anything but loopback needs an API key.")] = "127.0.0.1"
    port: Annotated[
        int, Meta(description="Port for OTLP/HTTP, feedback and the gateway; 0 takes a free one.", ge=0, le=65535)
    ] = 4318
    grpc: Annotated[bool, Meta(description="Whether OTLP/gRPC is served besides HTTP.")] = True
    grpc_port: Annotated[int, Meta(description="Port for OTLP/gRPC; 0 takes a free one.", ge=0, le=65535)] = 4317
    workers: Annotated[int, Meta(description="Stateless edge processes, each with its own spool.", ge=1)] = 1
    browser_origins: Annotated[
        list[str],
        Meta(description="Origins of the web pages that may send feedback, such as https://app.example.com; no others may."),
    ] = field(default_factory=list)
    max_body_bytes: Annotated[int, Meta(description="Largest request body, also after decompression.", ge=1)] = 64 * 1024 * 1024
    receive_timeout_s: Annotated[float, Meta(description="How long a request may take to arrive over HTTP.", gt=0)] = 60.0
    spool_max_bytes: Annotated[int, Meta(description="A fuller spool answers 503 with Retry-After.", ge=1)] = 4 * 1024**3
    flush_interval_s: Annotated[float, Meta(description="How often the spool is moved to the lake.", gt=0)] = 2.0
    flush_max_rows: Annotated[int, Meta(description="Most rows in one commit to the lake.", ge=1)] = 100_000
    capture_queue: Annotated[
        int, Meta(description="Gateway captures that may wait for the spool before they are counted lost.", ge=0)
    ] = 10_000
    relay: Annotated[
        str,
        Meta(
            description="Name of a [policy.forward] target, or the URL of another Penstock: send everything there, keep no lake."
        ),
    ] = ""


class UpstreamSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenAI-compatible server behind the gateway."""

    base_url: Annotated[str, Meta(description="Up to and with /v1.")]
    api_key_env: Annotated[str, Meta(description="Environment variable that holds its key; empty for none.")] = ""
    logprobs: Annotated[bool, Meta(description="Ask it for log-probabilities, so that they can be captured.")] = False
    stream_usage: Annotated[bool, Meta(description="Ask it for token counts when streaming; it must know `stream_options`.")] = (
        False
    )


class GatewaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The OpenAI-compatible gateway."""

    upstreams: Annotated[dict[str, UpstreamSettings], Meta(description="Model servers by name: [gateway.upstreams.NAME].")] = (
        field(default_factory=dict)
    )
    default_upstream: Annotated[str, Meta(description="Upstream for a model that is no route; empty refuses such a model.")] = ""
    connect_timeout_s: Annotated[float, Meta(description="How long an upstream may take to accept a connection.", gt=0)] = 5.0
    idle_timeout_s: Annotated[
        float, Meta(description="How long an upstream may stay silent, before or within an answer.", gt=0)
    ] = 60.0
    route_refresh_s: Annotated[float, Meta(description="How often an edge looks whether a route has changed.", gt=0)] = 0.1


class RegistrySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The transactional store."""

    url: Annotated[str, Meta(description="SQLAlchemy URL; empty for SQLite in the home directory.")] = ""


class LakeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The append-only store."""

    url: Annotated[str, Meta(description="s3://BUCKET/PREFIX for a lake on an S3 API; empty for `<home>/lake`.")] = ""
    endpoint: Annotated[str, Meta(description="URL of the S3 API; empty for AWS_ENDPOINT_URL, or AWS itself.")] = ""
    region: Annotated[str, Meta(description="Region of the bucket; empty for AWS_REGION, or us-east-1.")] = ""
    access_key_id: Annotated[
        str, Meta(description="Name of the key on S3; empty for AWS_ACCESS_KEY_ID and what else AWS's own tools are given.")
    ] = ""
    secret_key_env: Annotated[
        str, Meta(description="Variable that holds the secret of `access_key_id`; empty for AWS_SECRET_ACCESS_KEY.")
    ] = ""
    compact_after_files: Annotated[int, Meta(description="Files in one partition after which it is compacted.", ge=1)] = 50
    checkpoint_after_commits: Annotated[int, Meta(description="Commits after which the Delta log is checkpointed.", ge=1)] = 20
    history_days: Annotated[
        float,
        Meta(description="How far back a table can be read as it was known; older revisions are folded. 0 keeps all.", ge=0),
    ] = 30.0
    vacuum_after_h: Annotated[float, Meta(description="Age at which files no longer referenced are deleted.", ge=0)] = 168.0


class RetentionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days each table keeps a row after it happened; 0 keeps it for good. What is labelled, queued or in a dataset stays."""

    spans_days: Annotated[float, Meta(description="Days that spans are kept.", ge=0)] = 90.0
    feedback_days: Annotated[float, Meta(description="Days that feedback is kept.", ge=0)] = 0.0
    interactions_days: Annotated[float, Meta(description="Days that interactions are kept.", ge=0)] = 0.0
    signals_days: Annotated[float, Meta(description="Days that signals are kept.", ge=0)] = 0.0
    evaluation_items_days: Annotated[float, Meta(description="Days that the scores of single items are kept.", ge=0)] = 0.0


class IngestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settling spans into interactions, and feedback onto its targets."""

    settle_interval_s: Annotated[float, Meta(description="How often new spans and feedback are settled.", gt=0)] = 2.0
    pending_expiry_h: Annotated[float, Meta(description="How long feedback waits for its target.", gt=0)] = 168.0


class SignalSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal of one's own: one SELECT, or one function."""

    sql: Annotated[
        str,
        Meta(description="One SELECT over `interactions` or `reports`: `interaction_id` or `session_id`, `value`, and evidence."),
    ] = ""
    python: Annotated[
        str, Meta(description="`module:function` or `file.py:function` of a row; a relative file lies in the home.")
    ] = ""
    source: Annotated[
        Literal["interactions", "reports"], Meta(description="What it reads: interactions, or matched feedback.")
    ] = "interactions"
    target: Annotated[Literal["interaction", "session"], Meta(description="What its signals are about.")] = "interaction"
    kind: Annotated[Literal["explicit", "implicit", "outcome"], Meta(description="What kind of signal it is.")] = "implicit"
    columns: Annotated[list[str], Meta(description="The columns that a function is given; empty for the usual ones.")] = field(
        default_factory=list
    )
    description: Annotated[str, Meta(description="What it means, for `penstock signals list`.")] = ""


class JudgeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that is asked about what cues leave uncertain; it sees redacted texts, as they lie in the lake."""

    model: Annotated[str, Meta(description="What it is called at its server; empty for no judge.")] = ""
    base_url: Annotated[
        str, Meta(description="Its OpenAI-compatible server, up to and with /v1; Penstock's own gateway may be it.")
    ] = ""
    upstream: Annotated[str, Meta(description="Instead of `base_url`: the name of a [gateway.upstreams.NAME].")] = ""
    api_key_env: Annotated[
        str, Meta(description="Environment variable that holds its key; empty for the upstream's, or none.")
    ] = ""
    timeout_s: Annotated[float, Meta(description="How long one answer may take.", gt=0)] = 30.0
    concurrency: Annotated[int, Meta(description="Most questions asked side by side.", ge=1)] = 4
    daily_questions: Annotated[int, Meta(description="Most questions a day, in UTC.", ge=0)] = 1000
    temperature: Annotated[float, Meta(description="Sent with each question; -1 leaves it out.", ge=-1)] = 0.0
    max_tokens: Annotated[int, Meta(description="Most tokens of an answer, sent with each question; 0 leaves it out.", ge=0)] = (
        256
    )


class TrafficSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose behaviour counts."""

    exposures: Annotated[list[str], Meta(description="Exposures that count as the users' own traffic.")] = field(
        default_factory=lambda: ["served"]
    )


class RewardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a suggestion's fate is worth. Showing pays if its chance of acceptance exceeds -rejected / (accepted - rejected)."""

    accepted: Annotated[float, Meta(description="Reward of an accepted suggestion.")] = 0.75
    rejected: Annotated[float, Meta(description="Reward of a suggestion shown and rejected.")] = -0.25
    silent: Annotated[float, Meta(description="Reward of showing nothing.")] = 0.0


class LabellingFunctionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A labelling function of one's own; under the name of a built-in one, in its place."""

    signal: Annotated[str, Meta(description="Name of the signal that it reads.", min_length=1)]
    votes: Annotated[Literal["good", "bad"], Meta(description="What it says where its condition holds.")]
    at_least: Annotated[float | None, Meta(description="Least value on which it votes.")] = None
    at_most: Annotated[float | None, Meta(description="Highest value on which it votes.")] = None
    evidence: Annotated[dict[str, str], Meta(description="What the signal's evidence must say, such as {kind = 'exact'}.")] = (
        field(default_factory=dict)
    )
    dimension: Annotated[str, Meta(description="The question that it answers.", pattern="^[a-z][a-z0-9_-]{0,63}$")] = "good"
    silence: Annotated[
        Literal["reported", "went_on"],
        Meta(description="Where silence counts: wherever an application has the signal, or only once the session went on."),
    ] = "reported"


class LabelModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From many weak signals to one probability."""

    every_h: Annotated[float, Meta(description="How often the worker fits the model anew; 0 leaves it to the command.", ge=0)] = (
        24.0
    )
    method: Annotated[Literal["dawid_skene", "triplets"], Meta(description="How accuracies are found from agreement.")] = (
        "dawid_skene"
    )
    days: Annotated[
        float, Meta(description="Days of traffic, back from the newest, that are fitted and labelled; 0 for all.", ge=0)
    ] = 90.0
    silence_after_h: Annotated[
        float, Meta(description="How long an interaction must lie back before silence about it counts.", ge=0)
    ] = 24.0
    without: Annotated[list[str], Meta(description="Labelling functions that are left out.")] = field(default_factory=list)


class DatasetSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Freezing training sets."""

    test_share: Annotated[float, Meta(description="Share of users whose rows are held out.", ge=0, lt=1)] = 0.2


class TrainingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Running recipes as their own processes."""

    heartbeat_timeout_s: Annotated[
        float, Meta(description="Silence after which a recipe counts as hung and is stopped.", gt=0)
    ] = 120.0
    threads: Annotated[int, Meta(description="Torch threads of a recipe; 0 leaves it to torch.", ge=0)] = 0


class ServingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The small local model server."""

    enabled: Annotated[
        bool, Meta(description="Whether `penstock up` runs it; the gateway then knows it as upstream `local`.")
    ] = False
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on; 0 takes a free one.", ge=0, le=65535)] = 8701
    max_batch: Annotated[int, Meta(description="Most sequences generated side by side.", ge=1)] = 64
    max_models: Annotated[int, Meta(description="Checkpoints held in memory; the one unused longest is let go.", ge=1)] = 4
    threads: Annotated[int, Meta(description="Torch threads; 0 leaves it to torch.", ge=0)] = 1


class ReleaseSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gates and canary."""

    candidate_share: Annotated[
        float, Meta(description="Share of users who get the candidate while it is in canary.", gt=0, lt=1)
    ] = 0.5
    effect_scale: Annotated[
        float, Meta(description="tau of the mSPRT: the difference in reward that it is tuned to find.", gt=0)
    ] = 0.05
    promote_evidence: Annotated[
        float, Meta(description="Likelihood ratio needed to promote; 20 is an error rate of 5 %.", gt=1)
    ] = 20.0
    rollback_evidence: Annotated[
        float, Meta(description="Likelihood ratio needed to roll back; may be less than to promote.", gt=1)
    ] = 20.0
    min_users: Annotated[int, Meta(description="Users in each arm before the test may decide.", ge=1)] = 30
    sample_ratio_p: Annotated[
        float, Meta(description="A sample-ratio p-value below this makes the canary invalid.", ge=0, lt=1)
    ] = 0.0005
    max_canary_s: Annotated[float, Meta(description="A canary undecided for this long is refused.", gt=0)] = 172_800.0
    check_interval_s: Annotated[float, Meta(description="How often a canary's evidence is read.", gt=0)] = 30.0
    max_canary_users: Annotated[
        int, Meta(description="Users after whom an undecided canary is refused; 0 for no limit.", ge=0)
    ] = 0
    max_error_increase: Annotated[
        float, Meta(description="Rise of the error rate that is tolerated; proof of more rolls back.", ge=0)
    ] = 0.05
    apply_timeout_s: Annotated[float, Meta(description="How long a flip waits for every live edge to confirm it.", ge=0)] = 10.0


class ContractSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an application promises to say with each interaction."""

    required: Annotated[
        list[str],
        Meta(description="Fields it must say: see `penstock ingest contract`; `keys.NAME` or `tags.NAME` for one of them."),
    ] = field(default_factory=lambda: ["model_version", "prompt_version", "session", "user", "segment", "keys"])
    min_share: Annotated[float, Meta(description="Share of interactions that must meet each; less is a warning.", ge=0, le=1)] = (
        0.95
    )
    max_fall: Annotated[float, Meta(description="Fall against the week before that is a warning, as a share.", ge=0, le=1)] = 0.1


class PriceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model costs, in US dollars per million tokens."""

    input: Annotated[float, Meta(description="Per million input tokens that were not cached.", ge=0)]
    output: Annotated[float, Meta(description="Per million output tokens, reasoning included.", ge=0)]
    cached_input: Annotated[
        float | None, Meta(description="Per million cached input tokens; without it calls with such cost null.")
    ] = None
    cache_write_input: Annotated[
        float | None, Meta(description="Per million input tokens written to the cache; without it they cost what `input` says.")
    ] = None
    max_input_tokens: Annotated[
        int, Meta(description="The price holds up to so many input tokens; more cost null. 0 for no limit.")
    ] = 0


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    home: Annotated[str, Meta(description="Where the embedded lake, registry, spools and artifacts lie.")] = "./.penstock"
    contracts: Annotated[
        dict[str, ContractSettings], Meta(description="What each application must say: [contracts.APPLICATION].")
    ] = field(default_factory=dict)
    prices: Annotated[dict[str, PriceSettings], Meta(description='Prices beside and over those shipped: [prices."MODEL"].')] = (
        field(default_factory=dict)
    )
    outcomes: Annotated[dict[str, OutcomeSettings], Meta(description="Outcomes that come by business key: [outcomes.NAME].")] = (
        field(default_factory=dict)
    )
    pulls: Annotated[
        dict[str, PullSettings], Meta(description="Tables of outcomes that the worker reads by itself: [pulls.NAME].")
    ] = field(default_factory=dict)
    webhooks: Annotated[
        dict[str, WebhookSettings], Meta(description="Senders of events, by the last part of their URL: [webhooks.NAME].")
    ] = field(default_factory=dict)
    signals: Annotated[dict[str, SignalSettings], Meta(description="Signals of one's own: [signals.NAME].")] = field(
        default_factory=dict
    )
    judge: JudgeSettings = field(default_factory=JudgeSettings)
    labelling_functions: Annotated[
        dict[str, LabellingFunctionSettings], Meta(description="Labelling functions of one's own: [labelling_functions.NAME].")
    ] = field(default_factory=dict)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    lake: LakeSettings = field(default_factory=LakeSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    traffic: TrafficSettings = field(default_factory=TrafficSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)
    label_model: LabelModelSettings = field(default_factory=LabelModelSettings)
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    release: ReleaseSettings = field(default_factory=ReleaseSettings)

    @property
    def home_path(self) -> Path:
        """The home directory, absolute."""
        return Path(self.home).expanduser().resolve()

    @property
    def registry_url(self) -> str:
        """The registry's SQLAlchemy URL."""
        return self.registry.url or f"sqlite:///{self.home_path / 'registry.db'}"

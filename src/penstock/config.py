"""One typed tree of settings: defaults, then penstock.toml, then PENSTOCK_*, then flags; an unknown key is an error.

Every setting is declared once, below, with its help; `penstock config` and docs/configuration.md are made from it.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, field

from penstock.errors import ConfigurationError


class EdgeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process that machines talk to."""

    host: Annotated[str, Meta(description="Address to listen on; anything but loopback needs an API key.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port for OTLP/HTTP, feedback and the gateway; 0 takes a free one.")] = 4318
    workers: Annotated[int, Meta(description="Stateless edge processes, each with its own spool.")] = 1
    max_body_bytes: Annotated[int, Meta(description="Largest request body, also after decompression.")] = 64 * 1024 * 1024
    spool_max_bytes: Annotated[int, Meta(description="A fuller spool answers 503 with Retry-After.")] = 4 * 1024**3
    flush_interval_s: Annotated[float, Meta(description="How often the spool is moved to the lake.")] = 2.0
    flush_max_rows: Annotated[int, Meta(description="Most rows in one commit to the lake.")] = 100_000
    capture_queue: Annotated[
        int, Meta(description="Gateway captures that may wait for the spool before they are counted lost.")
    ] = 10_000


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
    connect_timeout_s: Annotated[float, Meta(description="How long an upstream may take to accept a connection.")] = 5.0
    idle_timeout_s: Annotated[float, Meta(description="How long an upstream may stay silent, before or within an answer.")] = 60.0
    route_refresh_s: Annotated[float, Meta(description="How often an edge looks whether a route has changed.")] = 0.1


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
    compact_after_files: Annotated[int, Meta(description="Files in one partition after which it is compacted.")] = 50
    checkpoint_after_commits: Annotated[int, Meta(description="Commits after which the Delta log is checkpointed.")] = 100
    history_days: Annotated[
        float, Meta(description="How far back a table can be read as it was known; older revisions are folded. 0 keeps all.")
    ] = 30.0
    vacuum_after_h: Annotated[float, Meta(description="Age at which files no longer referenced are deleted.")] = 168.0


class RetentionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days each table keeps a row after it happened; 0 keeps it for good. What is labelled, queued or in a dataset stays."""

    spans_days: Annotated[float, Meta(description="Days that spans are kept.")] = 90.0
    feedback_days: Annotated[float, Meta(description="Days that feedback is kept.")] = 0.0
    interactions_days: Annotated[float, Meta(description="Days that interactions are kept.")] = 0.0
    signals_days: Annotated[float, Meta(description="Days that signals are kept.")] = 0.0
    evaluation_items_days: Annotated[float, Meta(description="Days that the scores of single items are kept.")] = 0.0


class IngestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settling spans into interactions, and feedback onto its targets."""

    settle_interval_s: Annotated[float, Meta(description="How often new spans and feedback are settled.")] = 2.0
    pending_expiry_h: Annotated[float, Meta(description="How long feedback waits for its target.")] = 168.0
    hashed_keys: Annotated[list[str], Meta(description="Business keys that are stored as keyed hashes.")] = field(
        default_factory=list
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


class DatasetSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Freezing training sets."""

    test_share: Annotated[float, Meta(description="Share of users whose rows are held out.")] = 0.2


class TrainingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Running recipes as their own processes."""

    heartbeat_timeout_s: Annotated[float, Meta(description="Silence after which a recipe counts as hung and is stopped.")] = 120.0
    threads: Annotated[int, Meta(description="Torch threads of a recipe; 0 leaves it to torch.")] = 0


class ServingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The small local model server."""

    enabled: Annotated[
        bool, Meta(description="Whether `penstock up` runs it; the gateway then knows it as upstream `local`.")
    ] = False
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on; 0 takes a free one.")] = 8701
    max_batch: Annotated[int, Meta(description="Most sequences generated side by side.")] = 64
    max_models: Annotated[int, Meta(description="Checkpoints held in memory; the one unused longest is let go.")] = 4
    threads: Annotated[int, Meta(description="Torch threads; 0 leaves it to torch.")] = 1


class ReleaseSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gates and canary."""

    candidate_share: Annotated[float, Meta(description="Share of users who get the candidate while it is in canary.")] = 0.5
    effect_scale: Annotated[float, Meta(description="tau of the mSPRT: the difference in reward that it is tuned to find.")] = (
        0.05
    )
    promote_evidence: Annotated[float, Meta(description="Likelihood ratio needed to promote; 20 is an error rate of 5 %.")] = 20.0
    rollback_evidence: Annotated[
        float, Meta(description="Likelihood ratio needed to roll back; may be less than to promote.")
    ] = 20.0
    min_users: Annotated[int, Meta(description="Users in each arm before the test may decide.")] = 30
    sample_ratio_p: Annotated[float, Meta(description="A sample-ratio p-value below this makes the canary invalid.")] = 0.0005
    max_canary_s: Annotated[float, Meta(description="A canary undecided for this long is refused.")] = 172_800.0
    check_interval_s: Annotated[float, Meta(description="How often a canary's evidence is read.")] = 30.0
    max_canary_users: Annotated[int, Meta(description="Users after whom an undecided canary is refused; 0 for no limit.")] = 0
    max_error_increase: Annotated[
        float, Meta(description="Rise of the error rate that is tolerated; proof of more rolls back.")
    ] = 0.05
    apply_timeout_s: Annotated[float, Meta(description="How long a flip waits for every live edge to confirm it.")] = 10.0


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    home: Annotated[str, Meta(description="Where the embedded lake, registry, spools and artifacts lie.")] = "./.penstock"
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    lake: LakeSettings = field(default_factory=LakeSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    traffic: TrafficSettings = field(default_factory=TrafficSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)
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


class Setting(Struct, frozen=True, kw_only=True):
    """One leaf of the tree, as documentation and the CLI show it."""

    path: str  # edge.port
    type: str
    default: Any  # msgspec.NODEFAULT where it must be given
    help: str

    @property
    def environment(self) -> str:
        """The variable that sets it."""
        return "PENSTOCK_" + self.path.upper().replace(".", "_")


def list_settings(struct: type[Struct] = Settings) -> list[Setting]:
    """Every setting, in the order of the tree; tables with free names (upstreams) count as one."""
    return list(_walk(struct, ""))


def _walk(struct: type[Struct], prefix: str) -> list[Setting]:
    hints = get_type_hints(struct, include_extras=True)
    found: list[Setting] = []
    for info in msgspec.structs.fields(struct):
        path = prefix + info.name
        hint = hints[info.name]
        if isinstance(hint, type) and issubclass(hint, Struct):
            found.extend(_walk(hint, path + "."))
            continue
        bare, meta = get_args(hint)[0], get_args(hint)[1]
        factory = info.default_factory
        default = info.default if factory is msgspec.NODEFAULT else factory()
        found.append(Setting(path=path, type=_type_name(bare), default=default, help=meta.description or ""))
    return found


def _type_name(hint: Any) -> str:
    if get_origin(hint) in (list, UnionType):
        return " | ".join(_type_name(part) for part in get_args(hint)) + (" list" if get_origin(hint) is list else "")
    return "table" if get_origin(hint) is dict else getattr(hint, "__name__", str(hint))


class LoadedSettings(Struct, frozen=True, kw_only=True):
    """The settings that hold, and where each one came from."""

    settings: Settings
    origins: dict[str, str]  # path -> "default", the file, the variable or "flag"


def load_settings(
    *,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> LoadedSettings:
    """Read defaults, file, environment and flags, in this order, each over the one before.

    `flags` maps paths ("edge.port") to values; None values are left out. `file` defaults to PENSTOCK_CONFIG, then
    penstock.toml in the home directory, then in the working directory. Raises ConfigurationError.
    """
    environment = os.environ if environment is None else environment
    flags = {path: value for path, value in (flags or {}).items() if value is not None}
    known = {setting.path: setting for setting in list_settings()}
    origins = dict.fromkeys(known, "default")
    tree: dict[str, Any] = {}
    path = _find_file(file, flags, environment)
    if path is not None:
        for key, value in _flatten(_read_toml(path), known):
            _require_known(key, known, str(path))
            _put(tree, key, value)
            origins[key] = str(path)
    by_variable = {setting.environment: setting for setting in known.values()}
    for variable in sorted(environment):
        if not variable.startswith("PENSTOCK_") or variable == "PENSTOCK_CONFIG":
            continue
        setting = by_variable.get(variable)
        if setting is None:
            raise ConfigurationError(f"{variable} is no setting of Penstock.{_hint(variable, by_variable)}")
        _put(tree, setting.path, _parse(setting, environment[variable]))
        origins[setting.path] = variable
    for key, value in flags.items():
        _require_known(key, known, "a flag")
        _put(tree, key, value)
        origins[key] = "flag"
    _require_known_upstream_keys(tree.get("gateway", {}).get("upstreams", {}))
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"A setting has the wrong type: {error}. `penstock config` lists types and defaults.") from error
    return LoadedSettings(settings=settings, origins=origins)


def _find_file(file: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str]) -> Path | None:
    named = file or (Path(environment["PENSTOCK_CONFIG"]) if environment.get("PENSTOCK_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigurationError(f"The configuration file {named} does not exist.")
        return named
    home = Path(str(flags.get("home") or environment.get("PENSTOCK_HOME") or Settings().home)).expanduser()
    return next((path for path in (home / "penstock.toml", Path("penstock.toml")) if path.is_file()), None)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The configuration file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from error


def _flatten(tree: Mapping[str, Any], known: Mapping[str, Setting], prefix: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in tree.items():
        path = prefix + key
        if isinstance(value, dict) and path not in known:
            is_table = any(name.startswith(path + ".") for name in known)
            leaves.extend(_flatten(value, known, path + ".") if value or is_table else [(path, value)])
        else:
            leaves.append((path, value))
    return leaves


def _require_known(path: str, known: Mapping[str, Setting], where: str) -> None:
    if path not in known:
        raise ConfigurationError(f"{where} sets `{path}`, which is no setting of Penstock.{_hint(path, known)}")


def _require_known_upstream_keys(upstreams: Any) -> None:
    known = dict.fromkeys(UpstreamSettings.__struct_fields__)
    for name, upstream in upstreams.items() if isinstance(upstreams, dict) else ():
        for key in upstream if isinstance(upstream, dict) else ():
            if key not in known:
                raise ConfigurationError(f"gateway.upstreams.{name} sets `{key}`, which no upstream has.{_hint(key, known)}")


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean `{close[0]}`?" if close else " `penstock config` lists them all."


def _put(tree: dict[str, Any], path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[leaf] = value


def _parse(setting: Setting, text: str) -> Any:
    """A variable's text as TOML would read it; plain text where a string is wanted."""
    if setting.type == "str":
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{setting.environment}={text!r} is not a {setting.type}; write it as in TOML, for example {setting.default!r}."
        ) from error

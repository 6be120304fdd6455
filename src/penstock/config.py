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

    compact_after_files: Annotated[int, Meta(description="Files in one partition after which it is compacted.")] = 50
    checkpoint_after_commits: Annotated[int, Meta(description="Commits after which the Delta log is checkpointed.")] = 100
    vacuum_after_h: Annotated[float, Meta(description="Age at which files no longer referenced are deleted.")] = 168.0


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


ENDPOINT = r"^https?://[^/@\s]+(/\S*)?$"  # with no user and password in it: secrets stand in the environment


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
    """What is kept of what arrives, and where it goes."""

    sample: SampleSettings = field(default_factory=SampleSettings)
    route: RoutingSettings = field(default_factory=RoutingSettings)
    forward: Annotated[dict[str, ForwardSettings], Meta(description="Targets by name: [policy.forward.NAME].")] = field(
        default_factory=dict
    )


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    home: Annotated[str, Meta(description="Where the embedded lake, registry, spools and artifacts lie.")] = "./.penstock"
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    lake: LakeSettings = field(default_factory=LakeSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    traffic: TrafficSettings = field(default_factory=TrafficSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    release: ReleaseSettings = field(default_factory=ReleaseSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)

    @property
    def home_path(self) -> Path:
        """The home directory, absolute."""
        return Path(self.home).expanduser().resolve()

    @property
    def registry_url(self) -> str:
        """The registry's SQLAlchemy URL."""
        return self.registry.url or f"sqlite:///{self.home_path / 'registry.db'}"


# tables whose names are free, by their path, and what each entry holds
NAMED_TABLES: dict[str, type[Struct]] = {
    "gateway.upstreams": UpstreamSettings,
    "policy.forward": ForwardSettings,
}

# lists of rules, by their path, and what each rule holds
LISTED_TABLES: dict[str, type[Struct]] = {
    "policy.sample.policies": SamplePolicySettings,
    "policy.sample.policies.attributes": AttributeMatch,
    "policy.route.table": RouteSettings,
    "policy.route.table.attributes": AttributeMatch,
}


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
    if hint is type(None):
        return "none"
    if isinstance(hint, type) and issubclass(hint, Struct):
        return "table"
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
    for table, struct in NAMED_TABLES.items():
        _require_known_keys(tree, table, struct)
    for table, struct in LISTED_TABLES.items():
        _require_known_rule_keys(tree, table, struct)
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"A setting has the wrong type: {error}. `penstock config` lists types and defaults.") from error
    _require_sound_policy(settings.policy)
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


def _require_known_keys(tree: Mapping[str, Any], table: str, struct: type[Struct]) -> None:
    known = dict.fromkeys(struct.__struct_fields__)
    entries: Any = tree
    for part in table.split("."):
        entries = entries.get(part, {}) if isinstance(entries, Mapping) else {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        for key in entry if isinstance(entry, dict) else ():
            if key not in known:
                raise ConfigurationError(f"{table}.{name} sets `{key}`, which is no key of it.{_hint(key, known)}")


def _require_known_rule_keys(tree: Mapping[str, Any], table: str, struct: type[Struct]) -> None:
    known = dict.fromkeys(struct.__struct_fields__)
    entries: list[tuple[str, Any]] = [("", tree)]
    for part in table.split("."):
        inner = [(where, entry.get(part)) for where, entry in entries if isinstance(entry, Mapping)]
        entries = []
        for where, found in inner:
            for number, entry in enumerate(found if isinstance(found, list) else [found]):
                name = entry.get("name", number) if isinstance(entry, Mapping) and isinstance(found, list) else ""
                entries.append((f"{where}.{part}".lstrip(".") + (f" ({name})" if name != "" else ""), entry))
    for where, entry in entries:
        for key in entry if isinstance(entry, Mapping) else ():
            if key not in known:
                raise ConfigurationError(f"{where} sets `{key}`, which is no key of it.{_hint(key, known)}")


def _require_sound_policy(policy: PolicySettings) -> None:
    """What the types cannot say: names that exist and are used once, rules that have a condition."""
    if "store" in policy.forward:
        raise ConfigurationError("policy.forward.store: `store` is Penstock's own pipeline; give the target another name.")
    known = dict.fromkeys(["store", *policy.forward])
    pipelines = {f"policy.route.table ({rule.name})": rule.pipelines for rule in policy.route.table}
    for where, names in {"policy.route.default_pipelines": policy.route.default_pipelines, **pipelines}.items():
        for name in names:
            if name not in known:
                raise ConfigurationError(f"{where} names the pipeline `{name}`, which is neither `store` nor in policy.forward.")
    _require_sound_rules("policy.sample.policies", policy.sample.policies)
    _require_sound_rules("policy.route.table", policy.route.table)
    for rule in policy.sample.policies:
        for code in rule.status_codes:
            if code not in ("ERROR", "OK", "UNSET"):
                raise ConfigurationError(
                    f"policy.sample.policies ({rule.name}) has the status code {code!r}; write ERROR, OK or UNSET."
                )


def _require_sound_rules(table: str, rules: list[SamplePolicySettings] | list[RouteSettings]) -> None:
    names: set[str] = set()
    for rule in rules:
        if rule.name in names:
            raise ConfigurationError(
                f"{table} has two rules of the name {rule.name!r}; names tell them apart in counts and logs."
            )
        names.add(rule.name)
        others = (rule.status_codes, rule.threshold_ms) if isinstance(rule, SamplePolicySettings) else ()
        if not any((rule.applications, rule.attributes, *others)):
            raise ConfigurationError(f"{table} ({rule.name}) has no condition; set the percentage or pipelines for all instead.")


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

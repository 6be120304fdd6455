"""One typed tree of settings: defaults, then penstock.toml, then PENSTOCK_*, then flags; an unknown key is an error.

The settings themselves are declared in settings.py and policy_settings.py; here they are listed, read and checked.
"""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import re2
from msgspec import Struct

from penstock.errors import ConfigurationError
from penstock.outcome_settings import OutcomeSettings, PullSettings, WebhookRule, WebhookSettings
from penstock.policy_settings import (
    NER_BACKENDS,
    REDACTION_KINDS,
    REDACTION_MODES,
    AttributeMatch,
    ForwardSettings,
    PolicySettings,
    RedactSettings,
    RouteSettings,
    SamplePolicySettings,
)
from penstock.settings import (
    ContractSettings,
    LabellingFunctionSettings,
    PriceSettings,
    Settings,
    SignalSettings,
    UpstreamSettings,
)

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s*A-Z]+")
_PLAIN_NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_KIND_NAME = re.compile("[a-z][a-z0-9_]{0,31}")

# tables whose names are free, by their path, and what each entry holds
NAMED_TABLES: dict[str, type[Struct]] = {
    "signals": SignalSettings,
    "labelling_functions": LabellingFunctionSettings,
    "gateway.upstreams": UpstreamSettings,
    "contracts": ContractSettings,
    "prices": PriceSettings,
    "outcomes": OutcomeSettings,
    "pulls": PullSettings,
    "webhooks": WebhookSettings,
    "policy.forward": ForwardSettings,
}

# lists of rules, by their path, and what each rule holds; `*` is any name
LISTED_TABLES: dict[str, type[Struct]] = {
    "policy.sample.policies": SamplePolicySettings,
    "policy.sample.policies.attributes": AttributeMatch,
    "policy.route.table": RouteSettings,
    "policy.route.table.attributes": AttributeMatch,
    "webhooks.*.feedback": WebhookRule,
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
    if get_origin(hint) is Literal:
        return " | ".join(map(repr, get_args(hint)))
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
        if variable == "PENSTOCK_HOME" and not environment[variable]:  # else the working directory would be taken for it
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
    return LoadedSettings(settings=_convert(tree), origins=origins)


def _convert(tree: Mapping[str, Any]) -> Settings:
    """The tree as settings; what a type cannot say is checked here too."""
    _require_finite(tree, "")
    for table, struct in NAMED_TABLES.items():
        _require_known_keys(tree, table, struct)
    for table, struct in LISTED_TABLES.items():
        _require_known_rule_keys(tree, table, struct)
    try:
        settings = msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        reason = _reason_by_name(tree) or error
        raise ConfigurationError(
            f"A setting has the wrong type or is out of range: {reason}. `penstock config` lists types and defaults."
        ) from error
    _require_exact_origins(settings.edge.browser_origins)
    _require_plain_names("webhooks", settings.webhooks)
    _require_plain_names("outcomes", settings.outcomes)
    _require_plain_names("pulls", settings.pulls)
    require_valid_redaction(settings.policy.redact)
    _require_sound_policy(settings.policy)
    return settings


def _reason_by_name(tree: Mapping[str, Any]) -> str | None:
    """What is wrong with an entry of a table with free names, which msgspec calls `[...]`; None where it lies elsewhere."""
    for table, struct in NAMED_TABLES.items():
        for name, entry in _entries(tree, table).items():
            try:
                msgspec.convert(entry, struct)
            except msgspec.ValidationError as error:
                return f"{table}.{name}: {error}".replace("`$.", f"`{table}.{name}.")
    return None


def _entries(tree: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    found: Any = tree
    for part in table.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _require_finite(value: Any, path: str) -> None:
    """TOML knows nan and inf, which nothing can be compared with or wait for."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{path} = {value} is no number that can be used; give a finite one.")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _require_finite(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _require_finite(inner, f"{path}[{place}]")


def _require_exact_origins(origins: list[str]) -> None:
    """An origin that no browser would send lets nobody in; one that many pages share, such as `null`, would let in anybody."""
    for origin in origins:
        scheme, _, address = origin.partition("://")
        has_usual_port = address.endswith({"https": ":443", "http": ":80"}.get(scheme, "\n"))
        if not _ORIGIN.fullmatch(origin) or has_usual_port:
            raise ConfigurationError(
                f"edge.browser_origins holds {origin!r}, which is no origin as browsers send it: write scheme and host "
                "in small letters and only an unusual port, such as https://app.example.com; no path, `*` or last slash."
            )


def _require_plain_names(table: str, named: Mapping[str, Any]) -> None:
    """Names that stand in URLs and in the names of files."""
    for name in named:
        if not _PLAIN_NAME.fullmatch(name):
            raise ConfigurationError(
                f"{table}.{name}: call it by up to 64 letters, digits, underscores and dashes, such as {table}.help_desk."
            )


def require_valid_redaction(redact: RedactSettings) -> None:
    """Raise ConfigurationError naming the first mode, kind or pattern that cannot be used, and why."""
    for name, pattern in redact.patterns.items():
        if name in REDACTION_KINDS or not _KIND_NAME.fullmatch(name):
            raise ConfigurationError(
                f"policy.redact.patterns sets `{name}`, which cannot be the name of a kind: "
                f"{'it is one already' if name in REDACTION_KINDS else 'use up to 32 small letters, digits and underscores'}."
            )
        if _compile(f"policy.redact.patterns.{name}", pattern).search("") is not None:
            raise ConfigurationError(
                f"policy.redact.patterns.{name} = {pattern!r} matches the empty text; make it match something."
            )
    for pattern in redact.allow_patterns:
        _compile("policy.redact.allow_patterns", pattern)
    kinds = dict.fromkeys([*REDACTION_KINDS, *redact.patterns])
    for kind, mode in redact.modes.items():
        if kind not in kinds:
            raise ConfigurationError(f"policy.redact.modes sets `{kind}`, which is no kind.{_hint(kind, kinds)}")
        if mode not in REDACTION_MODES:
            raise ConfigurationError(
                f"policy.redact.modes.{kind} = {mode!r} is no mode; use one of {', '.join(REDACTION_MODES)}."
            )
    if redact.ner not in ("", *NER_BACKENDS):
        raise ConfigurationError(
            f"policy.redact.ner = {redact.ner!r} is no backend; use {' or '.join(NER_BACKENDS)}, or leave it empty."
        )
    if redact.ner and not redact.ner_model:
        raise ConfigurationError(
            f"policy.redact.ner = {redact.ner!r} needs policy.redact.ner_model: a spaCy model's name or folder."
        )


def _compile(path: str, pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise ConfigurationError(f"{path} = {pattern!r} is no RE2 pattern: {reason}.") from error


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
    for name, entry in _entries(tree, table).items():
        for key in entry if isinstance(entry, dict) else ():
            if key not in known:
                raise ConfigurationError(f"{table}.{name} sets `{key}`, which is no key of it.{_hint(key, known)}")


def _require_known_rule_keys(tree: Mapping[str, Any], table: str, struct: type[Struct]) -> None:
    known = dict.fromkeys(struct.__struct_fields__)
    entries: list[tuple[str, Any]] = [("", tree)]
    for part in table.split("."):
        tables = [(where, entry) for where, entry in entries if isinstance(entry, Mapping)]
        if part == "*":
            entries = [(f"{where}.{name}", entry) for where, named in tables for name, entry in named.items()]
            continue
        inner = [(where, entry.get(part)) for where, entry in tables]
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

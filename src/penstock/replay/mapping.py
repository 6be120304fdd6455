"""A mapping file says which column of a log is what; an unknown key is an error with a hint.

INTERACTION_FIELDS is the one list of what can be bound, TARGETS of what a report can be about; docs/replay.md describes each.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from penstock.errors import ConfigurationError
from penstock.records.feedback import TargetKind
from penstock.records.interaction import Exposure
from penstock.replay.binding import EPOCH, PARSERS, Binding

Format = Literal["csv", "jsonl", "json", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "json", "parquet")


class FieldKind(Struct, frozen=True):
    """How the value of a field is read, and the attribute that carries it; None where more than one does."""

    kind: Literal["text", "name", "integer", "number", "time", "duration", "messages", "numbers"]
    attribute: str | None


INTERACTION_FIELDS: dict[str, FieldKind] = {
    "id": FieldKind("name", "penstock.request.id"),
    "started_at": FieldKind("time", None),
    "ended_at": FieldKind("time", None),
    "duration": FieldKind("duration", None),
    "first_token": FieldKind("duration", "gen_ai.response.time_to_first_chunk"),
    "input_messages": FieldKind("messages", None),
    "system": FieldKind("text", None),
    "output": FieldKind("messages", None),
    "finish_reason": FieldKind("text", None),
    "error_type": FieldKind("text", "error.type"),
    "session": FieldKind("name", "gen_ai.conversation.id"),
    "user": FieldKind("text", "user.id"),
    "application": FieldKind("text", None),
    "segment": FieldKind("text", "penstock.segment"),
    "exposure": FieldKind("text", "penstock.exposure"),
    "operation": FieldKind("text", "gen_ai.operation.name"),
    "provider": FieldKind("text", "gen_ai.provider.name"),
    "model": FieldKind("text", "gen_ai.request.model"),
    "response_model": FieldKind("text", "gen_ai.response.model"),
    "model_version": FieldKind("text", "openai.response.system_fingerprint"),
    "response_id": FieldKind("name", "gen_ai.response.id"),
    "prompt_name": FieldKind("text", "gen_ai.prompt.name"),
    "prompt_version": FieldKind("text", "gen_ai.prompt.version"),
    "input_tokens": FieldKind("integer", "gen_ai.usage.input_tokens"),
    "output_tokens": FieldKind("integer", "gen_ai.usage.output_tokens"),
    "cached_tokens": FieldKind("integer", "gen_ai.usage.cache_read.input_tokens"),
    "cache_write_tokens": FieldKind("integer", "gen_ai.usage.cache_write.input_tokens"),
    "reasoning_tokens": FieldKind("integer", "gen_ai.usage.reasoning.output_tokens"),
    "cost": FieldKind("number", "penstock.cost"),
    "temperature": FieldKind("number", "gen_ai.request.temperature"),
    "checkpoint": FieldKind("text", "penstock.checkpoint.id"),
    "arm": FieldKind("text", "penstock.release.arm"),
    "arm_probability": FieldKind("number", "penstock.release.arm_probability"),
    "token_logprobs": FieldKind("numbers", "penstock.token_logprobs"),
}
# What a report may name instead of its row's own interaction; a business key is named by keys.NAME.
TARGETS: dict[str, TargetKind] = {f"{kind}_id": kind for kind in (TargetKind.REQUEST, TargetKind.RESPONSE, TargetKind.SESSION)}
FEEDBACK_FIELDS: tuple[str, ...] = (
    *("when", "for_each", "name", "value", "text", "occurred_at", "metadata"),
    *("keys", *TARGETS),
)
BINDING_KEYS: tuple[str, ...] = ("column", "value", "template", "row_number", "item", "parse", "path", "map", "base")
_SOURCES: tuple[str, ...] = BINDING_KEYS[:5]
_REQUIRED = ("started_at", "input_messages")


class SourceMapping(Struct, frozen=True, kw_only=True):
    """The table [source]: what kind of file it is."""

    name: str
    id: Binding | None = None  # of a row that is no interaction
    format: Format | None = None  # None: by the name of the file
    encoding: str = "utf-8"
    delimiter: str = ","


class Target(Struct, frozen=True, kw_only=True):
    """What a report is about, by its own name."""

    kind: TargetKind
    key: str | None  # the name of the business key
    binding: Binding


class FeedbackMapping(Struct, frozen=True, kw_only=True):
    """One table [[feedback]]: a report that is made of a row, or of each item of a list in it."""

    name: Binding
    target: Target | None = None  # None: the row's own interaction
    when: Binding | None = None
    for_each: Binding | None = None
    value: Binding | None = None
    text: Binding | None = None
    occurred_at: Binding | None = None
    metadata: dict[str, Binding] = field(default_factory=dict)

    @property
    def columns(self) -> frozenset[str]:
        """Every column that some binding reads."""
        target = self.target.binding if self.target is not None else None
        optional = (target, self.when, self.for_each, self.value, self.text, self.occurred_at)
        return columns_of([self.name, *self.metadata.values(), *optional])


class RowMapping(Struct, frozen=True, kw_only=True):
    """A whole mapping file; `text` is the file itself, so that another mapping starts another replay."""

    source: SourceMapping
    interaction: dict[str, Binding]  # empty where rows are feedback alone
    tags: dict[str, Binding]
    keys: dict[str, Binding]
    feedback: tuple[FeedbackMapping, ...]
    text: str

    @property
    def columns(self) -> frozenset[str]:
        """Every column that some binding reads."""
        bindings = [self.source.id, *self.interaction.values(), *self.tags.values(), *self.keys.values()]
        return columns_of(bindings).union(*(feedback.columns for feedback in self.feedback))


def columns_of(bindings: Iterable[Binding | None]) -> frozenset[str]:
    """The columns that these read."""
    return frozenset().union(*(binding.columns for binding in bindings if binding is not None))


def load_mapping(path: Path) -> RowMapping:
    """Read a mapping file; raises ConfigurationError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The mapping {path} cannot be read: {error}.") from error
    return parse_mapping(text, str(path))


def parse_mapping(text: str, where: str) -> RowMapping:
    """Read the text of a mapping file; raises ConfigurationError that begins with `where`."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not valid TOML: {error}.") from error
    require_keys(tree, ("source", "interaction", "feedback"), where)
    interaction = dict(_table(tree, "interaction", where))
    tags = read_bindings(_table(interaction, "tags", f"{where} [interaction]"), f"{where} [interaction.tags]")
    keys = read_bindings(_table(interaction, "keys", f"{where} [interaction]"), f"{where} [interaction.keys]")
    interaction.pop("tags", None)
    interaction.pop("keys", None)
    require_keys(interaction, [*INTERACTION_FIELDS, "tags", "keys"], f"{where} [interaction]")
    has_interaction = "interaction" in tree
    _check_interaction(interaction, where, has_feedback="feedback" in tree, is_there=has_interaction)
    source = _source(_table(tree, "source", where), where)
    if source.id is not None and has_interaction:
        raise ConfigurationError(f"{where} [source] has `id`, but its rows are interactions: say `id` in [interaction].")
    return RowMapping(
        source=source,
        interaction=read_bindings(interaction, f"{where} [interaction]"),
        tags=tags,
        keys=keys,
        feedback=read_feedback(tree.get("feedback", []), where, has_own=has_interaction),
        text=text,
    )


def _source(table: Mapping[str, Any], where: str) -> SourceMapping:
    where = f"{where} [source]"
    require_keys(table, ("name", "id", "format", "encoding", "delimiter"), where)
    id_ = read_binding(table["id"], f"{where} id") if "id" in table else None
    table = {key: value for key, value in table.items() if key != "id"}
    for key, value in table.items():
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"{where} {key} = {value!r} must be text.")
    if "name" not in table:
        raise ConfigurationError(f"{where} has no `name`; the ids of what is sent are derived from it.")
    if table.get("format", "csv") not in FORMATS:
        raise ConfigurationError(f"{where} format = {table['format']!r} is none of {', '.join(FORMATS)}.")
    try:
        "".encode(table.get("encoding", "utf-8"))
    except LookupError as error:
        raise ConfigurationError(
            f'{where} encoding = {table["encoding"]!r} is unknown; try "utf-8", "latin-1" or "utf-16".'
        ) from error
    if len(table.get("delimiter", ",")) != 1:
        raise ConfigurationError(f"{where} delimiter = {table['delimiter']!r} must be one character.")
    return SourceMapping(id=id_, **table)


def read_feedback(tables: Any, where: str, *, has_own: bool) -> tuple[FeedbackMapping, ...]:
    """The tables [[feedback]]; where rows have no interaction of their own, each names a target. Raises ConfigurationError."""
    if not isinstance(tables, list):
        raise ConfigurationError(f"{where}: write [[feedback]] with two brackets; there may be several.")
    found = []
    for position, table in enumerate(tables, start=1):
        here = f"{where} [[feedback]] {position}"
        require_keys(table, FEEDBACK_FIELDS, here)
        if "name" not in table:
            raise ConfigurationError(f'{here} has no `name`, such as "rating" or "outcome.resolved".')
        target = _target(table, here, has_own=has_own)
        if target is not None and "occurred_at" not in table:
            raise ConfigurationError(f"{here} does not say when it happened: `occurred_at`; when we learn of it is another time.")
        metadata = read_bindings(_table(table, "metadata", here), f"{here} metadata", item=True)
        plain = {key: value for key, value in table.items() if key not in ("metadata", "keys", *TARGETS)}
        bindings = {
            key: read_binding(value, f"{here} {key}", item="for_each" in table and key != "for_each")
            for key, value in plain.items()
        }
        found.append(FeedbackMapping(target=target, metadata=metadata, **bindings))
    return tuple(found)


def _target(table: Mapping[str, Any], here: str, *, has_own: bool) -> Target | None:
    """What a [[feedback]] names as its target; None for the row's own interaction."""
    item = "for_each" in table
    keys = table.get("keys", {})
    if not isinstance(keys, dict):
        raise ConfigurationError(f"{here} keys = {keys!r} must be a table: write keys.ticket_id = {{ column = ... }}.")
    named = [
        Target(kind=TargetKind.KEY, key=key, binding=binding)
        for key, binding in read_bindings(keys, f"{here} keys", item=item).items()
    ]
    named += [
        Target(kind=kind, key=None, binding=read_binding(table[word], f"{here} {word}", item=item))
        for word, kind in TARGETS.items()
        if word in table
    ]
    if len(named) > 1 or (not named and not has_own):
        one = "at most one" if has_own else "exactly one"
        raise ConfigurationError(f"{here} names its target {len(named)} times; say {one} of keys.NAME, {', '.join(TARGETS)}.")
    return named[0] if named else None


def read_bindings(table: Mapping[str, Any], where: str, *, item: bool = False) -> dict[str, Binding]:
    """A table of names and their bindings; raises ConfigurationError."""
    return {key: read_binding(value, f"{where} {key}", item=item) for key, value in table.items()}


def read_binding(raw: Any, where: str, *, item: bool = False) -> Binding:
    """A table of BINDING_KEYS, or a plain value, which is a constant."""
    if not isinstance(raw, dict):
        return Binding(value=raw)
    require_keys(raw, BINDING_KEYS, where)
    given = [key for key in _SOURCES if key in raw]
    if len(given) != 1:
        raise ConfigurationError(f"{where} needs exactly one of {', '.join(_SOURCES)}, and has {' and '.join(given) or 'none'}.")
    if "item" in raw and not item:
        raise ConfigurationError(f"{where} names an item, which only a [[feedback]] with for_each has.")
    if raw.get("parse") not in (None, *PARSERS):
        raise ConfigurationError(f"{where} parse = {raw['parse']!r} is none of {', '.join(PARSERS)}.")
    for key, kind in (("column", str), ("template", str), ("path", str), ("map", dict), ("row_number", bool), ("item", bool)):
        if key in raw and (not isinstance(raw[key], kind) or raw[key] is False):
            raise ConfigurationError(f"{where} {key} = {raw[key]!r} must be {'true' if kind is bool else f'a {kind.__name__}'}.")
    return Binding(**{**raw, "base": _base(raw.get("base"), where)})


def _base(value: Any, where: str) -> datetime:
    try:
        base = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        base = value
    if base is None:
        return EPOCH
    if not isinstance(base, datetime):
        raise ConfigurationError(f"{where} base = {value!r} is no time; write it like 2024-01-31T00:00:00Z.")
    return base if base.tzinfo else base.replace(tzinfo=UTC)


def _check_interaction(table: Mapping[str, Any], where: str, *, has_feedback: bool, is_there: bool) -> None:
    if not is_there and not has_feedback:
        raise ConfigurationError(f"{where} has neither [interaction] nor [[feedback]]: say what a row is, or what it reports.")
    for name in _REQUIRED if is_there else ():
        if name not in table:
            raise ConfigurationError(
                f"{where} [interaction] does not say what `{name}` is; every interaction needs it. "
                "Rows that are feedback alone have no [interaction]."
            )
    _check_exposure(table.get("exposure"), where)


def _check_exposure(raw: Any, where: str) -> None:
    value = raw.get("value") if isinstance(raw, dict) else raw
    if isinstance(value, str) and value not in list(Exposure):
        raise ConfigurationError(f"{where} [interaction] exposure = {value!r} is none of {', '.join(Exposure)}.")


def _table(tree: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    table = tree.get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} {name} = {table!r} must be a table.")
    return table


def require_keys(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise ConfigurationError, with a hint, for a key that is not known."""
    known = list(known)
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else f" It may have {', '.join(known)}."
            raise ConfigurationError(f"{where} has `{key}`, which is no key of a mapping.{hint}")

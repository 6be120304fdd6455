"""The webhooks that are set, each with its rules and its secret; what cannot work is refused before anything is served."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

from penstock.errors import ConfigurationError
from penstock.outcome_settings import WebhookRule, WebhookSettings


class Webhook(Struct, frozen=True, kw_only=True):
    """One sender."""

    name: str
    settings: WebhookSettings
    secret: bytes | None  # None: it shows an API key


def load_webhooks(webhooks: Mapping[str, WebhookSettings], environment: Mapping[str, str] | None) -> dict[str, Webhook]:
    """Every webhook, its ready mapping and its secret found in the environment, or in ours. Raises ConfigurationError."""
    environment = os.environ if environment is None else environment
    ready = read_ready() if any(webhook.ready for webhook in webhooks.values()) else {}
    return {name: _load(name, webhook, ready, environment) for name, webhook in webhooks.items()}


def read_ready() -> dict[str, WebhookSettings]:
    """The mappings that are shipped."""
    text = files("penstock.outcomes").joinpath("ready_webhooks.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, WebhookSettings])


def _load(name: str, webhook: WebhookSettings, ready: Mapping[str, WebhookSettings], environment: Mapping[str, str]) -> Webhook:
    where = f"webhooks.{name}"
    if webhook.ready:
        if webhook.ready not in ready:
            close = difflib.get_close_matches(webhook.ready, list(ready), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigurationError(f"{where}.ready = {webhook.ready!r} is none of {', '.join(ready)}.{hint}")
        webhook = _over(ready[webhook.ready], webhook)
    if not webhook.feedback:
        raise ConfigurationError(f"{where} says nothing of what its events report; write [[{where}.feedback]], or `ready`.")
    for number, rule in enumerate(webhook.feedback, start=1):
        _require_sound(rule, f"{where}.feedback {number} ({rule.name})")
    return Webhook(name=name, settings=webhook, secret=_secret(where, webhook, environment))


def _over(ready: WebhookSettings, said: WebhookSettings) -> WebhookSettings:
    """The ready mapping with what is said beside it in its place."""
    plain = WebhookSettings()
    said_fields: dict[str, Any] = {
        field: value for field in WebhookSettings.__struct_fields__ if (value := getattr(said, field)) != getattr(plain, field)
    }
    return msgspec.structs.replace(ready, **said_fields)


def _require_sound(rule: WebhookRule, where: str) -> None:
    if (rule.target == "key") != bool(rule.key):
        raise ConfigurationError(f"{where}: `key` names the business key where the target is one, and only there.")
    if rule.value is not None and rule.value_path:
        raise ConfigurationError(f"{where} has both `value` and `value_path`; keep one.")
    if rule.values and not rule.value_path:
        raise ConfigurationError(f"{where} has `values` and no `value_path` that says where the word stands.")
    if rule.value is None and not rule.value_path and not rule.text:
        raise ConfigurationError(f"{where} says neither `value`, `value_path` nor `text`; a report says something.")


def _secret(where: str, webhook: WebhookSettings, environment: Mapping[str, str]) -> bytes | None:
    if not webhook.secret_env:
        return None
    secret = environment.get(webhook.secret_env, "")
    if not secret:
        raise ConfigurationError(
            f"{where}.secret_env names the variable {webhook.secret_env}, which is not set; without it no event can be checked."
        )
    return secret.encode("utf-8", "surrogateescape")

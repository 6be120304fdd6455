"""The page about policy names every kind, mode and setting of redaction."""

from pathlib import Path

from penstock.config import list_settings
from penstock.policy_settings import REDACTION_KINDS, REDACTION_MODES

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")


def test_every_kind_and_mode_of_redaction_is_explained() -> None:
    assert [name for name in (*REDACTION_KINDS, *REDACTION_MODES) if f"`{name}`" not in PAGE] == []


def test_every_setting_of_redaction_is_shown() -> None:
    names = [
        setting.path.removeprefix("policy.redact.") for setting in list_settings() if setting.path.startswith("policy.redact.")
    ]
    assert [name for name in names if name not in PAGE] == []

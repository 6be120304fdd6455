"""The OTel GenAI convention until 1.27: the whole prompt and the whole answer as JSON in one attribute each.

Later forms, up to 1.36, have one event per message (`message_events.py`); their other attributes differ by name (`aliases.py`).
"""

from typing import Any

from penstock.formats import translation

DIALECT = "genai-legacy"
MARKERS = ("gen_ai.prompt", "gen_ai.completion")


def translate(attributes: dict[str, Any], _name: str) -> None:
    """Rewrite the span's attributes to the newest GenAI names."""
    translation.put_content(attributes, attributes.pop("gen_ai.prompt", None), attributes.pop("gen_ai.completion", None))

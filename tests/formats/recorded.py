"""Bodies of feedback requests as their clients send them."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "golden" / "feedback"


def recorded(name: str) -> Any:
    """One recorded body."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))

"""The mappings that come ready: a tool's name in place of a mapping file."""

from collections.abc import Callable, Mapping
from pathlib import Path

from penstock.errors import ConfigurationError
from penstock.replay import datadog, langfuse, langsmith, mlflow, openai_log, phoenix
from penstock.replay.export_calls import Adjustments, exported_rows
from penstock.replay.exported import Translate
from penstock.replay.mapping import load_mapping
from penstock.replay.row_reader import RowReader, mapped_rows

READY: Mapping[str, Translate] = {
    langfuse.TOOL: langfuse.translate,
    langsmith.TOOL: langsmith.translate,
    mlflow.TOOL: mlflow.translate,
    phoenix.TOOL: phoenix.translate,
    datadog.TOOL: datadog.translate,
}
NAMES = (*READY, openai_log.TOOL)

Questions = Callable[[], Mapping[str, bytes | None]]


def load_reader(name: str, adjustments: Adjustments, questions: Questions) -> RowReader:
    """The reader of a ready mapping, or of the mapping file of this name. Raises ConfigurationError.

    `questions` finds the requests of OpenAI batches; it is only called for such logs.
    """
    if name in NAMES:
        translate = READY[name] if name in READY else openai_log.translator(questions())
        return exported_rows(name, translate, adjustments)
    if not Path(name).exists():
        raise ConfigurationError(f"--mapping {name!r} is no file and none of the ready mappings: {', '.join(NAMES)}.")
    if adjustments != Adjustments():
        raise ConfigurationError("--application, --exposure and --name are for ready mappings; a mapping file says these itself.")
    return mapped_rows(load_mapping(Path(name)))

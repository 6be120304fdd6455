"""Names of persons and places, which no pattern knows: found by a model, through Presidio's analyzer, where one is configured.

The model is never downloaded: it is an installed package or a folder, or the configuration is refused.
"""

import re
from pathlib import Path
from typing import Any

from penstock.errors import ConfigurationError
from penstock.policy_settings import RedactSettings
from penstock.text.patterns import Detector, Found

_KINDS = {"PERSON": "person", "LOCATION": "place"}
_LONGEST_PIECE_CHARACTERS = 50_000  # spaCy refuses a million, and needs memory in proportion
_PIECE = re.compile(r".{1,50000}(?=\s|\Z)|.{1,50000}", re.DOTALL)


def load_names(settings: RedactSettings) -> Detector | None:
    """The detector of names that the settings ask for. Raises ConfigurationError naming what to install."""
    return (
        PresidioNames(settings.ner_model, settings.ner_language, settings.ner_min_score) if settings.ner == "presidio" else None
    )


class PresidioNames:
    """Finds persons and places with a spaCy model behind Presidio's analyzer."""

    proposal = b""  # any text may hold a name

    def __init__(self, model: str, language: str, min_score: float) -> None:
        self._engine = _build_engine(model, language)
        self._language = language
        self._min_score = min_score

    def find(self, data: bytes) -> list[Found]:
        """Every name, in bytes of the UTF-8 text."""
        found: list[Found] = []
        offset = 0
        for piece in _PIECE.findall(data.decode("utf-8", "replace")):
            for start, end, kind in self._find_in(piece):
                before, name = len(piece[:start].encode()), len(piece[start:end].encode())
                if not found or offset + before >= found[-1].end:
                    found.append(Found(offset + before, offset + before + name, kind))
            offset += len(piece.encode())
        return found

    def _find_in(self, text: str) -> list[tuple[int, int, str]]:
        results = self._engine.analyze(
            text, self._language, entities=list(_KINDS), score_threshold=self._min_score, return_decision_process=False
        )
        return sorted((result.start, result.end, _KINDS[result.entity_type]) for result in results)


def _build_engine(model: str, language: str) -> Any:
    try:
        import spacy.util
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer
    except ImportError as error:
        raise ConfigurationError(
            f"policy.redact.ner = \"presidio\" needs {error.name}, which is not installed: pip install 'penstock[ner]'."
        ) from error
    if not (spacy.util.is_package(model) or Path(model).is_dir()):
        raise ConfigurationError(
            f"policy.redact.ner_model = {model!r} is neither an installed spaCy package nor a folder. Install the model's "
            f"package (a wheel from spaCy's releases), or give the folder that holds its config.cfg."
        )
    engine = SpacyNlpEngine(models=[{"lang_code": language, "model_name": model}])
    try:
        engine.load()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The spaCy model policy.redact.ner_model = {model!r} cannot be loaded: {error}") from error
    registry = RecognizerRegistry(recognizers=[SpacyRecognizer(supported_language=language)], supported_languages=[language])
    return AnalyzerEngine(nlp_engine=engine, registry=registry, supported_languages=[language])

"""Names are found by a real spaCy pipeline behind Presidio's analyzer; its rules are written here, not learnt."""

import sys
from pathlib import Path

import pytest

from penstock.errors import ConfigurationError
from penstock.policy_settings import RedactSettings
from penstock.text.named_entities import load_names
from penstock.text.redaction import FAILED, Redactor
from tests.text.detected import detected

spacy = pytest.importorskip("spacy", reason="needs the extra ner")
pytest.importorskip("presidio_analyzer", reason="needs the extra ner")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> RedactSettings:
    pipeline = spacy.blank("en")
    patterns = [("PERSON", "Jane Doe"), ("PERSON", "Jörg"), ("GPE", "Zürich"), ("ORG", "Acme"), ("PERSON", "IP")]
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": words} for label, words in patterns])
    folder = tmp_path_factory.mktemp("model")
    pipeline.to_disk(folder)
    return RedactSettings(ner="presidio", ner_model=str(folder), modes={"place": "hash"})


def test_persons_and_places_are_found_in_bytes_of_the_text(settings: RedactSettings) -> None:
    names = load_names(settings)
    assert names is not None
    assert detected(names, "Ünter Jörg, Jane Doe of Acme lives in Zürich") == [
        ("Jörg", "person"),
        ("Jane Doe", "person"),
        ("Zürich", "place"),
    ]
    long = "é wörd " * 20_000 + "Jane Doe"
    assert detected(names, long) == [("Jane Doe", "person")]


def test_names_are_taken_out_of_prose_after_everything_else(settings: RedactSettings) -> None:
    redactor = Redactor(b"k" * 32, settings, names=load_names(settings))
    assert redactor.find_suspects([b"anything", b""]) == [0, 1]
    masked, counts = redactor.redact('{"content": "I am Jane Doe in Zürich, at 10.1.2.3 here"}', "s")
    assert counts == {"person": 1, "place": 1, "ip": 1}
    assert masked is not None
    assert masked.startswith('{"content":"I am [PERSON_')
    assert "[PLACE_HASH_" in masked
    assert redactor.redact(masked, "s") == (masked, {})


def test_ids_and_single_words_are_not_read_as_names(settings: RedactSettings) -> None:
    redactor = Redactor(b"k" * 32, settings, names=load_names(settings))
    assert redactor.redact_id("Jane Doe and others", "session") == "Jane Doe and others"
    assert redactor.redact("Jörg", "s") == ("Jörg", {})


def test_a_model_that_fails_costs_the_text(settings: RedactSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    names = load_names(settings)
    redactor = Redactor(b"k" * 32, settings, names=names)
    monkeypatch.setattr(names, "find", lambda _: 1 / 0)
    assert redactor.redact("a text of words", "s") == (FAILED, {"failed": 1})


def test_without_a_backend_there_is_none() -> None:
    assert load_names(RedactSettings()) is None


def test_a_model_that_is_not_there_is_named_and_never_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'en_no_such_model' is neither an installed spaCy package nor a folder"):
        load_names(RedactSettings(ner="presidio", ner_model="en_no_such_model"))
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        load_names(RedactSettings(ner="presidio", ner_model=str(tmp_path)))


def test_a_missing_package_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'penstock\[ner\]'"):
        load_names(RedactSettings(ner="presidio", ner_model="x"))

"""The pages that explain the house name every room of it."""

import importlib
import inspect
import re
from pathlib import Path

import msgspec

from penstock import errors
from penstock.lake.tables import TABLES
from penstock.registry.tables import METADATA
from penstock.replay.binding import PARSERS
from penstock.replay.mapping import BINDING_KEYS, FEEDBACK_FIELDS, INTERACTION_FIELDS

REPOSITORY = Path(__file__).parents[2]
SOURCES = REPOSITORY / "src" / "penstock"
NOT_NOUNS = {"LoadedSettings"}


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def rooms() -> list[str]:
    folders = [f"{path.parent.name}/" for path in SOURCES.glob("*/__init__.py")]
    return [*folders, *(path.name for path in SOURCES.glob("*.py") if path.name != "__init__.py")]


def test_the_readme_names_every_folder_and_file_at_the_top() -> None:
    page = read("README.md")
    assert [room for room in rooms() if room not in page] == []


def test_the_architecture_names_every_folder_and_file_at_the_top() -> None:
    page = read("ARCHITECTURE.md")
    assert [room for room in rooms() if not re.search(rf"\b{room.removesuffix('.py').rstrip('/')}\b", page)] == []


def test_every_file_that_the_architecture_names_exists() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_0-9]*(?:\.[a-z]+)?)`", read("ARCHITECTURE.md"))
    roots = (SOURCES, REPOSITORY)
    assert [path for path in named if not any((root / path).exists() for root in roots)] == []


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) < 150


def test_every_noun_is_in_the_architecture() -> None:
    page = read("ARCHITECTURE.md")
    for path in (SOURCES / "records").glob("*.py"):
        module = importlib.import_module(f"penstock.records.{path.stem}")
        nouns = [name for name, item in vars(module).items() if inspect.isclass(item) and item.__module__ == module.__name__]
        structs = [name for name in nouns if issubclass(getattr(module, name), msgspec.Struct)]
        assert [name for name in structs if not re.search(rf"\b{name}\b", page)] == []


def test_every_error_is_drawn_in_its_tree_and_documented() -> None:
    classes = [name for name, item in vars(errors).items() if inspect.isclass(item) and issubclass(item, errors.PenstockError)]
    assert [name for name in classes if name not in (errors.__doc__ or "")] == []
    assert [name for name in classes if f"`{name}`" not in read("docs/errors.md")] == []


def test_every_table_is_in_the_guide_to_sql() -> None:
    page = read("docs/sql.md")
    assert [name for name in [*TABLES, *METADATA.tables] if f"`{name}`" not in page] == []


def test_every_key_of_a_mapping_is_documented() -> None:
    page = read("docs/replay.md")
    keys = [*INTERACTION_FIELDS, *FEEDBACK_FIELDS, *BINDING_KEYS, *PARSERS]
    assert [key for key in keys if f"`{key}`" not in page] == []

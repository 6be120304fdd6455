"""Bringing in a set from a file."""

from pathlib import Path

import msgspec
import pytest

from penstock.datasets.importing import import_dataset
from penstock.errors import BadInputError, EmptySelectionError
from penstock.lake.lake import Lake
from penstock.records.dataset import DatasetVersion
from penstock.registry.registry import Registry
from penstock.text.redaction import Redactor
from tests.rows import LATER

GOOD = b'{"prompt": [{"role": "user", "content": "hi"}], "completion": "hello"}\n'


def bring_in(lake: Lake, registry: Registry, home: Path, data: bytes, redactor: Redactor | None = None) -> DatasetVersion:
    file = home / "rows.jsonl"
    file.write_bytes(data)
    return import_dataset(lake, registry, home / "artifacts", file, "seed", 0.0, LATER, redactor)


def test_every_row_leads_back_to_its_file_and_line(lake: Lake, registry: Registry, home: Path) -> None:
    dataset = bring_in(lake, registry, home, GOOD + b"\n" + GOOD)
    rows = [msgspec.json.decode(line) for line in (Path(dataset.uri) / "train.jsonl").read_bytes().splitlines()]
    assert (dataset.kind, dataset.train_rows) == ("sft", 2)
    assert [row["source"].rsplit(":", 1)[1] for row in rows] == ["1", "3"]
    assert bring_in(lake, registry, home, GOOD + b"\n" + GOOD) == dataset


@pytest.mark.parametrize("bad", [b"{", b'{"prompt": "hi", "completion": "x"}', b'{"prompt": []}', b"\xff", b"[]"])
def test_a_bad_line_is_named(lake: Lake, registry: Registry, home: Path, bad: bytes) -> None:
    with pytest.raises(BadInputError, match="line 2"):
        bring_in(lake, registry, home, GOOD + bad)


def test_an_empty_or_missing_file_is_said_to_be_so(lake: Lake, registry: Registry, home: Path) -> None:
    with pytest.raises(EmptySelectionError, match="has no rows"):
        bring_in(lake, registry, home, b"\n")
    with pytest.raises(BadInputError, match="cannot be read"):
        import_dataset(lake, registry, home, home / "none.jsonl", "seed", 0.0, LATER)


def test_personal_data_is_masked_and_users_are_hashed(lake: Lake, registry: Registry, home: Path) -> None:
    prompt = b'{"prompt": [{"role": "user", "content": "mail ada@example.org"}]'
    data = prompt + b', "completion": "sent to ada@example.org", "user": "ada"}'
    dataset = bring_in(lake, registry, home, data, Redactor(b"k" * 32))
    text = (Path(dataset.uri) / "train.jsonl").read_text()
    assert "ada" not in text
    assert text.count("EMAIL") == 2

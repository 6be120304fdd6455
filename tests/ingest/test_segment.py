"""A file of bodies gives back what was written, whatever the disk has done to the rest of it."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ingest.segment import Record, Segment

SEED = 12_345
BODIES = st.lists(st.tuples(st.sampled_from(["spans", "feedback"]), st.binary(max_size=300)), min_size=1, max_size=8)


def write(path: Path, bodies: list[tuple[str, bytes]]) -> list[Record]:
    """Bodies one by one, with ids from 10 on."""
    segment = Segment(path, SEED, 10)
    records = []
    for number, (table, batch) in enumerate(bodies):
        records += segment.append([(10 + number, table, 1, batch)], 0)
    segment.synchronise()
    return records


def start_of(record: Record) -> int:
    """Where its header begins."""
    return record.offset - 52 - len(record.table)


@settings(max_examples=60, deadline=None)
@given(bodies=BODIES)
def test_what_was_written_is_read(bodies: list[tuple[str, bytes]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one.segment"
        written = write(path, bodies)
        segment = Segment(path, SEED, 0)
        assert segment.scan(is_newest=True) == (written, [])
        assert [segment.read(record) for record in written] == [(batch, True) for _, batch in bodies]
        assert (segment.first_id, segment.end) == (10, path.stat().st_size)


@settings(max_examples=120, deadline=None)
@given(bodies=BODIES, chance=st.randoms(use_true_random=False), is_newest=st.booleans())
def test_every_body_that_the_disk_left_alone_is_found_and_no_other_passes_for_one(
    bodies: list[tuple[str, bytes]], chance: Random, is_newest: bool
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one.segment"
        written = write(path, bodies)
        content = bytearray(path.read_bytes())
        first = chance.randrange(len(content))
        last = min(len(content), first + chance.randrange(1, 200))
        content[first:last] = bytes(byte ^ 0x5A for byte in content[first:last])
        path.write_bytes(content)
        segment = Segment(path, SEED, 0)
        found, damages = segment.scan(is_newest=is_newest)
        intact = [record for record in found if segment.read(record)[1]]
        untouched = [record for record in written if start_of(record) >= last or record.offset + record.length <= first]
        assert intact == untouched
        covered = sum(one.offset + one.length - start_of(one) for one in found) + sum(damage.length for damage in damages)
        assert covered == segment.end if is_newest else covered == len(content)


@settings(max_examples=60, deadline=None)
@given(bodies=BODIES, chance=st.randoms(use_true_random=False))
def test_a_file_cut_anywhere_gives_what_was_whole_and_is_written_on_from_there(
    bodies: list[tuple[str, bytes]], chance: Random
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one.segment"
        written = write(path, bodies)
        cut = chance.randrange(path.stat().st_size + 1)
        path.write_bytes(path.read_bytes()[:cut])
        segment = Segment(path, SEED, 0)
        whole = [record for record in written if record.offset + record.length <= cut]
        assert segment.scan(is_newest=True) == (whole, [])
        segment.append([(99, "spans", 1, b"more")], 0)
        assert [record.id for record in Segment(path, SEED, 0).scan(is_newest=True)[0]] == [*(one.id for one in whole), 99]


def test_many_bodies_go_in_one_append(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "one.segment", SEED, 0)
    records = segment.append([(number, "spans", 1, bytes(10)) for number in range(3_000)], 0)
    assert [segment.read(record) for record in records[::700]] == [(bytes(10), True)] * 5
    assert Segment(segment.path, SEED, 0).scan(is_newest=True)[0] == records


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert Segment(tmp_path / "one.segment", SEED, 7).scan(is_newest=False) == ([], [])

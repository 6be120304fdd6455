from penstock.records.ids import (
    content_hash,
    digest,
    feedback_id,
    interaction_id,
    interaction_ids,
    label_id,
    random_id,
    signal_id,
    signal_ids,
)


def test_ids_are_the_same_in_every_version_and_on_every_machine() -> None:
    assert interaction_id("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331") == "i_fdd9e60e80fe903c10d08c469430c437"
    assert feedback_id("order-1") == "f_ac724b774f059003a1b1995ecbb9890f"
    assert content_hash(b"rows") == "b2:8cf70920b4397054019885f8385579d9d4bef415"


def test_parts_are_kept_apart() -> None:
    ids = {
        digest("ab", "c"),
        digest("a", "bc"),
        digest("abc"),
        digest("abc", ""),
        digest("", "abc"),
        digest("a", "b", "c"),
        digest(),
    }
    assert len(ids) == 7


def test_any_text_can_be_named() -> None:
    assert digest("\ud800") != digest("\ud801")


def test_each_noun_has_a_prefix_of_its_own() -> None:
    ids = [
        interaction_id("a", "b"),
        feedback_id("a"),
        signal_id("retry@1", "i_1", "f_1"),
        label_id("quality", 1, "kept", "i_1", "rule@1", "s_1"),
    ]
    assert [id[:2] for id in ids] == ["i_", "f_", "s_", "l_"]
    assert {len(id) for id in ids} == {34}


def test_a_label_by_other_evidence_is_another_label() -> None:
    assert label_id("q", 1, "kept", "i_1", "rule@1", "s_1") != label_id("q", 1, "kept", "i_1", "rule@1", "s_2")
    assert label_id("q", 1, "kept", "i_1", "rule@1", "s_1") != label_id("q", 2, "kept", "i_1", "rule@1", "s_1")


def test_content_is_named_with_its_algorithm() -> None:
    assert content_hash(b"") != content_hash(b"\0")
    algorithm, _, hex_digits = content_hash(b"rows").partition(":")
    assert algorithm == "b2"
    assert len(bytes.fromhex(hex_digits)) == 20


def test_random_ids_differ() -> None:
    ids = {random_id("rel") for _ in range(100)}
    assert len(ids) == 100
    assert all(id.startswith("rel_") for id in ids)


def test_an_interaction_is_named_alike_by_the_short_way_and_the_long() -> None:
    assert interaction_id("ab" * 16, "cd" * 8) == "i_" + digest("ab" * 16, "cd" * 8)
    assert interaction_id("é" * 32, "cd" * 8) == "i_" + digest("é" * 32, "cd" * 8)


def test_many_ids_at_once_are_the_ids_one_by_one() -> None:
    traces, spans = [f"{number:032x}" for number in (1, 2**127, 7)], [f"{number:016x}" for number in (5, 2**63, 5)]
    assert interaction_ids("".join(traces), "".join(spans)) == [interaction_id(*pair) for pair in zip(traces, spans, strict=True)]
    assert interaction_ids("", "") == []


def test_many_signals_at_once_have_the_ids_that_each_has_alone() -> None:
    targets, names = ["i_1", "i_2", "ü", "i_1"], ["retry", "retention.30s", "", "retry"]
    assert signal_ids("retry@2", targets, names) == [signal_id("retry@2", *pair) for pair in zip(targets, names, strict=True)]

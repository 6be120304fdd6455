"""Attributes that were spread out."""

from penstock.formats.flattened import take


def test_lists_and_objects_are_put_together_and_taken_out() -> None:
    attributes = {
        "m.10.role": "c",
        "m.2.role": "b",
        "m.0.role": "a",
        "m.0.calls.0.name": "x",
        "other": 1,
        "mm.0": 2,
    }
    assert take(attributes, ["m"]) == {"m": [{"role": "a", "calls": [{"name": "x"}]}, {"role": "b"}, {"role": "c"}]}
    assert attributes == {"other": 1, "mm.0": 2}


def test_a_value_where_others_have_an_object_stays_beside_it() -> None:
    assert take({"m.0": "text", "m.0.role": "user"}, ["m"]) == {"m": [{"": "text", "role": "user"}]}
    assert take({"m.0.role": "user", "m.0": "text"}, ["m"]) == {"m": [{"role": "user", "": "text"}]}


def test_a_value_that_is_an_object_itself_is_left_as_it_is() -> None:
    value = {"0": {"1": "deep"}}
    assert take({"m.0": value, "m.1.role": "user"}, ["m"]) == {"m": [value, {"role": "user"}]}
    assert value == {"0": {"1": "deep"}}


def test_hostile_numbers_and_depths_cost_nothing() -> None:
    assert take({f"m.{'9' * 400}.role": "user"}, ["m"]) == {"m": {"9" * 400: {"role": "user"}}}
    assert take({"m.999999999.role": "user"}, ["m"]) == {"m": [{"role": "user"}]}
    assert len(str(take({"m" + ".a" * 5000: 1}, ["m"]))) < 20_000

"""Which functions there are, what may be declared, and which of them answer as one."""

import pytest

from penstock.errors import ConfigurationError
from penstock.labels.labelling_functions import FUNCTIONS, LabellingFunction, all_functions, hash_of, of_dimension, voters_of
from penstock.settings import LabellingFunctionSettings

KNOWN = ["rating", "feedback"]


def declared(**fields):
    return {"mine": LabellingFunctionSettings(**{"signal": "rating", "votes": "good", "at_least": 0.9, **fields})}


def test_functions_of_one_signal_are_the_answers_of_one_voter():
    voters = {voter.name: voter for voter in voters_of(of_dimension(FUNCTIONS.values(), "good"))}
    assert voters["rating"].only_answer is None
    assert voters["copy"].only_answer == "good"
    assert voters["feedback"].only_answer == "bad"
    assert {"retry kind exact", "retry kind rephrase"} < set(voters)
    assert sum(len(voter.good) + len(voter.bad) for voter in voters.values()) == len(FUNCTIONS)


def test_praise_never_votes():
    assert [one.name for one in FUNCTIONS.values() if one.signal == "feedback"] == ["complained"]
    with pytest.raises(ConfigurationError, match="praise is recorded"):
        all_functions(declared(signal="feedback"), signals=KNOWN)


def test_a_declared_function_stands_beside_the_built_in_ones_or_in_place_of_one():
    functions = all_functions(declared(), signals=KNOWN)
    assert functions["mine"] == LabellingFunction(name="mine", signal="rating", votes="good", at_least=0.9)
    assert len(functions) == len(FUNCTIONS) + 1
    replaced = all_functions({"rated_high": declared()["mine"]}, signals=KNOWN)
    assert replaced["rated_high"].at_least == 0.9
    assert len(replaced) == len(FUNCTIONS)


def test_functions_can_be_left_out_by_name():
    assert "repeated" not in all_functions({}, ["repeated"])
    with pytest.raises(ConfigurationError, match=r"'?repeatd.*there are rated_high"):
        all_functions({}, ["repeatd"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"signal": "ratng"}, "no signal 'ratng'; there are feedback, rating, outcome.NAME"),
        ({"at_least": None}, "votes on every rating"),
        ({"at_least": 0.5, "at_most": 0.1}, "no value is at least 0.5 and at most 0.1"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(fields, said):
    with pytest.raises(ConfigurationError, match=said) as failure:
        all_functions(declared(**fields), signals=KNOWN)
    assert "[labelling_functions.mine]" in str(failure.value)


def test_outcomes_and_home_grown_feedback_may_be_read_by_any_name():
    for signal in ("outcome.reopened", "feedback.helpfulness", "rating.*"):
        assert all_functions(declared(signal=signal), signals=KNOWN)["mine"].signal == signal


def test_a_dimension_without_functions_is_refused_with_those_that_have_some():
    with pytest.raises(ConfigurationError, match="'polite'; there are: good"):
        of_dimension(FUNCTIONS.values(), "polite")
    many = [LabellingFunction(name=f"f{place}", signal="rating", votes="good", at_least=0.0) for place in range(63)]
    with pytest.raises(ConfigurationError, match="at most 62"):
        of_dimension(many, "good")


def test_the_hash_changes_with_any_threshold():
    functions = of_dimension(FUNCTIONS.values(), "good")
    other = of_dimension(all_functions({"rated_high": declared()["mine"]}).values(), "good")
    assert hash_of(functions) == hash_of(list(functions)) != hash_of(other)

"""Votes and truth from CSV files as others write them."""

import pytest

from penstock.errors import BadInputError
from penstock.labels.vote_file import read_truth, read_votes, write_posteriors
from penstock.statistics.label_model import fit_label_model


def written(tmp_path, text, name="votes.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_items_and_answers_keep_their_names(tmp_path):
    file = read_votes(written(tmp_path, "item,worker,label\nb,ann,yes\na,ann,no\nb,bob,yes\na,bob,\n"))
    assert (file.items, file.annotators, file.answers) == (["a", "b"], ["ann", "bob"], ["no", "yes"])
    assert file.votes.item.tolist() == [1, 0, 1]
    assert file.votes.answer.tolist() == [1, 0, 1]


def test_numbers_are_in_the_order_of_their_size(tmp_path):
    assert read_votes(written(tmp_path, "item,worker,label\n10,0,2\n9,0,10\n")).items == ["9", "10"]


@pytest.mark.parametrize("header", ["question,worker,answer", "a,b,c", "\ufeffitem,annotator,answer"])
def test_columns_are_found_by_name_or_else_are_the_first_three(tmp_path, header):
    assert read_votes(written(tmp_path, f"{header}\nq,w,x\nq,v,y\n")).annotators == ["v", "w"]


def test_columns_in_another_order_are_found(tmp_path):
    file = read_votes(written(tmp_path, "answer,seconds,worker,item\nx,3,w,q\ny,4,v,q\n"))
    assert (file.items, file.annotators, file.answers) == (["q"], ["v", "w"], ["x", "y"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 columns"),
        ("item,label\na,b\n", "2 columns"),
        ("item,worker,label\n", "no vote"),
        ("item,worker,label\na,b\n", "row 2"),
    ],
)
def test_what_is_no_file_of_votes_is_refused(tmp_path, text, said):
    with pytest.raises(BadInputError, match=said):
        read_votes(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="cannot be read"):
        read_votes(tmp_path / "nowhere.csv")


def test_truth_is_matched_by_the_items_name(tmp_path):
    votes = read_votes(written(tmp_path, "item,worker,label\na,x,no\nb,x,yes\nc,x,yes\n"))
    assert read_truth(written(tmp_path, "item,truth\nc,no\na,no\nz,yes\n", "truth.csv"), votes).tolist() == [0, -1, 0]
    with pytest.raises(BadInputError, match="'maybe'"):
        read_truth(written(tmp_path, "item,truth\na,maybe\n", "truth.csv"), votes)
    with pytest.raises(BadInputError, match="none of the 3 items"):
        read_truth(written(tmp_path, "item,truth\nz,no\n", "truth.csv"), votes)


def test_posteriors_are_written_by_item(tmp_path):
    votes = read_votes(written(tmp_path, "item,worker,label\na,x,no\na,y,no\nb,x,yes\nb,y,yes\na,z,no\nb,z,no\n"))
    write_posteriors(tmp_path / "out.csv", votes, fit_label_model(votes.votes))
    header, first, second = (tmp_path / "out.csv").read_text().splitlines()
    assert header == "item,answer,p_no,p_yes"
    assert first.startswith("a,no,") and second.startswith("b,yes,")

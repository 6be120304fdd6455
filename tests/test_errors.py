import inspect
import re

from penstock import errors


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    defined = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    drawn = re.findall(r"^(│ {3})?(?:[├└]── )?([A-Z]\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    assert {name for _, name in drawn} == set(defined)
    for indent, name in drawn[1:]:
        parent = errors.StorageError if indent else errors.PenstockError
        assert defined[name].__bases__ == (parent,)


def test_every_error_says_in_one_sentence_what_it_stands_for() -> None:
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    assert [error.__name__ for error in classes if not (error.__doc__ or "").endswith(".")] == []

"""Lists and objects that a convention spread over many attributes (`llm.input_messages.0.message.role`), put together again."""

from collections.abc import Iterable
from typing import Any

_MOST_STEPS = 16


class _Node(dict[str, Any]):
    """A step on the way; a value that is an object itself is none."""


def take(attributes: dict[str, Any], prefixes: Iterable[str]) -> dict[str, Any]:
    """Take all attributes below these prefixes out, and give what each prefix holds: lists where the steps are numbers."""
    wanted = tuple(f"{prefix}." for prefix in prefixes)
    roots: dict[str, _Node] = {}
    for name in [name for name in attributes if name.startswith(wanted)]:
        prefix = next(prefix for prefix in wanted if name.startswith(prefix))
        _put(roots.setdefault(prefix[:-1], _Node()), name[len(prefix) :], attributes.pop(name))
    return {prefix: _listed(tree) for prefix, tree in roots.items()}


def _put(tree: _Node, path: str, value: Any) -> None:
    *steps, last = path.split(".", _MOST_STEPS)
    for step in steps:
        below = tree.get(step)
        if not isinstance(below, _Node):
            # A value where others say that there is an object: it goes below it, under no name.
            below = tree[step] = _Node() if below is None else _Node({"": below})
        tree = below
    if isinstance(tree.get(last), _Node):
        tree[last].setdefault("", value)
    else:
        tree[last] = value


def _listed(tree: Any) -> Any:
    """Objects whose every key is a number are lists; gaps close up."""
    if not isinstance(tree, _Node):
        return tree
    if tree and all(_is_index(key) for key in tree):
        return [_listed(tree[key]) for key in sorted(tree, key=int)]
    return {key: _listed(value) for key, value in tree.items()}


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 10

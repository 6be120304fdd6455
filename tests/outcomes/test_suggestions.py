"""The lines that count as suggested."""

import json

import pytest

from penstock.lake.lake import Lake
from penstock.outcomes.suggestions import find_suggestions, normalise, suggested_lines
from penstock.settings import LakeSettings
from tests.rows import make_interaction

ANSWER = """Do this:

```python
def add(a, b):
    return a + b
}
```

and `inline` code, then

~~~
x  =   1
~~~
"""


def test_lines_of_fenced_blocks_count_and_the_prose_around_them_does_not():
    assert suggested_lines(ANSWER, None) == ("def add(a, b):", "return a + b", "x = 1")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("````md\n```\nnested = 1\n```\n````\nprose", ("nested = 1",)),
        ("```py\ncut off = 1", ("cut off = 1",)),
        ("  ```\n  a = 1\n  ```", ("a = 1",)),
        ("```a``` is inline", ()),
        ("- so:\n    ```\n    in_a_list = 1\n    ```\n  or so", ("in_a_list = 1",)),
        ("> ```\n> quoted = 1\n> ```\nprose", ("quoted = 1",)),
        ("```diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old = 1\n+new = 1\n context = 1\n```", ("new = 1",)),
        ("```\n}\n);\n\n   \n```", ()),
        ("```\nsend('[EMAIL_12]')\nsend(b)\n```", ("send(b)",)),
        ("", ()),
    ],
)
def test_fences_as_models_write_them(text, lines):
    assert suggested_lines(text, None) == lines


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ({"path": "a.py", "content": "a = 1\nb = 2\n"}, ("a = 1", "b = 2")),
        (json.dumps({"new_string": "c = 3", "old_string": "d = 4"}), ("c = 3",)),
        ({"edits": [{"new_text": "e = 5"}, {"new_text": "f = 6"}]}, ("f = 6", "e = 5")),
        ({"patch": "*** Begin\n@@\n-g = 7\n+g = 8\n h = 9"}, ("g = 8",)),
        ({"command": "rm -rf /"}, ()),
        ("no json", ()),
        (None, ()),
    ],
)
def test_what_tools_were_to_write_counts(arguments, lines):
    assert set(suggested_lines(None, json.dumps([{"name": "edit", "arguments": arguments}]))) == set(lines)


@pytest.mark.parametrize("calls", ["{", "1", "[1, null, []]", "[" * 20_000 + "]" * 20_000])
def test_tool_calls_that_cannot_be_read_suggest_nothing(calls):
    assert suggested_lines(None, calls) == ()


def test_white_space_is_no_difference():
    assert normalise("\tif  x :\r") == "if x :"


def test_they_are_found_by_the_id_as_it_is_stored_and_by_a_key(home):
    lake = Lake(home / "lake", LakeSettings())
    lake.create()
    rows = [
        make_interaction(1, request_id="q_hash", response_text=ANSWER),
        make_interaction(2, request_id="q_2", response_text="no code"),
        make_interaction(3, request_id="q_3", response_text=None),
        make_interaction(4, request_id="q_4", response_text=ANSWER, keys={"commit": "abc"}),
    ]
    lake.append("interactions", rows)
    shared = [make_interaction(number, request_id="q_5", response_text=ANSWER) for number in (5, 6)]
    lake.append("interactions", shared)
    several = find_suggestions(lake, {"q_5": "q_5"})["q_5"]
    assert {one.target["trace_id"] for one in several} == {row.trace_id for row in shared}, "a request that is no one's name"
    found = find_suggestions(lake, {"jane@example.com": "q_hash", "q_2": "q_2", "q_3": "q_3", "none": "none"})
    assert {name: [one.reason for one in some] for name, some in found.items()} == {
        "jane@example.com": [None],
        "q_2": ["the answer suggests no code"],
        "q_3": ["the answer was not kept"],
    }
    assert found["jane@example.com"][0].target == {"request_id": "jane@example.com"}
    (by_key,) = find_suggestions(lake, {}, "commit", {"full": "abc"})["full"]
    assert by_key.target == {"trace_id": rows[3].trace_id, "span_id": rows[3].span_id}

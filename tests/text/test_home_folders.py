"""Of a path in a stack trace only the person's name is found."""

import pytest

from penstock.text.home_folders import HomeFolders
from tests.text.detected import detected

FOLDERS = HomeFolders()


@pytest.mark.parametrize(
    "text",
    [
        'File "/home/jdoe/app/main.py", line 3',
        "at C:\\Users\\jdoe\\x.js:1:2",
        '"C:\\\\Users\\\\jdoe\\\\x"',
        "file:///Users/jdoe/x",
    ],
)
def test_the_name_of_a_person_is_found(text: str) -> None:
    assert detected(FOLDERS, text) == [("jdoe", "username")]


@pytest.mark.parametrize(
    "text", ["/home/ubuntu/app", "/Users/Shared/x", "/home/app", "https://example.com/home/news/x", "/home//x"]
)
def test_folders_of_services_and_pages_are_left_alone(text: str) -> None:
    assert detected(FOLDERS, text) == []

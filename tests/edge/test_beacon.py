"""The script for web pages, as it is served; what it does is seen in test_beacon_in_browser.py."""

from pathlib import Path

import httpx
import pytest

from penstock.edge import beacon
from penstock.edge.beacon import squeeze
from penstock.records.access import Scope
from penstock.registry.registry import Registry

SOURCE = Path(beacon.__file__).with_name("beacon.js").read_text(encoding="utf-8")


def test_it_is_small_public_and_cacheable(edge: str, registry: Registry) -> None:
    registry.keys.create("so that the edge is closed", {Scope.ADMIN})
    answer = httpx.get(f"{edge}/beacon.js", headers={"origin": "https://anywhere.example"})
    assert answer.status_code == 200
    assert len(answer.content) < 4000 and "content-encoding" not in answer.headers
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_copy_that_is_still_right_is_not_sent_again(edge: str) -> None:
    etag = httpx.get(f"{edge}/beacon.js").headers["etag"]
    again = httpx.get(f"{edge}/beacon.js", headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert httpx.get(f"{edge}/beacon.js", headers={"if-none-match": '"older"'}).status_code == 200
    assert httpx.head(f"{edge}/beacon.js").status_code == 200


def test_it_stays_within_what_can_be_squeezed() -> None:
    code = "\n".join(line.partition("//")[0] for line in SOURCE.splitlines())
    assert "`" not in code and "'" not in code and "\\" not in code
    assert squeeze(squeeze(SOURCE)) == squeeze(SOURCE)


@pytest.mark.parametrize(
    ("written", "served"),
    [
        ("const a = 1; // one\nlet b;", "const a=1;let b;"),
        ('say("a  // b");', 'say("a  // b");'),
        ("page + ++number", "page+ ++number"),
        ("if (a) {\n  return b;\n}\n", "if(a){return b}"),
        ('"a" in b', '"a"in b'),
    ],
)
def test_white_space_goes_where_nothing_depends_on_it(written: str, served: str) -> None:
    assert squeeze(written) == served

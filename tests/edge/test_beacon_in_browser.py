"""The beacon in a real Chromium, on a page of another origin than the edge: what a reader does is what the edge is told.

The page's clock is the tests': three seconds or a minute pass when a test says so.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page

from penstock.assembly import build_edge_services
from penstock.edge.application import build_edge_app
from penstock.errors import StorageError
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.lake.lake import Lake
from penstock.records.access import Scope
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from penstock.records.ids import digest
from penstock.registry.registry import Registry
from penstock.settings import LakeSettings, Settings
from penstock.signals.run import run_signals
from tests.browser import PageServer, running_chromium, serving_pages
from tests.edge.live_server import serve, wait_for
from tests.edge.recording_door import RecordingDoor

ANSWER = "Cats sleep for most of the day."
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def pages() -> Iterator[PageServer]:
    with serving_pages() as server:
        yield server


@pytest.fixture
def page_settings(settings: Settings, pages: PageServer) -> Settings:
    return msgspec.structs.replace(settings, edge=msgspec.structs.replace(settings.edge, browser_origins=[pages.origin]))


@pytest.fixture
def page_edge(door: RecordingDoor, registry: Registry, page_settings: Settings) -> Iterator[str]:
    """An edge to which the pages may send."""
    with serve(build_edge_app(door, registry, page_settings)) as url:
        yield url


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 800, "height": 600}) as context:
        page = context.new_page()
        page.clock.install(time=NOON - timedelta(minutes=1))  # it runs until it is paused, and never goes back
        page.clock.pause_at(NOON)
        yield page


class Reader:
    """Someone who has a page open."""

    def __init__(self, page: Page, pages: PageServer, edge: str, door: RecordingDoor) -> None:
        self.page = page
        self._pages = pages
        self._edge = edge
        self._door = door

    def open(self, body: str, *, key: str = "", origin: str = "") -> None:
        attributes = f' data-key="{key}"' if key else ""
        self.open_page(f'<script src="{self._edge}/beacon.js"{attributes}></script><body>{body}</body>', origin)

    def open_page(self, html: str, origin: str = "") -> None:
        self._pages.html = f'<!doctype html><meta charset="utf-8">{html}'
        self.page.goto(origin or self._pages.origin)
        self.look()

    def look(self) -> None:
        """Let the beacon find what is tagged: it looks, the browser tells what is in view, it looks again."""
        self.page.clock.run_for(500)
        self.see()
        self.page.clock.run_for(500)

    def see(self) -> None:
        """Let the browser draw the page as it is now and tell what is in view."""
        self.page.evaluate(
            "() => new Promise((done) => new IntersectionObserver((_, own) => done(own.disconnect())).observe(document.body))"
        )

    def reports(self, count: int) -> list[Feedback]:
        """What the edge has been told, once it is so much."""
        self.page.evaluate("penstock.flush()")
        found: list[Feedback] = wait_for(lambda: len(self._door.feedback) >= count and self._door.feedback)
        assert len(found) == count, [report.name for report in found]
        return found

    def seconds_until(self, condition: Callable[[], Any]) -> float:
        """How much of the page's time passes until something is so."""
        passed_ms = 0
        while not condition():
            assert passed_ms < 120_000, "waited in vain"
            self.page.clock.run_for(100)
            passed_ms += 100
        return passed_ms / 1000

    def leave(self) -> None:
        self.page.goto("about:blank")

    def hide(self, hidden: bool) -> None:
        """Put the page behind another tab, or bring it back; a browser without a window shows all of its tabs."""
        self.page.evaluate(
            "(hidden) => { Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });"
            " document.dispatchEvent(new Event('visibilitychange')); }",
            hidden,
        )

    def told(self) -> dict[str, list[float | None]]:
        """The values that the edge has been told so far, by what they are."""
        self.page.evaluate("penstock.flush()")
        found: dict[str, list[float | None]] = {}
        for report in self._door.feedback:
            found.setdefault(f"{report.target_id} {report.name}", []).append(report.value)
        return found


@pytest.fixture
def reader(page: Page, pages: PageServer, page_edge: str, door: RecordingDoor) -> Reader:
    return Reader(page, pages, page_edge, door)


def select(page: Page, start: str, start_offset: int, end: str, end_offset: int) -> None:
    """Select from a place in the text of one element to a place in that of another."""
    page.evaluate(
        "([start, from, end, to]) => getSelection().setBaseAndExtent("
        "document.querySelector(start).firstChild, from, document.querySelector(end).firstChild, to)",
        [start, start_offset, end, end_offset],
    )


def test_a_copied_part_is_told_by_its_length_and_share(reader: Reader) -> None:
    reader.open(f'<p id="a" data-penstock="r1">{ANSWER}</p>')
    select(reader.page, "#a", 0, "#a", 10)
    reader.page.keyboard.press("Control+c")
    report = reader.reports(1)[0]
    assert (report.target_kind, report.target_id, report.name, report.value) == ("request", "r1", "copy", 1.0)
    assert (report.text, report.source, report.occurred_at) == (None, "browser", NOON + timedelta(seconds=1))
    assert report.metadata["characters"] == "10"
    assert float(report.metadata["share"]) == pytest.approx(10 / len(ANSWER))


def test_of_a_selection_over_several_answers_each_is_told_its_part_and_the_text_where_it_is_asked_for(reader: Reader) -> None:
    reader.open(
        '<p id="a" data-penstock="r1" data-penstock-text="copy">First answer</p><p>Between</p>'
        '<p id="b" data-penstock="r2">Second answer</p><p id="c" data-penstock="r3">Third</p>'
    )
    select(reader.page, "#a", 6, "#b", 6)
    reader.page.keyboard.press("Control+c")
    found = {report.target_id: report for report in reader.reports(2)}
    assert (found["r1"].text, found["r2"].text) == ("answer", None)
    assert [found[name].metadata["characters"] for name in ("r1", "r2")] == ["6", "6"]


def test_what_is_copied_out_of_a_text_field_counts_too_and_only_of_that_one(reader: Reader) -> None:
    reader.open(f'<textarea id="a" data-penstock="r1">{ANSWER}</textarea><textarea id="b" data-penstock="r2">Other</textarea>')
    for name in ("b", "a"):
        reader.page.evaluate("(id) => { const f = document.getElementById(id); f.focus(); f.setSelectionRange(0, 4); }", name)
    reader.page.keyboard.press("Control+c")
    report = reader.reports(1)[0]
    assert (report.target_id, report.name, report.metadata["characters"]) == ("r1", "copy", "4")


def test_an_item_of_a_list_is_an_answer_like_any_other(reader: Reader) -> None:
    reader.open('<ul><li id="a" contenteditable data-penstock="r1">Some words</li></ul>')
    select(reader.page, "#a", 0, "#a", 5)
    reader.page.keyboard.press("Control+c")
    reader.page.locator("#a").fill("Some more words")
    reader.page.locator("#a").blur()
    copied, edited = reader.reports(2)
    assert (copied.name, float(copied.metadata["share"])) == ("copy", 0.5)
    assert (edited.name, edited.value) == ("edited", 1.0)


def test_an_edit_is_told_when_the_field_is_left_with_the_share_kept_and_no_text(reader: Reader) -> None:
    reader.open('<textarea id="a" data-penstock="r1">one two three four</textarea><input id="elsewhere">')
    reader.page.locator("#a").fill("one 2 three four")
    reader.page.locator("#elsewhere").focus()
    report = reader.reports(1)[0]
    assert (report.name, report.text) == ("edited", None)
    assert report.value == pytest.approx((len("one ") + len(" three four")) / len("one two three four"))


def test_the_final_text_is_told_where_the_element_says_so(reader: Reader) -> None:
    reader.open('<div id="a" contenteditable data-penstock="r1" data-penstock-text="edit">Dear Sir</div><input id="elsewhere">')
    reader.page.locator("#a").press("End")
    reader.page.keyboard.type(" or Madam ☂")
    reader.page.locator("#elsewhere").focus()
    report = reader.reports(1)[0]
    assert (report.name, report.text, report.value) == ("edited", "Dear Sir or Madam ☂", 1.0)


def test_only_what_a_person_changed_in_an_answer_is_an_edit(reader: Reader) -> None:
    reader.open(
        '<div data-penstock="r1">Answer <textarea id="comment">so</textarea></div>'
        '<textarea id="a" data-penstock="r2">Same</textarea><textarea id="b" data-penstock="r3">Kept</textarea>'
        '<textarea id="c" data-penstock="r4">Sent off</textarea>'
    )
    reader.page.locator("#comment").fill("so it is")  # within an answer, and no answer
    reader.page.locator("#a").press("x")
    reader.page.locator("#a").press("Backspace")  # and taken back
    reader.page.evaluate("document.getElementById('b').value = 'by the page itself'")
    reader.page.locator("#c").press("!")
    reader.page.evaluate("document.getElementById('c').value = ''")  # as a page does with what was sent
    reader.page.locator("#comment").focus()
    report = reader.reports(1)[0]
    assert (report.target_id, report.value) == ("r4", 1.0)


def test_a_field_that_holds_another_answer_now_is_about_that_one(reader: Reader) -> None:
    reader.open('<textarea id="a" data-penstock="r1">first</textarea>')
    field = reader.page.locator("#a")
    field.fill("first one")
    field.blur()
    reader.page.evaluate("Object.assign(document.getElementById('a'), { value: 'second' }).dataset.penstock = 'r2'")
    field.fill("sec")
    field.blur()
    assert [(report.target_id, report.value) for report in reader.reports(2)] == [("r1", 1.0), ("r2", 0.5)]


def test_buttons_tell_what_they_say_even_where_the_page_takes_them_away(reader: Reader) -> None:
    reader.open(
        '<p data-penstock="r1">Answer <button id="yes" data-penstock-report="accepted"><b>Take</b></button></p>'
        '<button id="no" data-penstock-report="rejected" data-penstock-for="r2">No</button>'
        '<button id="stray" data-penstock-report="accepted">For no answer</button>'
        "<script>document.getElementById('yes').onclick = (click) => { click.stopPropagation();"
        " click.currentTarget.parentNode.replaceWith('Taken'); }</script>"
    )
    for name in ("#yes b", "#no", "#stray"):
        reader.page.locator(name).click()
    assert [(report.target_id, report.name, report.value) for report in reader.reports(2)] == [
        ("r1", "accepted", 1.0),
        ("r2", "rejected", 0.0),
    ]


def test_the_page_that_the_documentation_shows_works(reader: Reader, page_edge: str, registry: Registry) -> None:
    text = (Path(__file__).parents[2] / "docs" / "beacon.md").read_text(encoding="utf-8")
    example = text.split("```html\n")[1].split("```")[0]
    key = registry.keys.create("page", {Scope.BROWSER})
    reader.open_page(example.replace("http://127.0.0.1:4318", page_edge).replace("pk_...", key))
    for button in reader.page.locator("button").all():
        button.click()
    reader.page.locator("textarea").fill("Dear customer, your parcel is here.")
    reader.page.locator("textarea").blur()
    accepted, rejected, edited = reader.reports(3)
    assert (accepted.name, rejected.name, edited.name) == ("accepted", "rejected", "edited")
    assert (accepted.target_id, edited.target_id, edited.text) == ("r_4c1f", "r_77b2", "Dear customer, your parcel is here.")


def test_a_page_may_report_for_itself(reader: Reader) -> None:
    reader.open("<p>An editor</p>")
    reader.page.evaluate("penstock.report('r1', 'accepted', { value: 1, metadata: { by: 'Tab' } })")
    report = reader.reports(1)[0]
    assert (report.target_id, report.name, report.metadata) == ("r1", "accepted", {"by": "Tab"})


def test_reports_go_together_after_a_short_while(reader: Reader, door: RecordingDoor) -> None:
    reader.open('<button data-penstock-for="r1" data-penstock-report="accepted">Take</button>')
    for _ in range(3):
        reader.page.locator("button").click()
    reader.page.clock.run_for(2900)
    assert door.feedback == []
    reader.page.clock.run_for(200)
    found = wait_for(lambda: door.feedback)
    assert len(found) == len({report.feedback_id for report in found}) == 3
    assert len({report.known_at for report in found}) == 1  # one request


def test_dwell_counts_only_what_was_in_view_of_a_visible_page(reader: Reader, door: RecordingDoor) -> None:
    reader.open('<p data-penstock="r1">Above</p><div style="height: 3000px"></div><p data-penstock="r2">Far below</p>')
    reader.page.clock.run_for(9_500)
    reader.hide(True)
    reader.page.clock.run_for(60_000)
    assert wait_for(lambda: reader.told() == {"r1 dwell": [10.0], "r1 left": [1.0]})
    reader.hide(False)
    reader.page.clock.run_for(2_000)
    reader.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    reader.see()
    reader.page.clock.run_for(5_000)
    reader.leave()
    wait_for(lambda: len(door.feedback) == 6)
    dwells = [report for report in door.feedback if report.name == "dwell"]
    assert {report.target_id: report.value for report in dwells} == {"r1": 12.0, "r2": 5.0}
    assert len({report.feedback_id for report in dwells if report.target_id == "r1"}) == 1  # it amends itself
    assert [(report.target_id, report.value) for report in door.feedback if report.name == "left"] == [
        ("r1", 1.0),
        ("r1", 0.0),
        ("r2", 1.0),
    ]


def test_a_dwell_that_has_not_grown_is_not_told_again(reader: Reader, door: RecordingDoor) -> None:
    reader.open('<p id="a" data-penstock="r1">First</p>')
    reader.hide(True)
    wait_for(lambda: len(door.feedback) == 2)
    reader.hide(False)
    reader.hide(True)
    wait_for(lambda: len(door.feedback) == 4)
    assert [report.name for report in door.feedback] == ["left", "dwell", "left", "left"]


def test_what_waits_when_the_page_goes_away_is_sent_even_for_the_first_time(
    reader: Reader, door: RecordingDoor, registry: Registry
) -> None:
    reader.open(
        '<p data-penstock="r1">Answer</p><textarea id="a" data-penstock="r2">draft</textarea>',
        key=registry.keys.create("page", {Scope.BROWSER}),
    )
    reader.page.locator("#a").fill("draft, and more")
    reader.page.close()
    wait_for(lambda: len(door.feedback) == 5)
    assert {(report.target_id, report.name) for report in door.feedback} == {
        ("r1", "dwell"), ("r1", "left"), ("r2", "dwell"), ("r2", "left"), ("r2", "edited"),
    }  # fmt: skip


def test_answers_may_come_go_and_be_drawn_anew(reader: Reader) -> None:
    reader.open('<main><p data-penstock="r1">Answer</p></main>')
    draw = "(html) => { document.querySelector('main').innerHTML = html; }"
    reader.page.evaluate(draw, '<p data-penstock="r1">Answer, drawn anew</p>')
    reader.look()
    assert reader.told() == {}
    reader.page.evaluate(draw, '<p data-penstock="r2">The next page</p>')
    reader.look()
    assert wait_for(lambda: reader.told() == {"r1 left": [1.0]})
    reader.page.evaluate(draw, "")
    reader.look()
    assert wait_for(lambda: reader.told() == {"r1 left": [1.0], "r2 left": [1.0]})


def test_what_the_edge_could_not_take_goes_again_once_it_may(reader: Reader, door: RecordingDoor) -> None:
    reader.open('<button data-penstock-for="r1" data-penstock-report="accepted">Take</button>')
    door.failure, door.fails_once = StorageError("The disk is full."), True
    with reader.page.expect_response(lambda response: response.status == 503):
        reader.page.locator("button").click()
        reader.page.evaluate("penstock.flush()")
    assert 2.0 <= reader.seconds_until(lambda: door.feedback) < 9.0  # as Retry-After says; by itself it would wait for ten
    assert [report.target_id for report in door.feedback] == ["r1"]


def test_while_the_edge_cannot_be_reached_reports_wait(reader: Reader, door: RecordingDoor) -> None:
    reader.open('<button data-penstock-for="r1" data-penstock-report="accepted">Take</button>')
    reader.page.context.set_offline(True)
    with reader.page.expect_event("requestfailed"):
        reader.page.locator("button").click()
        reader.page.evaluate("penstock.flush()")
    reader.page.locator("button").click()
    reader.page.context.set_offline(False)
    assert reader.seconds_until(lambda: len(door.feedback) == 2) >= 10.0
    first, second = door.feedback
    assert first.feedback_id != second.feedback_id and first.known_at == second.known_at


def test_a_text_that_is_too_long_is_left_out_and_its_share_is_not(reader: Reader) -> None:
    reader.open('<textarea id="a" data-penstock="r1" data-penstock-text="edit">ab</textarea>')
    field = reader.page.locator("#a")
    field.fill("a" + "b" * 20_000)
    field.blur()
    report = reader.reports(1)[0]
    assert (report.text, report.value) == (None, 1.0)


def test_the_longest_text_in_any_script_still_goes_with_the_page(reader: Reader, door: RecordingDoor) -> None:
    reader.open('<textarea id="a" data-penstock="r1" data-penstock-text="edit">猫</textarea>')
    reader.page.locator("#a").fill("猫" * 20_000)
    reader.leave()
    found = {report.name: report for report in wait_for(lambda: len(door.feedback) == 3 and door.feedback)}
    assert len(found["edited"].text or "") == 20_000


def refused(reader: Reader, key: str = "", origin: str = "") -> str:
    """What the browser's console says when a page reports that may not."""
    reader.open('<button data-penstock-for="r1" data-penstock-report="accepted">Take</button>', key=key, origin=origin)
    with reader.page.expect_console_message(lambda message: message.type in ("warning", "error")) as said:
        reader.page.locator("button").click()
        reader.page.evaluate("penstock.flush()")
    reader.page.clock.run_for(5_000)
    return said.value.text


def test_a_page_of_another_origin_gets_nothing_in(reader: Reader, pages: PageServer, door: RecordingDoor) -> None:
    assert "CORS" in refused(reader, origin=pages.other_origin)
    assert door.feedback == []


def test_a_key_that_opens_more_than_feedback_opens_nothing_from_a_page(
    reader: Reader, registry: Registry, door: RecordingDoor
) -> None:
    failed: list[str] = []
    reader.page.on("response", lambda response: failed.append(response.url) if response.status == 403 else None)
    refused(reader, key=registry.keys.create("too much", {Scope.FEEDBACK, Scope.INGEST}))
    assert door.feedback == []
    assert len(failed) == 1  # and the beacon does not try again


def test_what_a_reader_does_becomes_signals_of_the_interaction(page: Page, pages: PageServer, page_settings: Settings) -> None:
    def rows(table: str) -> list[Any]:
        lake.create()
        return list(lake.to_records(table, lake.current(table)))

    lake, clock = Lake(page_settings.home_path / "lake", LakeSettings()), WriterClock()
    lake.create()
    edge = msgspec.structs.replace(page_settings.edge, flush_interval_s=0.05)
    services = build_edge_services(msgspec.structs.replace(page_settings, edge=edge), 0)
    try:
        with serve(build_edge_app(services.door, services.registry, page_settings)) as url:
            for name in ("r1", "r2", "r3"):
                httpx.post(f"{url}/v1/traces", json=one_call(name)).raise_for_status()
            reader = Reader(page, pages, url, RecordingDoor())
            reader.open(
                f'<p id="a" data-penstock="r1">{ANSWER}</p><textarea id="b" data-penstock="r2" data-penstock-text="edit">{ANSWER}'
                '</textarea><button id="yes" data-penstock-for="r1" data-penstock-report="accepted">Yes</button>'
                '<button id="no" data-penstock-for="r3" data-penstock-report="rejected">No</button>'
            )
            select(page, "#a", 0, "#a", 4)
            page.keyboard.press("Control+c")
            page.locator("#b").fill(ANSWER.replace("Cats", "Dogs"))
            page.locator("#yes").click()
            page.locator("#no").click()
            page.clock.run_for(3_500)
            reader.leave()
            wait_for(lambda: len(rows("spans")) == 3 and len(rows("feedback")) == 8)
    finally:
        services.close(10.0)
    settle_interactions(lake, clock)
    settle_feedback(lake, clock, 24)
    run_signals(lake, clock)
    requests = {row.interaction_id: row.request_id for row in rows("interactions")}
    found = {(requests[row.interaction_id], row.name): row for row in rows("signals")}
    assert {name: round(row.value, 3) for name, row in found.items()} == {
        ("r1", "copy"): 1.0,
        ("r1", "acceptance"): 1.0,
        ("r1", "dwell"): 4.0,
        ("r1", "feedback.left"): 1.0,
        ("r2", "acceptance"): pytest.approx(1 - 3 / len(ANSWER), abs=0.05),
        ("r2", "edit"): pytest.approx(4 / len(ANSWER), abs=0.05),
        ("r2", "dwell"): 4.0,
        ("r2", "feedback.left"): 1.0,
        ("r3", "acceptance"): 0.0,
    }
    assert found["r2", "edit"].text == ANSWER.replace("Cats", "Dogs")


def one_call(request_id: str) -> dict[str, Any]:
    """A call that was answered with ANSWER, as OTLP."""
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]
    texts = {
        "gen_ai.operation.name": "chat",
        "penstock.request.id": request_id,
        "gen_ai.output.messages": json.dumps(answer),
    }
    span = {
        "traceId": digest(request_id)[:32],
        "spanId": digest(request_id)[:16],
        "name": "chat m",
        "startTimeUnixNano": str(10**18),
        "endTimeUnixNano": str(10**18 + 1),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in texts.items()],
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}

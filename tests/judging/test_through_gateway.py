"""A judge behind our own gateway: what it is asked is captured as the judge's, and never counts as the users'."""

from collections.abc import Iterator

import pytest

from penstock.judging.judge import Judge
from penstock.judging.question import Question
from penstock.settings import JudgeSettings
from tests.edge.conftest import door, gateway, gateway_settings  # noqa: F401  fixtures
from tests.edge.live_server import wait_for
from tests.edge.recording_door import RecordingDoor
from tests.edge.upstream import ScriptedUpstream
from tests.judging.scripted_judge import running_judge


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with running_judge() as running:
        yield running


def test_questions_through_the_gateway_are_captured_with_the_exposure_judge(gateway: str, door: RecordingDoor) -> None:  # noqa: F811
    settings = JudgeSettings(model="judge", base_url=f"{gateway}/v1")
    judge = Judge(model="judge", base_url=settings.base_url, api_key=None, settings=settings)
    assert judge.ask([[Question(text="Is it wrong?", about=(("message", "no"),))]])[0][0].is_yes is True
    wait_for(lambda: door.spans)
    assert [(span.exposure, span.application) for span in door.spans] == [("judge", "penstock-judge")]

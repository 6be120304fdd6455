"""Webhooks as they are set: ready mappings, secrets, and what is refused before anything is served."""

import msgspec
import pytest

from penstock.errors import ConfigurationError
from penstock.outcome_settings import WebhookRule, WebhookSettings
from penstock.outcomes.webhook_mapping import map_events
from penstock.outcomes.webhooks import load_webhooks, read_ready
from tests.outcomes.hooks import NOW, resolved_rule


def load(**said):
    return load_webhooks({"desk": WebhookSettings(**said)}, {"HOOK": "s"})["desk"]


def test_every_ready_mapping_can_be_loaded():
    for name in read_ready():
        assert load(ready=name, secret_env="HOOK").settings.feedback


def test_what_is_said_beside_a_ready_mapping_holds_instead():
    hook = load(ready="zendesk", max_age_s=60.0, feedback=[resolved_rule()])
    assert hook.settings.signature_header == "X-Zendesk-Webhook-Signature"
    assert (hook.settings.max_age_s, hook.settings.feedback) == (60.0, [resolved_rule()])


def test_the_secret_is_read_from_the_environment():
    assert load(ready="github", secret_env="HOOK").secret == b"s"
    assert load(ready="github").secret is None
    with pytest.raises(ConfigurationError, match="NO_SUCH, which is not set"):
        load(ready="github", secret_env="NO_SUCH")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"ready": "gihub"}, "Did you mean 'github'"),
        ({}, "says nothing of what its events report"),
        ({"feedback": [resolved_rule(key="")]}, "`key` names the business key"),
        ({"feedback": [resolved_rule(target="session")]}, "`key` names the business key"),
        ({"feedback": [resolved_rule(value=1.0)]}, "both `value` and `value_path`"),
        ({"feedback": [resolved_rule(value_path="")]}, "`values` and no `value_path`"),
        ({"feedback": [resolved_rule(value_path="", values={})]}, "neither `value`, `value_path` nor `text`"),
    ],
)
def test_what_cannot_work_is_refused(said, message):
    with pytest.raises(ConfigurationError, match=message):
        load(**said)


def github(event, content):
    return map_events("ci", read_ready()["github"].feedback, [content], {"x-github-event": event}, NOW)


def check_run(conclusion):
    run = {"id": 128620228, "name": "lint", "head_sha": "ec26", "conclusion": conclusion, "completed_at": "2026-02-15T15:21:12Z"}
    return {"action": "completed", "check_run": run}


@pytest.mark.parametrize(("conclusion", "value"), [("success", 1.0), ("failure", 0.0), ("timed_out", 0.0)])
def test_a_check_that_ended_is_an_outcome_of_its_commit(conclusion, value):
    (report,) = github("check_run", check_run(conclusion)).feedback
    assert (report.name, report.target_key, report.target_id, report.value) == ("outcome.check.lint", "commit", "ec26", value)


@pytest.mark.parametrize("conclusion", ["neutral", "cancelled", "skipped", "action_required", "stale", None])
def test_a_check_that_decides_nothing_reports_nothing(conclusion):
    assert github("check_run", check_run(conclusion)).feedback == []


def test_a_check_that_is_not_done_reports_nothing():
    assert github("check_run", {**check_run("success"), "action": "created"}).feedback == []
    assert github("push", check_run("success")).feedback == []


def test_each_attempt_of_a_workflow_is_a_report_of_its_own():
    run = {
        "id": 7,
        "name": "",
        "run_attempt": 1,
        "head_sha": "ab",
        "conclusion": "failure",
        "updated_at": "2026-02-01T10:00:00Z",
    }
    again = {**run, "run_attempt": 2, "conclusion": "success", "updated_at": "2026-02-01T11:00:00Z"}
    event = {"action": "completed", "workflow": {"name": "CI"}}
    first, second = (github("workflow_run", {**event, "workflow_run": one}).feedback[0] for one in (run, again))
    assert first.feedback_id != second.feedback_id
    assert (first.name, first.value, second.value) == ("outcome.workflow.CI", 0.0, 1.0)


def test_a_pull_request_that_is_closed_was_merged_or_not():
    def closed(merged):
        request = {"id": 279147437, "number": 2, "merged": merged, "closed_at": "2026-02-15T15:20:33Z"}
        return github("pull_request", {"action": "closed", "repository": {"full_name": "a/b"}, "pull_request": request}).feedback[
            0
        ]

    assert (closed(True).name, closed(True).target_id, closed(True).value) == ("outcome.merged", "a/b#2", 1.0)
    assert closed(False).value == 0.0


def ticket(current, previous="open"):
    event = {"current": current, "previous": previous}
    return {
        "type": "zen:event-type:ticket.status_changed",
        "id": "e",
        "time": "2026-02-01T10:00:00Z",
        "detail": {"id": "35"},
        "event": event,
    }


@pytest.mark.parametrize(
    ("event", "values"),
    [
        (ticket("SOLVED"), [1.0]),
        (ticket("OPEN", "SOLVED"), [0.0]),
        (ticket("open", "new"), []),
        (ticket("closed", "solved"), [1.0]),
    ],
)
def test_a_ticket_that_was_never_solved_is_pending_and_not_negative(event, values):
    assert [report.value for report in map_events("desk", read_ready()["zendesk"].feedback, [event], {}, NOW).feedback] == values


def test_a_conversation_closed_and_opened_again_is_resolved_and_then_not():
    def notified(topic, at):
        return {"type": "notification_event", "topic": topic, "id": f"n{at}", "created_at": at, "data": {"item": {"id": "9"}}}

    events = [notified("conversation.admin.closed", 1769940000), notified("conversation.admin.opened", 1769943600)]
    reports = map_events("chat", read_ready()["intercom"].feedback, events, {}, NOW).feedback
    assert [(report.target_id, report.value) for report in reports] == [("9", 1.0), ("9", 0.0)]
    assert reports[0].occurred_at < reports[1].occurred_at


def test_a_rule_is_checked_by_type():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "x", "target_path": "y", "time_format": "stardate"}, WebhookRule)

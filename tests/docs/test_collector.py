"""The Collector's configuration in the documentation holds together, in the words that its components have.

There is no Collector here to load it, so what it would check itself is checked: names, references, keys, expressions.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import re2
import yaml

from penstock.formats import otlp_attributes

PAGE = (Path(__file__).parents[2] / "docs" / "collector.md").read_text(encoding="utf-8")
COMPONENTS = {
    "receivers": {"otlp"},
    "processors": {"memory_limiter", "redaction", "transform", "tail_sampling", "attributes", "batch"},
    "connectors": {"routing"},
    "exporters": {"otlphttp"},
    "extensions": {"file_storage"},
}
REDACTION = {
    "allow_all_keys", "allowed_keys", "ignored_keys", "blocked_key_patterns", "blocked_values", "allowed_values",
    "redact_all_types", "hash_function", "summary", "url_sanitizer", "db_sanitizer",
}  # fmt: skip
FUNCTIONS = {
    "set", "delete_key", "delete_matching_keys", "keep_keys", "replace_pattern", "replace_all_patterns", "truncate_all", "limit",
    "merge_maps", "ParseJSON", "SHA256", "IsMatch",
}  # fmt: skip
POLICIES: dict[str, set[str]] = {
    "status_code": {"status_codes"},
    "latency": {"threshold_ms"},
    "probabilistic": {"sampling_percentage"},
    "drop": {"drop_sub_policy"},
}
OWN = {value for name, value in vars(otlp_attributes).items() if name.isupper() and isinstance(value, str)}


@pytest.fixture
def configuration() -> dict[str, Any]:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    parsed: dict[str, Any] = yaml.safe_load(blocks[0])
    return parsed


def of_type(configuration: dict[str, Any], section: str, component: str) -> list[dict[str, Any]]:
    return [settings or {} for name, settings in configuration[section].items() if name.partition("/")[0] == component]


def test_every_component_is_one_that_there_is(configuration: dict[str, Any]) -> None:
    assert set(configuration) == {*COMPONENTS, "service"}
    for section, known in COMPONENTS.items():
        assert {name.partition("/")[0] for name in configuration[section]} <= known


def test_pipelines_use_what_is_defined_and_everything_defined_is_used(configuration: dict[str, Any]) -> None:
    connectors = set(configuration["connectors"])
    defined = {
        "receivers": set(configuration["receivers"]) | connectors,
        "processors": set(configuration["processors"]),
        "exporters": set(configuration["exporters"]) | connectors,
    }
    used: dict[str, set[str]] = {kind: set() for kind in defined}
    for name, pipeline in configuration["service"]["pipelines"].items():
        assert name.partition("/")[0] in ("traces", "logs")
        for kind, names in pipeline.items():
            assert set(names) <= defined[kind], name
            used[kind] |= set(names)
    assert used == defined
    assert configuration["service"]["extensions"] == list(configuration["extensions"])


def test_routes_lead_to_pipelines_that_start_there(configuration: dict[str, Any]) -> None:
    routing = configuration["connectors"]["routing"]
    starting = {name for name, pipeline in configuration["service"]["pipelines"].items() if "routing" in pipeline["receivers"]}
    leads = {*routing["default_pipelines"], *(name for row in routing["table"] for name in row["pipelines"])}
    assert leads == starting
    assert all(row["context"] in ("resource", "span", "log", "request") for row in routing["table"])


def test_sampling_policies_have_the_types_and_keys_that_there_are(configuration: dict[str, Any]) -> None:
    def check(policies: list[dict[str, Any]]) -> None:
        for policy in policies:
            assert set(policy) == {"name", "type", policy["type"]}
            assert set(policy[policy["type"]]) == POLICIES[policy["type"]]
            if policy["type"] == "drop":
                check(policy["drop"]["drop_sub_policy"])

    samplers = of_type(configuration, "processors", "tail_sampling")
    for sampler in samplers:
        assert set(sampler) == {"decision_wait", "num_traces", "policies"}
        check(sampler["policies"])
    lifted, rest = samplers
    dropped = [sub for policy in rest["policies"] if policy["type"] == "drop" for sub in policy["drop"]["drop_sub_policy"]]
    assert dropped == lifted["policies"]  # so that no trace is in both


def test_the_probability_that_is_said_is_the_one_that_is_drawn(configuration: dict[str, Any]) -> None:
    processors = configuration["processors"]
    (drawn,) = [policy for policy in processors["tail_sampling/rest"]["policies"] if policy["type"] == "probabilistic"]
    share = drawn["probabilistic"]["sampling_percentage"] / 100
    said = {name: processors[f"attributes/{name}"]["actions"] for name in ("lifted", "rest")}
    mark = otlp_attributes.SAMPLE_PROBABILITY
    assert said["lifted"] == [{"key": mark, "value": 1.0, "action": "upsert"}]
    assert said["rest"] == [{"key": mark, "value": share, "action": "upsert"}]
    assert f'set(span.attributes["{mark}"], {share})' in processors["transform/thin"]["trace_statements"][0]["statements"]
    assert set(re.findall(r"penstock\.[a-z_]+", yaml.dump(processors))) <= OWN


def test_redaction_and_statements_are_in_known_words_and_patterns_compile(configuration: dict[str, Any]) -> None:
    (redaction,) = of_type(configuration, "processors", "redaction")
    assert set(redaction) <= REDACTION
    for pattern in [*redaction["blocked_values"], *redaction["blocked_key_patterns"]]:
        re2.compile(pattern)
    for transform in of_type(configuration, "processors", "transform"):
        assert set(transform) == {"error_mode", "trace_statements"}
        for group in transform["trace_statements"]:
            for statement in group["statements"]:
                name, path = re.match(r"(\w+)\((span\.attributes)", statement).groups()  # type: ignore[union-attr]
                assert name in FUNCTIONS and path
                for text in re.findall(r'"(\^[^"]*)"', statement):
                    re2.compile(text.replace("\\\\", "\\"))


def test_what_counts_as_content_is_taken_out_of_thin_rows(configuration: dict[str, Any]) -> None:
    statements = configuration["processors"]["transform/thin"]["trace_statements"][0]["statements"]
    patterns = [re2.compile(text.replace("\\\\", "\\")) for line in statements for text in re.findall(r'"(\^[^"]*)"', line)]
    content = (
        "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.prompt.0.content",
        "gen_ai.completion.0.content", "llm.input_messages.0.message.content", "input.value", "traceloop.entity.input",
        "ai.prompt.messages", "ai.response.text", "gen_ai.tool.call.arguments",
    )  # fmt: skip
    for name in content:
        assert any(pattern.search(name) for pattern in patterns), name
    left = (
        "gen_ai.usage.input_tokens", "gen_ai.request.model", "gen_ai.response.id", "session.id", "ai.model.id",
        "gen_ai.prompt.name",
    )  # fmt: skip
    for name in left:
        assert not any(pattern.search(name) for pattern in patterns), name

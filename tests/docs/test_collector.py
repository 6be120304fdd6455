"""The Collector's configuration in the documentation holds together, in the words that its components have.

There is no Collector here to load it, so what it would check itself is checked: names, references, keys, expressions.
"""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import re2
import yaml

from penstock.formats import otlp_attributes

PAGE = (Path(__file__).parents[2] / "docs" / "collector.md").read_text(encoding="utf-8")
COMPONENTS = {
    "receivers": {"otlp"},
    "processors": {"memory_limiter", "filter", "redaction", "transform", "tail_sampling", "attributes", "batch"},
    "connectors": {"routing"},
    "exporters": {"otlp_http"},
    "extensions": {"file_storage"},
}
REDACTION = {
    "allow_all_keys", "allowed_keys", "ignored_keys", "ignored_key_patterns", "blocked_key_patterns", "blocked_values",
    "allowed_values", "redact_all_types", "hash_function", "hmac_key", "summary", "url_sanitizer", "db_sanitizer",
}  # fmt: skip
FUNCTIONS = {
    "set", "delete_key", "delete_matching_keys", "keep_keys", "replace_pattern", "replace_all_patterns", "truncate_all", "limit",
    "merge_maps", "ParseJSON", "SHA256", "Concat", "IsMatch",
}  # fmt: skip
POLICIES: dict[str, set[str]] = {
    "status_code": {"status_codes"},
    "latency": {"threshold_ms"},
    "string_attribute": {"key", "values"},
    "probabilistic": {"hash_salt", "sampling_percentage"},
    "and": {"and_sub_policy"},
    "drop": {"drop_sub_policy"},
}
# Texts and what must not be left of them; none is anybody's.
FOUND = {
    "private_key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    "private_key without its end": ("-----BEGIN PRIVATE KEY-----\nMIIEow\nIBAAKC", "IBAAKC"),
    "jwt": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
    "url_password": ("postgres://app:hunter2@db.example.com/prod", "hunter2"),
    "secret of OpenAI": ("sk-proj-a1b2c3d4e5f6g7h8i9", "a1b2c3d4"),
    "secret of Langfuse": ("pk-lf-12345678-90ab-cdef", "12345678"),
    "secret of Hugging Face": ("hf_abcdefghijklmnopqrstuv", "abcdefgh"),
    "secret of xAI": ("xai-abcdefghijklmnopqrstuv", "abcdefgh"),
    "secret of AWS": ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN"),
    "secret of Google": ("AIzaabcdefghijklmnopqrstuvwxyz012345678", "abcdefgh"),
    "secret of Databricks": ("dapi0123456789abcdef0123456789abcdef", "01234567"),
    "secret of GitHub": ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefgh"),
    "secret of Slack": ("xoxb-abcdefghij-0", "abcdefgh"),
    "secret of Stripe": ("sk_live_abcdefghij0", "abcdefgh"),
    "secret in a header": ("Authorization: Bearer abcdefgh0ijklmnopqr=", "abcdefgh"),
    "email": ("jane.doe@mail.example.co.uk", "jane"),
    "iban": ("DE89370400440532013000", "3704"),
    "iban in groups": ("GB82 WEST 1234 5698 7654 32", "WEST"),
    "card": ("4111 1111 1111 1111", "1111"),
    "card of American Express": ("378282246310005", "246310"),
    "ssn": ("123-45-6789", "6789"),
    "mac": ("00:1B:44:11:3A:B7", "1B:44"),
    "ip of version 6": ("2001:db8::8a2e:370:7334", "8a2e"),
    "ip of version 6 in full": ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "8a2e"),
    "ip of version 6, short": ("fe80::1", "fe80"),
    "ip of version 4": ("203.0.113.77", "113"),
    "phone": ("+44 20 7946 0958", "7946"),
    "phone, national": ("(415) 555-0134", "0134"),
    "phone with dashes": ("415-555-0134", "0134"),
}
HARMLESS = (
    "The meeting on 2026-03-14 at 09:30:00 took 45 minutes, and 12 of 20 tickets (60 %) were closed.",
    "Trace 0af7651916cd43dd8448eb211c80319c of order 4155550134 used 1532 tokens at 1718000000123 in version 18.2.0.",
    "See https://docs.example.com:8443/guide?page=2#start, f81d4fae-7dec-11d0-a765-00a0c91e6bf6, std::vector, add::me.",
    "A scikit-learn pipeline needs basic understanding of risk-free rates; bearer bonds are something else @ 5.",
    "EXIF says 2024:10:15 and the ratio is 16:9; call npm run build, then sk-learn-like-estimators.",
)
OWN = {value for name, value in vars(otlp_attributes).items() if name.isupper() and isinstance(value, str)}


@pytest.fixture
def configuration() -> dict[str, Any]:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    parsed: dict[str, Any] = yaml.safe_load(blocks[0])
    return parsed


def of_type(configuration: dict[str, Any], section: str, component: str) -> list[dict[str, Any]]:
    return [settings or {} for name, settings in configuration[section].items() if name.partition("/")[0] == component]


def conditions(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """What must hold, all of it, for this policy to sample or drop a trace."""
    subs: list[dict[str, Any]] = policy.get(policy["type"], {}).get(f"{policy['type']}_sub_policy", [policy])
    return subs


def masked(text: str, patterns: list[str]) -> str:
    for pattern in patterns:
        text = str(pc.replace_substring_regex(pa.scalar(text), pattern, "****").as_py())
    return text


def finds(pattern: str, texts: list[str]) -> list[bool]:
    return [bool(found) for found in pc.match_substring_regex(pa.array(texts), pattern).to_pylist()]


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
    pipelines = configuration["service"]["pipelines"]
    for connector, routing in configuration["connectors"].items():
        starting = {name for name, pipeline in pipelines.items() if connector in pipeline["receivers"]}
        leads = {*routing["default_pipelines"], *(name for row in routing["table"] for name in row["pipelines"])}
        assert leads == starting
        ends = {name for name, pipeline in pipelines.items() if connector in pipeline["exporters"]}
        assert len({name.partition("/")[0] for name in leads | ends}) == 1, "one signal"
        assert all(row["context"] in ("resource", "span", "log", "request") for row in routing["table"])


def test_all_that_comes_in_is_filtered_and_redacted_and_queued_on_disk(configuration: dict[str, Any]) -> None:
    incoming = [pipeline for pipeline in configuration["service"]["pipelines"].values() if "otlp" in pipeline["receivers"]]
    assert len(incoming) == 2
    for pipeline in incoming:
        assert pipeline["processors"] == [
            "memory_limiter", "filter/health", "transform/redact", "redaction", "transform/truncate",
        ]  # fmt: skip
    for exporter in configuration["exporters"].values():
        assert exporter["retry_on_failure"] == {"enabled": True, "max_elapsed_time": "0s"}
        assert exporter["sending_queue"] == {"enabled": True, "storage": "file_storage"}
    assert set(configuration["processors"]["filter/health"]) == {"error_mode", "trace_conditions", "log_conditions"}


def test_sampling_policies_have_the_types_and_keys_that_there_are(configuration: dict[str, Any]) -> None:
    def check(policies: list[dict[str, Any]]) -> None:
        for policy in policies:
            assert set(policy) == {"name", "type", policy["type"]}
            assert set(policy[policy["type"]]) == POLICIES[policy["type"]]
            if policy["type"] in ("and", "drop"):
                check(conditions(policy))

    samplers = of_type(configuration, "processors", "tail_sampling")
    for sampler in samplers:
        assert set(sampler) == {"decision_wait", "num_traces", "decision_cache", "policies"}
        check(sampler["policies"])
    lifted, rest = samplers
    dropped = [conditions(policy) for policy in rest["policies"] if policy["type"] == "drop"]
    assert dropped == [conditions(policy) for policy in lifted["policies"]]  # so that no trace is in both


def test_the_probability_that_is_said_is_the_one_that_is_drawn(configuration: dict[str, Any]) -> None:
    processors = configuration["processors"]
    (drawn,) = [policy for policy in processors["tail_sampling/rest"]["policies"] if policy["type"] == "probabilistic"]
    share = drawn["probabilistic"]["sampling_percentage"] / 100
    said = {name: processors[f"attributes/{name}"]["actions"] for name in ("lifted", "rest")}
    mark = otlp_attributes.SAMPLE_PROBABILITY
    assert said["lifted"] == [{"key": mark, "value": 1.0, "action": "upsert"}]
    assert said["rest"] == [{"key": mark, "value": share, "action": "upsert"}]
    assert f'set(span.attributes["{mark}"], {share})' in processors["transform/thin"]["trace_statements"]
    assert set(re.findall(r"penstock\.[a-z_]+", yaml.dump(processors))) <= {*OWN, otlp_attributes.KEY_PREFIX.rstrip(".")}


def test_redaction_and_statements_are_in_known_words_and_patterns_compile(configuration: dict[str, Any]) -> None:
    (redaction,) = of_type(configuration, "processors", "redaction")
    assert set(redaction) <= REDACTION
    for pattern in [*redaction["blocked_values"], *redaction["blocked_key_patterns"]]:
        assert "$" not in pattern, "the Collector would take it for a variable"
        re2.compile(pattern)
        finds(pattern, [""])
    for name, transform in configuration["processors"].items():
        if name.startswith("transform/"):
            assert transform["error_mode"] == ("ignore" if name == "transform/truncate" else "propagate")
            assert set(transform) - {"error_mode"} <= {"trace_statements", "log_statements"}
            for statement in transform["trace_statements"]:
                check_statement(statement, "span")
            for statement in transform.get("log_statements", []):
                check_statement(statement, "log")


def check_statement(statement: str, context: str) -> None:
    literal = r'"(?:[^"\\]|\\.)*"'
    bare = re.sub(literal, "", statement)
    assert set(re.findall(r"(\w+)\(", bare)) <= FUNCTIONS
    assert all(bare.count(opening) == bare.count(closing) for opening, closing in ("()", "[]", "{}"))
    assert '"' not in bare, "a quotation mark without another"
    assert set(re.findall(r"(\w+)\.attributes", bare)) == {context}
    for text in re.findall(literal, statement):
        assert "$" not in text.replace("${env:", "")
        if text.startswith('"^'):
            re2.compile(json.loads(text))


@pytest.mark.parametrize("kind", FOUND)
def test_what_is_personal_or_secret_is_masked_and_messages_stay_json(configuration: dict[str, Any], kind: str) -> None:
    patterns = configuration["processors"]["redaction"]["blocked_values"]
    text, gone = FOUND[kind]
    assert gone in text
    for around in ("{}", "See:\n{}", "It is ({}), or so.", "{} it is"):
        assert gone not in masked(around.format(text), patterns)
        messages = masked(json.dumps([{"role": "user", "content": around.format(text)}]), patterns)
        assert gone not in messages
        if not kind.endswith("without its end"):
            assert json.loads(messages)[0]["role"] == "user"


def test_every_pattern_finds_an_example_and_leaves_harmless_text(configuration: dict[str, Any]) -> None:
    examples = [text for text, _ in FOUND.values()]
    for pattern in configuration["processors"]["redaction"]["blocked_values"]:
        assert any(finds(pattern, examples)), pattern
        assert not any(finds(pattern, [*HARMLESS, *map(json.dumps, HARMLESS), "[EMAIL]", "****"])), pattern


def test_what_keeps_its_type_is_found_as_redaction_finds_it(configuration: dict[str, Any]) -> None:
    patterns = configuration["processors"]["redaction"]["blocked_values"]
    transform = configuration["processors"]["transform/redact"]
    for statements in (transform["trace_statements"], transform["log_statements"]):
        (typed,) = [line for line in statements if line.startswith("replace_all_patterns")]
        mode, pattern, replacement = map(json.loads, re.findall(r'"(?:[^"\\]|\\.)*"', typed))
        assert (mode, replacement) == ("value", "[EMAIL]")
        assert pattern in patterns


def test_ids_are_hashed_alike_in_spans_and_logs_and_before_they_could_be_masked(configuration: dict[str, Any]) -> None:
    transform = configuration["processors"]["transform/redact"]
    hashing = [line for line in transform["trace_statements"] if "SHA256" in line]
    assert [line.replace("span.", "log.") for line in hashing] == [
        line for line in transform["log_statements"] if "SHA256" in line
    ]
    assert transform["trace_statements"][: len(hashing)] == hashing
    for line in hashing:
        assert len(set(re.findall(r'attributes\["([^"]+)"\]', line))) == 1
    assert any(f'"{otlp_attributes.TEXT_COLUMNS["user_id"]}"' in line for line in hashing)


def test_what_counts_as_content_is_taken_out_of_thin_rows(configuration: dict[str, Any]) -> None:
    statements = configuration["processors"]["transform/thin"]["trace_statements"]
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

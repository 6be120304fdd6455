"""Whether one span meets the conditions of a rule. What is looked at is what is stored: redacted, with the columns' names undone.

A condition that names several values is met by any of them; all conditions have to be met.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import re2

from penstock.errors import ConfigurationError
from penstock.formats.aliases import real_of
from penstock.formats.otlp_attributes import KEY_PREFIX, RESOURCE_PREFIX, TAG_PREFIX, column_of
from penstock.policy_settings import AttributeMatch
from penstock.records.span import Span

Test = Callable[[Span], bool]


def span_match(
    where: str, applications: Sequence[str], attributes: Sequence[AttributeMatch], status_codes: Sequence[str] = ()
) -> Test:
    """The test that a span of a matching rule passes; ConfigurationError, naming the rule, where it cannot be made."""
    tests: list[Test] = []
    if applications:
        tests.append(partial(_comes_from, frozenset(applications)))
    if status_codes:
        tests.append(partial(_has_status, frozenset(code.lower() for code in status_codes)))
    tests += [partial(_has_value, _reader(match.key), _value_test(where, match)) for match in attributes]
    return tests[0] if len(tests) == 1 else lambda span: all(test(span) for test in tests)


def _comes_from(applications: frozenset[str], span: Span) -> bool:
    return span.application in applications


def _has_status(statuses: frozenset[str], span: Span) -> bool:
    status = "error" if span.error_type is not None else span.status
    return status in statuses


def _has_value(read: Callable[[Span], str | None], accepts: Callable[[str], bool], span: Span) -> bool:
    value = read(span)
    return value is not None and accepts(value)


def _reader(key: str) -> Callable[[Span], str | None]:
    """How the value of an attribute is read off a span, as text."""
    column = column_of(key)
    if column is not None:
        return lambda span: None if getattr(span, column) is None else str(getattr(span, column))
    for prefix, entries in ((TAG_PREFIX, "tags"), (KEY_PREFIX, "keys")):
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            return lambda span: getattr(span, entries).get(name)
    of_resource = RESOURCE_PREFIX + key
    return lambda span: span.attributes.get(key, span.attributes.get(of_resource))


def _value_test(where: str, match: AttributeMatch) -> Callable[[str], bool]:
    accepted = _text_test(where, match)
    least, most = match.min_value, match.max_value
    if least is None and most is None:
        return accepted

    def is_within(value: str) -> bool:
        number = real_of(value)
        return number is not None and (least is None or number >= least) and (most is None or number <= most) and accepted(value)

    return is_within


def _text_test(where: str, match: AttributeMatch) -> Callable[[str], bool]:
    if not match.values:
        return lambda _value: True
    if not match.enabled_regex_matching:
        return frozenset(match.values).__contains__
    patterns = [_compile(where, match.key, value) for value in match.values]
    return lambda value: any(pattern.search(value) is not None for pattern in patterns)


def _compile(where: str, key: str, text: str) -> Any:  # re2 has no types
    try:
        options = re2.Options()
        options.log_errors = False
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error
        raise ConfigurationError(f"{where}: {text!r} for {key} is no regular expression of RE2: {reason}.") from error

"""Test reports: real ones from pytest, and files that nobody should write."""

import subprocess
import sys

import pytest

from penstock.edge.feedback_api import build_feedback
from penstock.errors import BadInputError, EmptySelectionError
from penstock.outcomes.junit import TestResults, read_results, report_results
from penstock.records.clock import utc_now

TESTS = """
import pytest, unittest
def test_good(): pass
def test_bad(): assert False, "jane.doe@example.com"
@pytest.mark.skip
def test_left_out(): pass
@pytest.mark.xfail
def test_known(): assert False
@pytest.fixture
def broken(): raise ValueError
def test_error(broken): pass
@pytest.mark.parametrize("n", range(3))
def test_many(n): pass
class Old(unittest.TestCase):
    def test_old(self): pass
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What pytest itself writes."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml", "test_it.py"]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return folder / "report.xml"


def read(tmp_path, *texts, encoding="utf-8"):
    paths = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.xml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        paths.append(path)
    return read_results(paths)


def test_what_pytest_writes_is_counted(written):
    results = read_results([written])
    assert (results.passed, results.failed, results.skipped) == (5, 2, 2)
    assert results.finished_at is not None
    (report,) = report_results(results, [{"key": {"name": "commit", "value": "abc"}}], "outcome.tests")
    feedback = build_feedback(report, utc_now())
    assert (feedback.value, feedback.text) == (0.0, "5 passed, 2 failed, 2 skipped")
    assert (feedback.target_key, feedback.target_id, feedback.source) == ("commit", "abc", "junit")
    assert "jane" not in str(report)


def test_the_same_files_are_the_same_report_on_each_target(written):
    targets = [{"request_id": "r_1"}, {"request_id": "r_2"}]
    once, again = (report_results(read_results([written]), targets, "outcome.tests") for _ in range(2))
    assert [report["idempotency_key"] for report in once] == [report["idempotency_key"] for report in again]
    assert len({report["idempotency_key"] for report in once}) == 2


GOOD = (
    '<testsuite tests="99" timestamp="2026-03-01T10:00:00+01:00"><testcase name="a"/>'
    '<testcase name="b"><system-out>x</system-out></testcase></testsuite>'
)


def test_files_add_up_in_any_order_and_sums_are_not_believed(tmp_path):
    bad = '<testsuites><testsuite><testsuite><testcase name="c"><failure/></testcase></testsuite></testsuite></testsuites>'
    both, other = read(tmp_path, GOOD, bad), read(tmp_path, bad, GOOD)
    assert (both.passed, both.failed, both.content) == (2, 1, other.content)
    assert both.finished_at is not None
    assert both.finished_at.isoformat() == "2026-03-01T09:00:00+00:00"


@pytest.mark.parametrize(
    ("inside", "counts"),
    [
        ("<testcase><error/></testcase>", (0, 1, 0)),
        ("<testcase><failure/><error/></testcase>", (0, 1, 0)),
        ("<testcase><skipped/></testcase>", (0, 0, 1)),
        ("<testcase><flakyFailure/><rerunFailure/></testcase>", (1, 0, 0)),
        ("<testcase/><error>fixture of all</error>", (1, 1, 0)),
        ("<properties><property name='failure'/></properties><testcase/>", (1, 0, 0)),
        ("<testcase><properties><failure/></properties></testcase>", (1, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_a_case_has_failed_by_what_stands_in_it(tmp_path, inside, counts):
    results = read(tmp_path, f"<testsuite>{inside}</testsuite>")
    assert (results.passed, results.failed, results.skipped) == counts


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ('<testsuite errors="1"/>', (0, 1)),
        ('<testsuite errors="1" failures="2"><testcase/></testsuite>', (1, 3)),
        (
            '<testsuites errors="1"><testsuite errors="1"><testcase/></testsuite><testsuite><testcase/></testsuite></testsuites>',
            (2, 1),
        ),
        ('<testsuite errors="1" failures="1"><testcase><failure/><error/></testcase></testsuite>', (0, 1)),
        ('<testsuites failures="1"><testsuite><testcase><failure/></testcase></testsuite><testsuite/></testsuites>', (0, 1)),
        ('<testsuite errors="many" failures="-1"><testcase/></testsuite>', (1, 0)),
    ],
)
def test_a_suite_that_broke_around_its_cases_has_failed(tmp_path, text, counts):
    results = read(tmp_path, text)
    assert (results.passed, results.failed) == counts


def test_names_in_a_namespace_and_other_encodings_are_read(tmp_path):
    text = '<?xml version="1.0" encoding="UTF-16"?><j:testsuite xmlns:j="u"><j:testcase name="é"/></j:testsuite>'
    assert read(tmp_path, text, encoding="utf-16").passed == 1
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?><testsuite><testcase name="é"/></testsuite>'
    assert read(tmp_path, latin, encoding="latin-1").passed == 1


@pytest.mark.parametrize("time", ["2026-03-01T10:00:00", "yesterday", "", "0001-01-01T00:00:00+14:00"])
def test_a_time_without_a_zone_does_not_say_when(tmp_path, time):
    assert read(tmp_path, f'<testsuite timestamp="{time}"><testcase/></testsuite>').finished_at is None


BOMB = '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>'
OUTSIDE = '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase>&x;</testcase></testsuite>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "declares a document type"),
        (OUTSIDE, "declares a document type"),
        ('<!DOCTYPE testsuite SYSTEM "http://example.com/x.dtd"><testsuite/>', "declares a document type"),
        ("", "no XML"),
        ("<testsuite>", "no XML"),
        ("{}", "no XML"),
        (b"<testsuite>\xff</testsuite>", "no XML"),
        ('<?xml version="1.0" encoding="nonsense"?><testsuite/>', "nonsense|unknown encoding"),
        ("<html/>", "begins with <html>"),
        ("<testsuite>" * 200 + "</testsuite>" * 200, "nest deeper than 100"),
        (b"<testsuite>\0</testsuite>", "no XML"),
    ],
)
def test_what_is_no_test_report_is_refused(tmp_path, content, message):
    with pytest.raises(BadInputError, match=message):
        read(tmp_path, content)


def test_a_huge_file_and_one_that_is_not_there_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("penstock.outcomes.junit.MOST_BYTES", 100)
    with pytest.raises(BadInputError, match="larger than 100 bytes"):
        read(tmp_path, GOOD)
    with pytest.raises(BadInputError, match="cannot be read"):
        read_results([tmp_path / "missing.xml"])


def test_no_test_is_no_outcome():
    with pytest.raises(EmptySelectionError, match="No test ran"):
        report_results(TestResults(skipped=3), [{"request_id": "r"}], "outcome.tests")

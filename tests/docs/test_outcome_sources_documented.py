"""The page on where outcomes come from: its hooks work in a real repository, and it names every word of a mapping."""

import re
from pathlib import Path

from penstock.outcomes.git_repository import GitRepository
from penstock.outcomes.webhooks import read_ready
from penstock.replay.mapping import TARGETS
from tests.outcomes.clone import Clone

PAGE = (Path(__file__).parents[2] / "docs" / "outcome-sources.md").read_text(encoding="utf-8")


def test_the_hooks_put_requests_into_the_next_commit_and_no_further(tmp_path):
    clone = Clone(tmp_path / "clone")
    for script, name in re.findall(r"^```sh\n(#!/bin/sh\n# \.git/hooks/(\S+)\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        hook = clone.folder / ".git" / "hooks" / name
        hook.write_text(script)
        hook.chmod(0o755)
    clone.commit("One")
    (clone.folder / ".git" / "penstock-requests").write_text("r_1\nr_2\nr_1\n")
    clone.commit("Two\n\nWith a body.")
    clone.commit("Three")
    three, two, one = GitRepository(clone.folder).commits()
    assert (one.request_ids, two.request_ids, three.request_ids) == ((), ("r_1", "r_2"), ())


def test_every_ready_mapping_and_target_is_described():
    assert [name for name in [*read_ready(), *TARGETS, "keys.NAME"] if f"`{name}`" not in PAGE] == []

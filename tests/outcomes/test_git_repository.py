"""Commits are read from real repositories, also from ones made to run what they hold."""

import contextlib
import stat
import subprocess

import pytest

from penstock.errors import BadInputError
from penstock.outcomes.git_repository import GitRepository
from tests.outcomes.clone import Clone


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path / "clone")


def test_trailers_name_requests_wherever_they_stand_in_the_message(clone):
    clone.commit("plain", a__py="x = 1\n")
    sha = clone.commit(
        "One\n\nPenstock-Request: r_1\n\n* squashed\n\npenstock-request:   r_2  \r\nPenstock-Request: r_1\n\nSigned-off-by: a\n"
    )
    newest, oldest = GitRepository(clone.folder).commits()
    assert (newest.sha, newest.request_ids, newest.parents) == (sha, ("r_1", "r_2"), (oldest.sha,))
    assert oldest.request_ids == ()
    assert newest.committed_at.isoformat() == "2026-02-01T10:02:00+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "Penstock-Request: two words",
        "Penstock-Request:",
        "X-Penstock-Request: r",
        "see Penstock-Request: r",
        "Penstock-Request: " + "x" * 2000,
    ],
)
def test_what_is_no_trailer_names_none(clone, text):
    clone.commit(f"One\n\n{text}\n")
    assert GitRepository(clone.folder).commits()[0].request_ids == ()


def test_only_what_came_after_a_revision_is_read(clone):
    first = clone.commit("one")
    clone.commit("two")
    clone.git("tag", "v1")
    clone.commit("three")
    assert len(GitRepository(clone.folder).commits(first)) == 2
    assert len(GitRepository(clone.folder).commits("v1")) == 1
    for revision in ("nowhere", "--output=/tmp/x", "-n1", "HEAD:a", "a\0b", ""):
        if revision:
            with pytest.raises((BadInputError, ValueError)):
                GitRepository(clone.folder).commits(revision)


def test_a_folder_without_commits_or_without_git_is_told(clone, tmp_path):
    with pytest.raises(BadInputError, match="no commit at HEAD: nothing is committed yet"):
        GitRepository(clone.folder)
    with pytest.raises(BadInputError, match="is no git repository"):
        GitRepository(tmp_path)
    with pytest.raises(BadInputError, match="There is no folder"):
        GitRepository(tmp_path / "missing")


def test_added_lines_are_those_of_the_first_parent_and_no_line_passes_for_a_header(clone):
    clone.commit("one", a__txt="kept\n", b__txt="1\n")
    tricky = "kept\n++ plus\n+++ b/other\n-- minus\n@@ -1 +1 @@\ndiff --git a/x b/x\n"
    repository = commit_of(clone, clone.commit("two", a__txt=tricky))
    assert repository == ["++ plus", "+++ b/other", "-- minus", "@@ -1 +1 @@", "diff --git a/x b/x"]
    assert commit_of(clone, clone.commit("three", c__txt="no newline at its end")) == ["no newline at its end"]


def commit_of(clone, sha):
    repository = GitRepository(clone.folder)
    return repository.added_lines(next(commit for commit in repository.commits() if commit.sha == sha))


def test_a_root_a_merge_a_move_and_a_binary(clone):
    root = clone.commit("root", a__txt="one\ntwo\nthree\nfour\n", b__bin=b"\0\1\2")
    assert commit_of(clone, root) == ["one", "two", "three", "four"]
    clone.git("checkout", "--quiet", "-b", "side")
    clone.commit("side", side__txt="from the side\n")
    clone.git("checkout", "--quiet", "main")
    clone.commit("main", main__txt="main\n")
    clone.git("merge", "--quiet", "--no-ff", "-m", "Merged", "side")
    assert commit_of(clone, clone.git("rev-parse", "HEAD")) == ["from the side"]
    clone.git("mv", "a.txt", "moved.txt")
    assert commit_of(clone, clone.commit("moved", moved__txt="one\ntwo\nthree\nfour\nfive\n")) == ["five"]


def test_lines_at_head_follow_a_file_that_was_moved_and_end_with_one_that_is_gone(clone):
    body = "".join(f"line {number}\n" for number in range(20))
    sha = clone.commit("one", a__txt=body, b__txt="gone\n", c__txt="stays\n")
    (clone.folder / "sub").mkdir()
    clone.git("mv", "a.txt", "sub/moved é.txt")
    clone.git("rm", "--quiet", "b.txt")
    clone.commit("two", c__txt="stays\nand more\n")
    repository = GitRepository(clone.folder)
    commit = next(commit for commit in repository.commits() if commit.sha == sha)
    assert sorted(repository.touched_files(commit)) == ["a.txt", "b.txt", "c.txt"]
    lines = repository.lines_at_head(commit, repository.touched_files(commit))
    assert sorted(lines) == sorted([*body.splitlines(), "stays", "and more"])


def test_names_that_no_shell_would_like_are_only_names(clone, tmp_path):
    for name in ("$(touch pwned)", "-n", "a\nb", "--output=x", ":(top)x", "HEAD"):
        clone.write(name, f"in {name!r}\n")
    sha = clone.commit("odd")
    clone.commit("next", other__txt="x\n")
    repository = GitRepository(clone.folder)
    commit = next(commit for commit in repository.commits() if commit.sha == sha)
    assert len(repository.lines_at_head(commit, repository.touched_files(commit))) == 6
    assert not list(tmp_path.rglob("pwned"))


def sign(clone, sha):
    """The same commit with a signature, which git would have checked by whatever program is configured."""
    head, _, message = clone.git("cat-file", "commit", sha).partition("\n\n")
    signed = f"{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n{message}\n"
    clone.write(".git/signed", signed)
    made = clone.git("hash-object", "-t", "commit", "-w", ".git/signed")
    clone.git("reset", "--quiet", "--soft", made)
    return made


def test_nothing_that_a_repository_configures_is_run(clone, tmp_path):
    ran = tmp_path / "ran"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\necho $0 $@ >> {ran}\ncat /dev/null\nexit 0\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    clone.write(".gitattributes", "*.py diff=evil filter=evil\n")
    sha = sign(clone, clone.commit("one\n\nPenstock-Request: r_1\n", a__py="x = 1\n"))
    for name, value in {
        "core.fsmonitor": str(script),
        "core.pager": str(script),
        "core.editor": str(script),
        "core.sshCommand": str(script),
        "core.hooksPath": str(tmp_path),
        "diff.external": str(script),
        "diff.evil.command": str(script),
        "diff.evil.textconv": str(script),
        "filter.evil.clean": str(script),
        "filter.evil.smudge": str(script),
        "filter.evil.required": "true",
        "log.showSignature": "true",
        "gpg.program": str(script),
        "trailer.penstock-request.command": str(script),
        "trailer.penstock-request.cmd": str(script),
        "alias.log": f"!{script}",
        "remote.origin.url": f"ext::{script}",
        "remote.origin.uploadpack": str(script),
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
    }.items():
        clone.git("config", name, value)
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"):
        (clone.folder / ".git" / "hooks" / hook).write_text(script.read_text())
        (clone.folder / ".git" / "hooks" / hook).chmod(0o755)
    ran.unlink(missing_ok=True)
    repository = GitRepository(clone.folder)
    (commit,) = repository.commits()
    assert repository.added_lines(commit) == ["*.py diff=evil filter=evil", "x = 1"]
    assert repository.lines_at_head(commit, ["a.py"]) == ["x = 1"]
    assert not ran.exists()
    blob = clone.git("rev-parse", f"{sha}:a.py")
    (clone.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert GitRepository(clone.folder).lines_at_head(commit, ["a.py"]) == []
    with pytest.raises(BadInputError):
        GitRepository(clone.folder).added_lines(commit)
    assert not ran.exists(), "what is missing is not fetched"
    for careless in (("log", "-1"), ("cat-file", "blob", blob), ("diff", "--cached", f"{sha}")):
        with contextlib.suppress(subprocess.CalledProcessError):
            clone.git(*careless)
        assert ran.exists(), f"git {careless[0]} by itself runs what is configured"
        ran.unlink()


def test_what_is_too_much_or_takes_too_long_is_told_and_ended(clone, monkeypatch):
    clone.commit("big", a__txt="x" * 100 + "\n" + "y\n" * 50_000)
    repository = GitRepository(clone.folder)
    (commit,) = repository.commits()
    monkeypatch.setattr("penstock.outcomes.git_repository.MOST_DIFF_BYTES", 1000)
    with pytest.raises(BadInputError, match="more than 1,000 bytes"):
        repository.added_lines(commit)
    with pytest.raises(BadInputError, match="takes longer"):
        GitRepository(clone.folder, timeout_s=0.0)


def test_variables_that_point_elsewhere_are_not_followed(clone, tmp_path, monkeypatch):
    other = Clone(tmp_path / "other")
    other.commit("other")
    sha = clone.commit("mine")
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/bin/false")
    assert GitRepository(clone.folder).head == sha

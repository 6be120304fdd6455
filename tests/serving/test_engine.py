import asyncio
from pathlib import Path

import pytest

from penstock.errors import NotFoundError, UpstreamError
from penstock.serving.allowed_folders import AllowedFolders
from penstock.serving.application import Pending
from penstock.serving.engine import MAX_WAITING, Engine
from penstock.serving.generation import Generation, Piece, Prompt, SamplingRule
from tests.serving.conftest import write_checkpoint

PROMPT = Prompt(text="tab: abcd")


class Running:
    """An engine that has been started on this test's event loop."""

    def __init__(self, directory: Path, **limits: int) -> None:
        self.engine = Engine(AllowedFolders([directory]), **({"max_batch": 4, "max_models": 2, "threads": 1} | limits))

    async def __aenter__(self) -> "Running":
        self.engine.start(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self.engine.stop)

    def begin(
        self, model: str, count: int = 1, *, max_tokens: int = 3, streamed: bool = False
    ) -> tuple[Pending, list[Generation]]:
        pending = Pending(self.engine)
        rule = SamplingRule(max_tokens=max_tokens, seed=1)
        made = [Generation(PROMPT, rule, pending.deliver_to(index), streamed=streamed) for index in range(count)]
        pending.submit(model, made)
        return pending, made

    async def ask(self, model: str, count: int = 1) -> list[object]:
        pending, made = self.begin(model, count)
        return list(await pending.all(len(made)))


async def test_more_requests_than_fit_in_a_batch_are_all_answered(checkpoints: Path) -> None:
    async with Running(checkpoints) as running:
        answers = await running.ask("one", 19)
        assert len(answers) == 19
        assert all(isinstance(answer, Piece) for answer in answers)


async def test_several_checkpoints_answer_side_by_side(checkpoints: Path) -> None:
    async with Running(checkpoints) as running:
        await asyncio.gather(*(running.ask(name, 3) for name in ("one", "two", "one", "two")))


async def test_no_more_checkpoints_are_held_than_allowed_and_the_one_unused_longest_leaves(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b", "c")):
        write_checkpoint(tmp_path / name, seed)
    async with Running(tmp_path, max_models=2) as running:
        for name in ("a", "b", "a", "c"):
            await running.ask(name)
        assert sorted(lane.name for lane in running.engine.lanes) == ["a", "c"]


async def test_more_busy_checkpoints_than_may_be_held_all_get_their_turn(checkpoints: Path) -> None:
    async with Running(checkpoints, max_models=1) as running:
        for _ in range(3):
            await asyncio.gather(*(running.ask(name, 6) for name in ("one", "two")))
        assert len(running.engine.lanes) == 1


async def test_a_broken_checkpoint_fails_alone_and_is_tried_again(tmp_path: Path) -> None:
    good = write_checkpoint(tmp_path / "good", 1)
    write_checkpoint(tmp_path / "bad", 2)
    (tmp_path / "bad" / "model.safetensors").write_bytes(b"not weights")
    async with Running(tmp_path) as running:
        pending, _ = running.begin("bad", 2)
        with pytest.raises(UpstreamError, match="bad"):
            await pending.next()
        await running.ask("good")
        (tmp_path / "bad" / "model.safetensors").write_bytes((good / "model.safetensors").read_bytes())
        await running.ask("bad")


async def test_an_unknown_checkpoint_is_not_found(checkpoints: Path) -> None:
    async with Running(checkpoints) as running:
        with pytest.raises(NotFoundError):
            await running.ask("../one")


async def test_a_checkpoint_that_fails_while_running_answers_everybody_with_the_error_and_recovers(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Running(checkpoints) as running:
        await running.ask("one")
        lane = next(iter(running.engine.lanes))

        def fail(*arguments: object) -> None:
            raise RuntimeError("no memory")

        with monkeypatch.context() as patched:
            patched.setattr(lane.model, "forward", fail)
            pending, _ = running.begin("one", 9)
            with pytest.raises(UpstreamError, match="no memory"):
                await pending.next()
        assert len(await running.ask("one", 9)) == 9


async def test_a_cancelled_request_stops_and_frees_its_row(checkpoints: Path) -> None:
    async with Running(checkpoints, max_batch=1) as running:
        pending, (long,) = running.begin("one", max_tokens=200, streamed=True)
        await pending.next()
        pending.cancel()
        await running.ask("one")
        assert len(long.tokens) < 200


async def test_too_many_waiting_requests_are_refused_at_once(checkpoints: Path) -> None:
    async with Running(checkpoints) as running:
        with pytest.raises(UpstreamError, match="waiting"):
            running.begin("one", MAX_WAITING + 1)

"""An evaluation as a process of its own: `python -m penstock.evaluation.process job.json`.

It alone reads a suite's items; it asks the model servers over HTTP, like any client, or scores with a classifier's arrays itself,
and writes its result at the end, whole or not at all. Exit code 2 says that a server or the suite was at fault; the last line on
standard error says how.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from penstock.errors import EmptySelectionError, PenstockError, UpstreamError
from penstock.evaluation.suite_files import (
    EventItem,
    ExactItem,
    SuiteKind,
    read_event_items,
    read_exact_items,
    read_tabular_items,
)
from penstock.evaluation.verdict import Judged, Tolerances, judge_detection, judge_exact_match, judge_held_out
from penstock.model_client import ModelClient, Timeouts
from penstock.statistics.boosted_trees import load_model, probabilities

SCORE = "/score"
ITEMS_PER_REQUEST = 256
CONCURRENT_ANSWERS = 64
EXIT_AT_FAULT = 2
_OK = 200


class ModelAddress(Struct, frozen=True, kw_only=True):
    """Where a checkpoint answers: a server, or the folder of a classifier, which needs none."""

    base_url: str
    model: str
    api_key_env: str = ""
    folder: str = ""


class EvaluationJob(Struct, frozen=True, kw_only=True):
    """What job.json holds."""

    suite_kind: str
    suite_folder: str
    candidate: ModelAddress
    baseline: ModelAddress
    tolerances: Tolerances
    result: str  # file to write
    connect_timeout_s: float = 5.0
    idle_timeout_s: float = 60.0


class _Score(Struct, frozen=True, kw_only=True):
    index: int
    logprob: float
    token_logprobs: list[float]


class _Scores(Struct, frozen=True, kw_only=True):
    data: list[_Score]


def main() -> None:
    """Run the job named on the command line."""
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=EvaluationJob)
    try:
        judged = score_tables(job) if job.suite_kind == SuiteKind.DETECTION else asyncio.run(evaluate(job))
    except PenstockError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(EXIT_AT_FAULT)
    write_result(Path(job.result), judged)


def score_tables(job: EvaluationJob) -> Judged:
    """Score every row of a detection suite with both classifiers and judge."""
    items = read_tabular_items(Path(job.suite_folder))
    rows = [item.features for item in items]
    ours, theirs = (probabilities(load_model(Path(one.folder)), rows).tolist() for one in (job.candidate, job.baseline))
    return judge_detection(items, ours, theirs, job.tolerances)


async def evaluate(job: EvaluationJob) -> Judged:
    """Score every item of the suite with both checkpoints and judge."""
    timeouts = Timeouts(connect_s=job.connect_timeout_s, idle_s=job.idle_timeout_s)
    async with _client(job.candidate, timeouts) as candidate, _client(job.baseline, timeouts) as baseline:
        if job.suite_kind == SuiteKind.OFF_POLICY:
            items = read_event_items(Path(job.suite_folder))
            return _judge_events(
                items,
                await score(candidate, job.candidate.model, items),
                await score(baseline, job.baseline.model, items),
                job.tolerances,
            )
        exact = read_exact_items(Path(job.suite_folder))
        return judge_exact_match(
            exact,
            await answer(candidate, job.candidate.model, exact),
            await answer(baseline, job.baseline.model, exact),
            job.tolerances,
        )


async def score(client: ModelClient, model: str, items: Sequence[EventItem]) -> list[float | None]:
    """The log-probability of each logged completion; None where this checkpoint would spell it in other tokens."""
    found: list[float | None] = []
    for start in range(0, len(items), ITEMS_PER_REQUEST):
        chunk = items[start : start + ITEMS_PER_REQUEST]
        asked = [{"messages": item.prompt, "completion": item.completion, "finish_reason": item.finish_reason} for item in chunk]
        scores = await _ask_scores(client, {"model": model, "items": asked})
        if len(scores) != len(chunk):
            raise UpstreamError(f"{client.base_url}{SCORE} gave {len(scores)} scores for {len(chunk)} items.")
        for item, one in zip(chunk, sorted(scores, key=lambda one: one.index), strict=True):
            respelt = item.tokens is not None and item.tokens != len(one.token_logprobs)
            found.append(None if respelt else one.logprob)
    return found


async def _ask_scores(client: ModelClient, request: dict[str, Any]) -> list[_Score]:
    async with client.exchange(SCORE, msgspec.json.encode(request)) as opened:
        body = await opened.read()
        if opened.status != _OK:
            text = body[:300].decode("utf-8", "replace")
            raise UpstreamError(f"{client.base_url}{SCORE} answered {opened.status}: {text}", kind="status", status=opened.status)
    try:
        return msgspec.json.decode(body, type=_Scores).data
    except msgspec.DecodeError as error:
        raise UpstreamError(f"{client.base_url}{SCORE} answered no scores: {error}.") from error


async def answer(client: ModelClient, model: str, items: Sequence[ExactItem]) -> list[str]:
    """The likeliest answer to each prompt."""
    places = asyncio.Semaphore(CONCURRENT_ANSWERS)

    async def one(item: ExactItem) -> str:
        async with places:
            request = {"model": model, "messages": item.prompt, "temperature": 0, "max_tokens": item.max_tokens}
            return _content(await client.chat(request), client.base_url)

    return await gather_or_stop([lambda item=item: one(item) for item in items])  # type: ignore[misc]  # a default that binds early


async def gather_or_stop(calls: Sequence[Callable[[], Awaitable[str]]]) -> list[str]:
    """All results in order; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_await(call)) for call in calls]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def _await(call: Callable[[], Awaitable[str]]) -> str:
    return await call()


def _content(response: dict[str, Any], base_url: str) -> str:
    try:
        return str(response["choices"][0]["message"]["content"] or "")
    except (KeyError, IndexError, TypeError) as error:
        raise UpstreamError(f"{base_url} answered a chat without a message.") from error


def _judge_events(
    items: Sequence[EventItem], candidate: Sequence[float | None], baseline: Sequence[float | None], tolerances: Tolerances
) -> Judged:
    kept = [
        (item, ours, theirs)
        for item, ours, theirs in zip(items, candidate, baseline, strict=True)
        if ours is not None and theirs is not None
    ]
    if not kept:
        raise EmptySelectionError(f"Both checkpoints spell none of the {len(items)} logged completions in the tokens logged.")
    return judge_held_out([one[0] for one in kept], [one[1] for one in kept], [one[2] for one in kept], tolerances)


def _client(address: ModelAddress, timeouts: Timeouts) -> ModelClient:
    api_key = os.environ.get(address.api_key_env) if address.api_key_env else None
    return ModelClient(address.base_url, api_key=api_key, timeouts=timeouts)


def write_result(path: Path, judged: Judged) -> None:
    """Write aside, fsync, rename."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(judged))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


if __name__ == "__main__":
    main()

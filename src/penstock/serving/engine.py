"""The model thread: takes requests from the event loop, batches those for one checkpoint, and hands the answers back.

Each checkpoint has a lane: its waiting requests and its running batch. Every round gives each busy lane one step, so a
long answer delays nobody by more than a step. Checkpoints are loaded beside, in one other thread, and the lane that was
used longest ago is let go when there would be too many. Only the model thread touches lanes and tensors.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import torch

from penstock.errors import BadInputError, NotFoundError, PenstockError, UpstreamError
from penstock.serving.allowed_folders import AllowedFolders
from penstock.serving.checkpoint_model import CheckpointModel
from penstock.serving.generation import Answer, Deliver, Generation, Piece, Scoring
from penstock.serving.running_batch import RunningBatch

MAX_TOKENS_PER_PASS = 16_384  # padded; bounds what one prompt or scoring pass may take of memory
MAX_WAITING = 8_192
_log = logging.getLogger(__name__)

Request = Generation | Scoring


@dataclass
class Lane:
    """What one checkpoint has to do."""

    name: str
    model: CheckpointModel | None = None
    batch: RunningBatch | None = None
    is_loading: bool = False
    is_draining: bool = False  # admits nothing more, so that it can be let go
    used_at: float = 0.0
    waiting: deque[Generation] = field(default_factory=deque)
    scorings: deque[Scoring] = field(default_factory=deque)
    entering: list[Request] = field(default_factory=list)  # no longer waiting, not yet in the batch

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.waiting or self.scorings or self.batch)


@dataclass(frozen=True)
class Loaded:
    """What the loading thread tells the model thread."""

    lane: Lane
    result: CheckpointModel | Exception


class Engine:
    """Runs every checkpoint of one server process in one model thread."""

    def __init__(self, folders: AllowedFolders, *, max_batch: int, max_models: int, threads: int) -> None:
        self._folders = folders
        self._max_batch = max_batch
        self._max_models = max_models
        self._threads = threads
        self._inbox: queue.SimpleQueue[tuple[str, list[Request]] | Loaded | None] = queue.SimpleQueue()
        self._lanes: dict[str, Lane] = {}
        self._outbox: list[tuple[Deliver, Answer]] = []
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = 0  # written by the model thread, read by `submit` as a bound, not as a count

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to work; answers are delivered on this loop."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """End the model thread after its present step."""
        self._inbox.put(None)
        self._thread.join()
        self._loader.shutdown(wait=False, cancel_futures=True)

    @property
    def is_alive(self) -> bool:
        """Whether the model thread is running."""
        return self._thread.is_alive()

    @property
    def lanes(self) -> list[Lane]:
        """The checkpoints that are held or wanted, for looking at only."""
        return list(self._lanes.values())

    def submit(self, model: str, requests: list[Request]) -> None:
        """Queue requests for one checkpoint; their answers come by `deliver`. Raises UpstreamError when too many wait."""
        if self._waiting + len(requests) > MAX_WAITING:
            raise UpstreamError(f"{self._waiting} requests are waiting already; try again later.")
        self._inbox.put((model, requests))

    def _run(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            while self._take_messages():
                try:
                    self._round()
                except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody may wait for ever
                    _log.exception("the model thread failed; it begins anew")
                    for lane in self.lanes:
                        self._abandon(lane, UpstreamError(f"The model server failed: {type(error).__name__}: {error}"))
                self._flush()

    def _round(self) -> None:
        for lane in self.lanes:
            self._work(lane)
        self._load_wanted()
        self._waiting = sum(len(lane.waiting) + len(lane.scorings) for lane in self.lanes)

    def _take_messages(self) -> bool:
        """Read the inbox, waiting only where there is nothing else to do; False when the engine is to stop."""
        block = not any(lane.model is not None and lane.has_work for lane in self._lanes.values())
        while True:
            try:
                message = self._inbox.get(block=block)
            except queue.Empty:
                return True
            if message is None:
                return False
            self._receive(message)
            block = False

    def _receive(self, message: tuple[str, list[Request]] | Loaded) -> None:
        if isinstance(message, Loaded):
            self._finish_loading(message)
            return
        name, requests = message
        lane = self._lanes.get(name)
        if lane is None:
            try:
                self._folders.find(name)
            except (NotFoundError, OSError) as error:
                self._answer(requests, error)
                self._flush()
                return
            lane = self._lanes[name] = Lane(name)
        for request in requests:
            if isinstance(request, Generation):
                lane.waiting.append(request)
            else:
                lane.scorings.append(request)

    def _work(self, lane: Lane) -> None:
        if lane.model is None or lane.batch is None or not lane.has_work:
            return
        lane.used_at = time.monotonic()
        try:
            lane.batch.drop_cancelled()
            if not lane.is_draining:
                self._admit(lane, lane.model, lane.batch)
                self._score(lane, lane.model)
            if lane.batch:
                self._deliver(lane.batch.step())
        except Exception as error:  # noqa: BLE001 - a model that fails in its forward pass must not take the other models with it
            _log.exception("checkpoint %s failed; it is unloaded", lane.name)
            self._abandon(lane, UpstreamError(f"Checkpoint {lane.name} failed: {type(error).__name__}: {error}"))

    def _admit(self, lane: Lane, model: CheckpointModel, batch: RunningBatch) -> None:
        newcomers: list[Generation] = []
        widest = 0
        while lane.waiting and len(batch) + len(newcomers) < self._max_batch:
            generation = lane.waiting[0]
            if generation.cancelled or not self._prepare(generation, model):
                lane.waiting.popleft()
                continue
            widest = max(widest, len(generation.prompt_ids))
            if newcomers and widest * (len(newcomers) + 1) > MAX_TOKENS_PER_PASS:
                break
            newcomers.append(lane.waiting.popleft())
        if newcomers:
            lane.entering = [*newcomers]
            self._deliver(batch.admit(newcomers))
            lane.entering = []

    def _prepare(self, generation: Generation, model: CheckpointModel) -> bool:
        if generation.prompt_ids:
            return True
        try:
            generation.prompt_ids = model.prompt_ids(generation.prompt)
            generation.limit = model.limit(len(generation.prompt_ids), generation.rule.max_tokens)
        except BadInputError as error:
            self._answer([generation], error)
            return False
        return True

    def _score(self, lane: Lane, model: CheckpointModel) -> None:
        scorings: list[Scoring] = []
        pairs: list[tuple[list[int], list[int]]] = []
        widest = 0
        while lane.scorings and len(scorings) < self._max_batch:
            scoring = lane.scorings.popleft()
            if scoring.cancelled:
                continue
            try:
                pair = model.completion_ids(scoring)
            except BadInputError as error:
                self._answer([scoring], error)
                continue
            widest = max(widest, len(pair[0]) + len(pair[1]))
            if scorings and widest * (len(scorings) + 1) > MAX_TOKENS_PER_PASS:
                lane.scorings.appendleft(scoring)
                break
            scorings.append(scoring)
            pairs.append(pair)
        if scorings:
            lane.entering = [*scorings]
            scored = model.score(pairs, [scoring.temperature for scoring in scorings])
            lane.entering = []
            self._outbox.extend((scoring.deliver, result) for scoring, result in zip(scorings, scored, strict=True))

    def _load_wanted(self) -> None:
        wanted = [lane for lane in self.lanes if lane.model is None and not lane.is_loading and lane.has_work]
        for lane in wanted:
            if self._make_room():
                lane.is_loading = True
                self._loader.submit(self._load, lane.name).add_done_callback(self._report_to(lane))
        if not wanted:
            for lane in self.lanes:
                lane.is_draining = False

    def _report_to(self, lane: Lane) -> "Callable[[Future[CheckpointModel]], None]":
        return lambda done: self._inbox.put(Loaded(lane, _outcome(done)))

    def _load(self, name: str) -> CheckpointModel:
        return CheckpointModel(self._folders.find(name))

    def _make_room(self) -> bool:
        """Whether one more checkpoint may be loaded; asks the one unused longest to leave where it may not."""
        held = [lane for lane in self._lanes.values() if lane.is_loading or lane.model is not None]
        if len(held) < self._max_models:
            return True
        ready = [lane for lane in held if lane.model is not None]
        if not ready:
            return False
        oldest = min(ready, key=lambda lane: (not lane.is_draining, lane.used_at))
        oldest.is_draining = True
        if oldest.batch:
            return False  # it leaves when what it has begun is answered
        self._unload(oldest)
        return True

    def _unload(self, lane: Lane) -> None:
        lane.model, lane.batch, lane.is_draining = None, None, False
        if not lane.has_work:
            del self._lanes[lane.name]

    def _finish_loading(self, loaded: Loaded) -> None:
        lane = loaded.lane
        lane.is_loading = False
        if isinstance(loaded.result, CheckpointModel):
            lane.model, lane.batch, lane.used_at = loaded.result, RunningBatch(loaded.result), time.monotonic()
        else:
            self._abandon(lane, loaded.result)

    def _abandon(self, lane: Lane, error: Exception) -> None:
        """Answer everything in the lane with this error, and forget the lane."""
        running = lane.batch.rows if lane.batch else []
        self._answer([*running, *lane.entering, *lane.waiting, *lane.scorings], error)
        self._lanes.pop(lane.name, None)

    def _deliver(self, pieces: Sequence[tuple[Generation, Piece]]) -> None:
        self._outbox.extend((generation.deliver, piece) for generation, piece in pieces)

    def _answer(self, requests: Sequence[Request], error: Exception) -> None:
        self._outbox.extend((request.deliver, error) for request in requests)

    def _flush(self) -> None:
        """Hand what this round produced to the event loop, in one wake-up."""
        if self._outbox and self._loop is not None and not self._loop.is_closed():
            outbox, self._outbox = self._outbox, []
            self._loop.call_soon_threadsafe(_hand_over, outbox)


def _hand_over(outbox: Sequence[tuple[Deliver, Answer]]) -> None:
    for deliver, answer in outbox:
        deliver(answer)


def _outcome(done: "Future[CheckpointModel]") -> CheckpointModel | Exception:
    error = done.exception()
    if error is None:
        return done.result()
    return error if isinstance(error, PenstockError) else UpstreamError(f"Loading failed: {type(error).__name__}: {error}")

"""One home of Penstock that is driven through its own stages by a clock of the simulation: in through the door, out of the lake.

The same parts as `penstock edge` and `penstock worker` are made of. What `penstock up` does all the time is done here when the
simulation's clock says so, so that every `known_at` is a time of the simulation.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy
from examples.card_testing.features import NAMES
from examples.card_testing.transactions import Floats, Transactions
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from penstock.app import Penstock
from penstock.ingest.door import Door
from penstock.ingest.flush import Flusher
from penstock.ingest.redact import Redaction
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.spool import create_spool
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import feedback_id, interaction_id
from penstock.records.label import Dimension, DimensionType, LabelSchema
from penstock.settings import DatasetSettings, ServingSettings, Settings, TrafficSettings, TrainingSettings
from penstock.signals.outcome import OUTCOME
from penstock.signals.run import run_signals
from penstock.statistics.boosted_trees import BoostedTrees, load_model, log_odds

ROUTE, APPLICATION, SCHEMA, DIMENSION = "card-testing", "payments", "card-testing", "fraud"
BEGINS = datetime(2026, 3, 2, tzinfo=UTC)
SPANS_TOGETHER = 1_000
QUESTIONS = LabelSchema(
    name=SCHEMA,
    version=1,
    dimensions=(
        Dimension(name=DIMENSION, question="Did somebody test a card that is not theirs with this?", type=DimensionType.BOOLEAN),
    ),
)


class Home:
    """The stores of one arm, and everything that goes into them."""

    def __init__(self, folder: Path, seed: int, *, test_share: float, threads: int) -> None:
        settings = Settings(
            home=str(folder),
            traffic=TrafficSettings(exposures=["simulated"]),
            dataset=DatasetSettings(test_share=test_share),
            training=TrainingSettings(threads=threads),
            serving=ServingSettings(enabled=False),
        )
        self.at = 0.0  # seconds since the stream began
        folder.mkdir(parents=True, exist_ok=True)
        # Which cards are held out follows from their hashes, so every arm of a seed has the same key. A real home makes its own.
        (folder / "secret.key").write_bytes(hashlib.sha256(f"card-testing {seed}".encode()).digest())
        self.penstock = Penstock(settings)
        self.penstock.clock = WriterClock(lambda: time_of(self.at))
        self.lake = self.penstock.lake
        self.penstock.registry.schemas.put(QUESTIONS)
        self._spool = create_spool(self.penstock.home / "spool", settings.edge.spool_max_bytes)
        self._flusher = Flusher(self.penstock.open_lake(), self._spool, settings.edge.flush_max_rows)
        self.door = Door(self._spool, Redaction(self.penstock.redactor, []), self.penstock.clock, capture_queue=0)
        self._scorer: tuple[str, BoostedTrees] | None = None
        self._reported = False  # whether outcomes have come since they were last settled

    def close(self) -> None:
        """Let go of everything."""
        self.door.close(5.0)
        self._flusher.close()
        self.penstock.registry.close()

    def serving(self) -> tuple[str, BoostedTrees] | None:
        """The checkpoint that the route points to, read anew when the pointer has moved; None before there is one."""
        route = self.penstock.registry.routes.get(ROUTE)
        if route is None:
            return None
        if self._scorer is None or self._scorer[0] != route.stable_checkpoint_id:
            checkpoint = self.penstock.registry.checkpoints.get(route.stable_checkpoint_id)
            self._scorer = checkpoint.checkpoint_id, load_model(Path(str(checkpoint.uri)))
        return self._scorer

    def send(self, given: Transactions, features: Floats, answers: "Answers") -> None:
        """Put scored transactions through the door, as an instrumented payment service would send them."""
        for at in range(0, len(given), SPANS_TOGETHER):
            rows = range(at, min(at + SPANS_TOGETHER, len(given)))
            body = to_otlp(given, features, answers, rows)
            asyncio.run(self.door.accept_traces(body))

    def report(self, name: str, numbers: Sequence[int], happened: Sequence[float], source: str) -> None:
        """Send what became of transactions, by their request ids."""
        reports = [
            Feedback(
                feedback_id=feedback_id(f"{name}-{number}"),
                target_kind=TargetKind.REQUEST,
                target_id=request_of(number),
                name=f"outcome.{name}",
                value=1.0,
                occurred_at=time_of(at),
                known_at=time_of(self.at),
                source=source,
                idempotency_key=f"{name}-{number}",
            )
            for number, at in zip(numbers, happened, strict=True)
        ]
        if reports:
            self._reported = True
            asyncio.run(self.door.accept_feedback(reports))

    def settle(self) -> None:
        """Bring interactions and outcomes in the lake up to what has arrived."""
        while self._flusher.run_once():
            pass
        clock = self.penstock.clock
        settle_interactions(self.lake, clock)
        if self._reported:
            settle_feedback(self.lake, clock, 24.0 * 60)
            run_signals(self.lake, clock, definitions={OUTCOME.name: OUTCOME}, as_of=time_of(self.at))
            self._reported = False


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform made of transactions, a list entry each."""

    score: Floats  # probability
    first_score: Floats  # what the first checkpoint of all would have said; it decides nothing
    flagged: Any  # whether the score lies above the threshold
    passed: Any  # whether it went to the issuer all the same
    pass_probability: Floats
    approved: Any  # by the issuer; False where it was not asked
    checkpoint_id: str | None
    period: int  # how many turns there have been


def score(scorer: tuple[str, BoostedTrees] | None, features: Floats) -> Floats:
    """The probability of fraud, by the checkpoint that serves; 0 before there is one."""
    if scorer is None:
        return numpy.zeros(len(features))
    model = scorer[1]
    known = {name: place for place, name in enumerate(NAMES)}
    return 1.0 / (1.0 + numpy.exp(-log_odds(model, features[:, [known[name] for name in model.features]])))


def to_otlp(given: Transactions, features: Floats, answers: Answers, rows: range) -> bytes:
    """One request of OTLP with a span for each of these rows."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(_text("service.name", APPLICATION))
    spans = resource.scope_spans.add().spans
    for row in rows:
        number = int(given.number[row])
        started = int((BEGINS.timestamp() + float(given.time[row])) * 1_000_000) * 1_000
        span = spans.add(
            trace_id=bytes.fromhex(trace_of(number)),
            span_id=bytes.fromhex(span_of(number)),
            name="score",
            start_time_unix_nano=started,
            end_time_unix_nano=started + 5_000_000,
        )
        span.attributes.extend(_text(name, value) for name, value in _attributes(given, features[row], answers, row))
    return request.SerializeToString()


def _attributes(given: Transactions, asked: Floats, answers: Answers, row: int) -> list[tuple[str, str]]:
    passed = bool(answers.passed[row])
    issuer = ("approved" if answers.approved[row] else "declined") if passed else "not asked"
    features = msgspec.json.encode({name: round(float(value), 4) for name, value in zip(NAMES, asked, strict=True)}).decode()
    said = f'{{"score":{float(answers.score[row]):.6f},"first_score":{float(answers.first_score[row]):.6f}}}'
    found = [
        ("gen_ai.operation.name", "generate_content"),
        ("gen_ai.provider.name", "penstock"),
        ("gen_ai.request.model", ROUTE),
        ("penstock.request.id", request_of(int(given.number[row]))),
        ("penstock.exposure", "simulated"),
        ("user.id", f"card-{int(given.card[row]):x}"),
        ("gen_ai.input.messages", _message("user", features)),
        ("gen_ai.output.messages", _message("assistant", said)),
        ("penstock.tag.period", str(answers.period)),
        ("penstock.tag.decision", "passed" if passed else "blocked"),
        ("penstock.tag.pass_probability", f"{float(answers.pass_probability[row]):g}"),
        ("penstock.tag.issuer", issuer),
    ]
    for name in ("card_range", "merchant", "device", "network", "client"):
        found.append((f"penstock.tag.{name}", f"{name[0]}{int(getattr(given, name)[row]):x}"))
    if answers.checkpoint_id is not None:
        found.append(("penstock.checkpoint.id", answers.checkpoint_id))
    return found


def _message(role: str, text: str) -> str:
    parts = [{"type": "text", "content": text}]
    return msgspec.json.encode([{"role": role, "parts": parts, "finish_reason": "stop"}]).decode()


def _text(name: str, value: str) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=value))


def time_of(seconds: float) -> datetime:
    """A time of the simulation."""
    return BEGINS + timedelta(seconds=seconds)


def trace_of(number: int) -> str:
    """The trace of a transaction."""
    return f"{0xC0FFEE:08x}{number:024x}"


def span_of(number: int) -> str:
    """Its span."""
    return f"{number + 1:016x}"


def request_of(number: int) -> str:
    """The id by which issuers and merchants name it."""
    return f"tx-{number:x}"


def interaction_of(number: int) -> str:
    """The interaction that it becomes."""
    return interaction_id(trace_of(number), span_of(number))

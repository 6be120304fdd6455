"""The registry's tables, each made from its record, with the references that keep every row pointing back.

A change here needs a migration; a test compares the two.
"""

from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text, UniqueConstraint

from penstock.records.access import AuditEntry, Key
from penstock.records.dataset import DatasetVersion
from penstock.records.erasure import Erasure
from penstock.records.evaluation import Evaluation, Suite
from penstock.records.label import LabelSchema
from penstock.records.label_model import LabelModel
from penstock.records.process import EdgeConfirmation, Lease
from penstock.records.release import Release, ReleaseEvent, Route
from penstock.records.training import Checkpoint, TrainingRun
from penstock.records.turn import Turn
from penstock.registry.columns import table_of

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_CHECKPOINT = "checkpoints.checkpoint_id"
_DATASET = "dataset_versions.dataset_version_id"

LABEL_SCHEMAS = table_of(METADATA, "label_schemas", LabelSchema, key=["name", "version"])
LABEL_MODELS = table_of(METADATA, "label_models", LabelModel, key=["label_model_id"], extra=[Index(None, "dimension")])
DATASET_VERSIONS = table_of(METADATA, "dataset_versions", DatasetVersion, key=["dataset_version_id"])
TRAINING_RUNS = table_of(
    METADATA,
    "training_runs",
    TrainingRun,
    key=["training_run_id"],
    references={"dataset_version_id": _DATASET},
    cyclic_references={"parent_checkpoint_id": _CHECKPOINT, "checkpoint_id": _CHECKPOINT},
    extra=[Index(None, "dataset_version_id")],
)
CHECKPOINTS = table_of(
    METADATA,
    "checkpoints",
    Checkpoint,
    key=["checkpoint_id"],
    references={
        "parent_checkpoint_id": _CHECKPOINT,
        "training_run_id": "training_runs.training_run_id",
        "dataset_version_id": _DATASET,
    },
    extra=[Index(None, "name"), Index(None, "dataset_version_id")],
)
SUITES = table_of(METADATA, "suites", Suite, key=["suite_id"], extra=[Index(None, "name")])
EVALUATIONS = table_of(
    METADATA,
    "evaluations",
    Evaluation,
    key=["evaluation_id"],
    references={"suite_id": "suites.suite_id", "checkpoint_id": _CHECKPOINT, "baseline_checkpoint_id": _CHECKPOINT},
    extra=[Index(None, "checkpoint_id")],
)
TURNS = table_of(
    METADATA,
    "turns",
    Turn,
    key=["turn_id"],
    references={
        "dataset_version_id": _DATASET,
        "training_run_id": "training_runs.training_run_id",
        "checkpoint_id": _CHECKPOINT,
    },
    cyclic_references={"release_id": "releases.release_id"},
    extra=[UniqueConstraint("route", "number")],
)
RELEASES = table_of(
    METADATA,
    "releases",
    Release,
    key=["release_id"],
    references={"checkpoint_id": _CHECKPOINT, "stable_checkpoint_id": _CHECKPOINT, "turn_id": "turns.turn_id"},
    extra=[Index(None, "route")],
)
RELEASE_EVENTS = table_of(
    METADATA,
    "release_events",
    ReleaseEvent,
    key=["release_id", "sequence"],
    references={"release_id": "releases.release_id"},
)
ROUTES = table_of(
    METADATA,
    "routes",
    Route,
    key=["route"],
    references={
        "stable_checkpoint_id": _CHECKPOINT,
        "candidate_checkpoint_id": _CHECKPOINT,
        "release_id": "releases.release_id",
    },
)
EDGES = table_of(METADATA, "edges", EdgeConfirmation, key=["worker_id"])
KEYS = table_of(METADATA, "keys", Key, key=["key_id"], extra=[Column("secret_hash", Text, nullable=False)])
LEASES = table_of(METADATA, "leases", Lease, key=["name"])
ERASURES = table_of(METADATA, "erasures", Erasure, key=["erasure_id"])
AUDIT_LOG = table_of(METADATA, "audit_log", AuditEntry, key=["entry_id"], extra=[Index(None, "at")])
COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

"""The first tables: frozen sets, lineage from data to weights, releases and routes, and what processes share."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_frozen_sets()
    _create_lineage()
    _create_releases()
    _create_process_state()
    _close_circles()


def _create_frozen_sets() -> None:
    op.create_table(
        "dataset_versions",
        sa.Column("dataset_version_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("train_rows", sa.BigInteger(), nullable=False),
        sa.Column("test_rows", sa.BigInteger(), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rebuildable", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("dataset_version_id", name=op.f("pk_dataset_versions")),
    )
    op.create_table(
        "label_schemas",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dimensions", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_label_schemas")),
    )
    op.create_table(
        "suites",
        sa.Column("suite_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("suite_id", name=op.f("pk_suites")),
    )
    op.create_index(op.f("ix_suites_name"), "suites", ["name"])


def _create_lineage() -> None:
    op.create_table(
        "training_runs",
        sa.Column("training_run_id", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("dataset_version_id", sa.Text(), nullable=False),
        sa.Column("parent_checkpoint_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        sa.Column("code_revision", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_training_runs_checkpoint_id"), use_alter=True
        ),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"], ["dataset_versions.dataset_version_id"], name=op.f("fk_training_runs_dataset_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["parent_checkpoint_id"],
            ["checkpoints.checkpoint_id"],
            name=op.f("fk_training_runs_parent_checkpoint_id"),
            use_alter=True,
        ),
        sa.PrimaryKeyConstraint("training_run_id", name=op.f("pk_training_runs")),
    )
    op.create_index(op.f("ix_training_runs_dataset_version_id"), "training_runs", ["dataset_version_id"])
    op.create_table(
        "checkpoints",
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=True),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=True),
        sa.Column("parent_checkpoint_id", sa.Text(), nullable=True),
        sa.Column("training_run_id", sa.Text(), nullable=True),
        sa.Column("dataset_version_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"], ["dataset_versions.dataset_version_id"], name=op.f("fk_checkpoints_dataset_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["parent_checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_checkpoints_parent_checkpoint_id")
        ),
        sa.ForeignKeyConstraint(
            ["training_run_id"], ["training_runs.training_run_id"], name=op.f("fk_checkpoints_training_run_id")
        ),
        sa.PrimaryKeyConstraint("checkpoint_id", name=op.f("pk_checkpoints")),
    )
    op.create_index(op.f("ix_checkpoints_dataset_version_id"), "checkpoints", ["dataset_version_id"])
    op.create_index(op.f("ix_checkpoints_name"), "checkpoints", ["name"])
    op.create_table(
        "evaluations",
        sa.Column("evaluation_id", sa.Text(), nullable=False),
        sa.Column("suite_id", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("baseline_checkpoint_id", sa.Text(), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("score_low", sa.Double(), nullable=False),
        sa.Column("score_high", sa.Double(), nullable=False),
        sa.Column("baseline_score", sa.Double(), nullable=True),
        sa.Column("difference", sa.Double(), nullable=True),
        sa.Column("difference_low", sa.Double(), nullable=True),
        sa.Column("difference_high", sa.Double(), nullable=True),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["baseline_checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_evaluations_baseline_checkpoint_id")
        ),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_evaluations_checkpoint_id")),
        sa.ForeignKeyConstraint(["suite_id"], ["suites.suite_id"], name=op.f("fk_evaluations_suite_id")),
        sa.PrimaryKeyConstraint("evaluation_id", name=op.f("pk_evaluations")),
    )
    op.create_index(op.f("ix_evaluations_checkpoint_id"), "evaluations", ["checkpoint_id"])


def _create_releases() -> None:
    op.create_table(
        "turns",
        sa.Column("turn_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("dataset_version_id", sa.Text(), nullable=True),
        sa.Column("training_run_id", sa.Text(), nullable=True),
        sa.Column("checkpoint_id", sa.Text(), nullable=True),
        sa.Column("release_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_turns_checkpoint_id")),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"], ["dataset_versions.dataset_version_id"], name=op.f("fk_turns_dataset_version_id")
        ),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_turns_release_id"), use_alter=True),
        sa.ForeignKeyConstraint(["training_run_id"], ["training_runs.training_run_id"], name=op.f("fk_turns_training_run_id")),
        sa.PrimaryKeyConstraint("turn_id", name=op.f("pk_turns")),
        sa.UniqueConstraint("route", "number", name=op.f("uq_turns_route_number")),
    )
    op.create_table(
        "releases",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("stable_checkpoint_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("candidate_share", sa.Double(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Text(), nullable=True),
        sa.Column("p_value", sa.Double(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("canary_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_releases_checkpoint_id")),
        sa.ForeignKeyConstraint(
            ["stable_checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_releases_stable_checkpoint_id")
        ),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.turn_id"], name=op.f("fk_releases_turn_id")),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_releases")),
    )
    op.create_index(op.f("ix_releases_route"), "releases", ["route"])
    op.create_table(
        "release_events",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_release_events_release_id")),
        sa.PrimaryKeyConstraint("release_id", "sequence", name=op.f("pk_release_events")),
    )
    op.create_table(
        "routes",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("stable_checkpoint_id", sa.Text(), nullable=False),
        sa.Column("candidate_checkpoint_id", sa.Text(), nullable=True),
        sa.Column("candidate_share", sa.Double(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=True),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_routes_candidate_checkpoint_id")
        ),
        sa.ForeignKeyConstraint(["release_id"], ["releases.release_id"], name=op.f("fk_routes_release_id")),
        sa.ForeignKeyConstraint(
            ["stable_checkpoint_id"], ["checkpoints.checkpoint_id"], name=op.f("fk_routes_stable_checkpoint_id")
        ),
        sa.PrimaryKeyConstraint("route", name=op.f("pk_routes")),
    )


def _create_process_state() -> None:
    op.create_table(
        "audit_log",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_at"), "audit_log", ["at"])
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "edges",
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_edges")),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_keys")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def _close_circles() -> None:
    """Add the references that form a circle of tables; SQLite has taken them when it made the table."""
    if op.get_context().dialect.name == "sqlite":
        return
    for table, column, target in (
        ("training_runs", "parent_checkpoint_id", "checkpoints"),
        ("training_runs", "checkpoint_id", "checkpoints"),
        ("turns", "release_id", "releases"),
    ):
        key = "checkpoint_id" if target == "checkpoints" else "release_id"
        op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, target, [column], [key])

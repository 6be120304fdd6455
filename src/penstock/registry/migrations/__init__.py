"""Alembic's migrations of the registry, one numbered file each; run by `Registry.migrate()`, never edited once released."""

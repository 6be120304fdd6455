"""The registry: what is small and transactional, in SQLite or PostgreSQL. Enforces the transition tables of records/."""

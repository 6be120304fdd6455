"""Ingest: from bytes on the wire to durable spans and feedback, and from those to interactions. Never judges quality."""

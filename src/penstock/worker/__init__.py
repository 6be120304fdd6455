"""The worker: runs the stages as durable workflows."""

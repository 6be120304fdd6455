"""Evaluation: scores a checkpoint on frozen suites, item by item, beside the one in production."""

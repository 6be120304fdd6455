"""Penstock connects what users do with an AI product back to the model's weights, and keeps it connected."""

__version__ = "0.1.0"

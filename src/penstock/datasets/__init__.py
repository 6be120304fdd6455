"""Datasets: frozen, content-addressed training sets, every row traceable to its request."""

"""Estimators and tests that several stages need. Numbers in, numbers out."""

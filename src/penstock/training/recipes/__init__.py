"""Recipes: each one file, read top to bottom, run as its own process."""

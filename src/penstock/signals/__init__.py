"""Signals: facts about how an interaction went, each definition one file with one pure function."""

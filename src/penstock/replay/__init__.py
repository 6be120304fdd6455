"""Sends what was logged elsewhere through the edge, as a client would."""

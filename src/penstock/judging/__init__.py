"""Models that are asked to judge: one verifiable question at a time, an answer that is read strictly, a failure that is a value.

Nothing here reads or writes a store, and nothing here raises for what a model does.
"""

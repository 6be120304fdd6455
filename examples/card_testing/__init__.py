"""Card testing: a stream of card payments in which attackers keep changing their pattern, and a classifier that learns from it.

An example that uses Penstock as a library, with a clock of its own; everything in here is simulated, and marked so.
"""

"""How long the services keep a connection that says nothing."""

KEEP_ALIVE_S = 75
"""Longer than clients do: who closes first takes the answer from one that asks just then."""

"""Seeded fleets with faults, the ledger of the truth, and the scorer that holds a lake to it."""

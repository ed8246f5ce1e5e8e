"""Drills: a fault against the running stack, and whether every promise was kept."""

"""Sinks: one file a way of sending."""

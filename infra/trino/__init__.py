"""Trino: its configuration, its start, and the tables that it knows."""

"""Revisions of the alerts service's database."""

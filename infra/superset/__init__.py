"""Superset: its environment, its start, its logins, and the dashboards that it shows."""

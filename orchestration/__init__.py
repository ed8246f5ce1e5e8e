"""Dagster definitions: every table an asset; jobs start through Pipes, on a schedule."""

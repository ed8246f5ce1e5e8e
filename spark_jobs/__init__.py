"""Spark applications: streams that land telemetry and aggregate it, and the batch jobs."""

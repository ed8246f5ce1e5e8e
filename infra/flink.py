"""Flink in an environment of its own: what landing is measured beside, and nothing else uses."""

from infra.apart import Apart

FLINK = Apart("flink", "Flink", "or leave Flink out of the benchmark: --ways")

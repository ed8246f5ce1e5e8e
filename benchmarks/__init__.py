"""Benchmarks: each prints its figures beside a limit or a peer of the same run."""

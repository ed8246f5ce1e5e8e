"""How far a way to land is, and what it took until then."""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from benchmarks.cpu_parts import cpu_s_by_part


class Mark(NamedTuple):
    """Rows read by now, CPU seconds of the process tree by part, and the clock."""

    rows: int
    cpu_s: Mapping[str, float]
    at: float


def mark(rows: int) -> Mark:
    """Take a mark."""
    return Mark(rows, cpu_s_by_part(), time.monotonic())


def cost(spans: Iterable[tuple[Mark, Mark]]) -> dict[str, object]:
    """Return CPU and rate between the marks of passes that each read all of the backlog."""
    by_part: dict[str, float] = defaultdict(float)
    wall_us = 0.0
    for warm, end in spans:
        rows = end.rows - warm.rows
        assert rows > 0, "the warm-up took the whole backlog: let it be smaller"
        for part, used_s in end.cpu_s.items():
            by_part[part] += (used_s - warm.cpu_s.get(part, 0.0)) / rows * 1e6
        wall_us += (end.at - warm.at) / rows * 1e6
    cpu_us = sum(by_part.values())
    return {"cpu_us": cpu_us, "events_per_s": 1e6 / wall_us, "cpu_us_by_part": dict(by_part)}


def check_warm_up(options: argparse.ArgumentParser, messages: int, warm: int, batch: int) -> None:
    """End with exit code 2 where nothing is left behind the warm-up, which ends with a batch.

    That would show only in the end.
    """
    until = max(1, -(-warm // batch)) * batch
    if messages <= until:
        options.error(
            f"of {messages:,} messages none is left to count: {warm:,} warm up, and batches of"
            f" {batch:,} make that {until:,}; ask for more, or for a smaller warm-up and batches"
        )

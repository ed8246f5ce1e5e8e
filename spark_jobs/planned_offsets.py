"""Which offsets Spark has planned for a batch of the Kafka source: its checkpoint says so.

Spark writes `offsets/N` before it runs batch N, and that file stays until the batch is committed;
so a batch that is run again reads what it read before.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from telemetry.topics import TELEMETRY


class Span(NamedTuple):
    """Offsets of one partition, from `first` on, `until` not among them."""

    partition: int
    first: int
    until: int

    @property
    def length(self) -> int:
        """How many offsets there are."""
        return self.until - self.first


def planned(checkpoint: Path, batch_id: int) -> list[Span] | None:
    """Return what a batch is to read; None if the checkpoint does not say where it begins.

    A partition that was not there when the batch before was planned is read from its start on.
    """
    before = checkpoint / "offsets" / str(batch_id - 1)
    begin = before if batch_id else checkpoint / "sources" / "0" / "0"
    end = checkpoint / "offsets" / str(batch_id)
    if not begin.exists() or not end.exists():
        return None
    firsts, untils = _offsets(begin), _offsets(end)
    spans = [Span(number, firsts.get(number, 0), until) for number, until in untils.items()]
    return sorted(span for span in spans if span.length > 0)


def _offsets(path: Path) -> dict[int, int]:
    """Return the next offset of each partition; it stands in the last line of such a file."""
    line = path.read_text("utf-8").strip().split("\n")[-1]
    found = json.loads(line)[TELEMETRY.name]
    return {int(number): int(offset) for number, offset in found.items()}


def shared_out(spans: Sequence[Span], tasks: int) -> tuple[tuple[Span, ...], ...]:
    """Give each partition whole to a task, the longest first to the one that has least."""
    shares: list[list[Span]] = [[] for _ in range(max(1, min(tasks, len(spans))))]
    for span in sorted(spans, key=lambda span: -span.length):
        min(shares, key=lambda share: sum(each.length for each in share)).append(span)
    return tuple(tuple(sorted(share)) for share in shares)

"""Judges a range of bronze anew, as landing judged it, and writes its silver beside."""

from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from spark_jobs.dedup.decision import decide, firsts, verdict_rows
from spark_jobs.dedup.index import KeyIndex
from spark_jobs.jobs.first_copies import FirstCopies
from spark_jobs.jobs.judging import Judge, Piece, received_messages
from spark_jobs.jobs.known import Known
from spark_jobs.lake import Lake
from spark_jobs.transforms import routes
from spark_jobs.transforms.first_use import first_use
from spark_jobs.transforms.judgement import Judgement
from spark_jobs.transforms.offsets import Offsets, ranges
from spark_jobs.transforms.spans import Span
from telemetry.tables import FIRST_USE

CHUNK = 100_000
_MICROSECOND = timedelta(microseconds=1)
_FOR_EVER = 2**62


class RangeReplay:
    """One range: first copies by Kafka's order within it, by silver outside of it."""

    def __init__(self, main: Lake, beside: Lake, known: Known, *, received: Span) -> None:
        self.messages = 0
        self.offsets: Offsets = {}
        self._main = main
        self._beside = beside
        self._known = known
        self._received = received

    def run(self, judge: Judge, version: int, *, chunk: int = CHUNK) -> None:
        """Judge what a version of bronze holds of the range, so many records at a time."""
        rows = received_messages(self._main, version, self._received)
        room = max(1, 2 * rows.select(pl.col("items").sum()).collect().item())
        outside = ~self._received.holds("received_at")
        copies = FirstCopies(self._main, remembered=room, among=outside)
        index = KeyIndex(remembered=_FOR_EVER, horizon_us=None)
        for piece in _pieces(rows, Piece(version, self._received, self._received), chunk):
            self._take(judge(piece, self._known.fleet()), index, copies)

    def _take(self, found: Judgement, index: KeyIndex, copies: FirstCopies) -> None:
        heads = routes.heads(found)
        self.messages += len(heads)
        self._note(ranges(heads))
        types = self._known.types
        uses = first_use(routes.unsettled(found, heads, types), types)
        if uses.fixed.height:
            self._known = self._known.with_types(uses.fixed)
            self._beside.append(FIRST_USE, uses.fixed.select(FIRST_USE.column_names), None)
        accepted = routes.accepted(heads, uses.reasons)
        candidates = routes.candidates(found, accepted)
        index.take_up([*copies.know(candidates.keys())])
        verdicts = decide(candidates, index, copies.find)
        aside = verdict_rows(candidates, verdicts)
        for table, rows in routes.routed(found, heads, uses.reasons, aside):
            if rows.num_rows:
                self._beside.append(table, rows, None)
        copies.remember(*firsts(candidates, verdicts))

    def _note(self, offsets: Offsets) -> None:
        for at, (first, last) in offsets.items():
            low, high = self.offsets.get(at, (first, last))
            self.offsets[at] = min(low, first), max(high, last)


def _pieces(rows: pl.LazyFrame, whole: Piece, chunk: int) -> Iterator[Piece]:
    """Cut a range in order of Kafka's time, so that the first copies win."""
    times = rows.select(pl.col("kafka_time").sort()).collect()["kafka_time"]
    if times.is_empty():
        return
    starts = times.gather_every(chunk).unique(maintain_order=True).to_list()
    ends = [*starts[1:], times[-1] + _MICROSECOND]
    for start, end in zip(starts, ends, strict=True):
        yield Piece(whole.version, whole.received, Span(start, end))

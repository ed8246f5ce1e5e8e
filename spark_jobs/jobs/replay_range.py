"""Judges a range of bronze anew, as landing judged it, and writes its silver beside."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from spark_jobs.dedup.decision import decide, firsts, verdict_rows
from spark_jobs.dedup.index import KeyIndex
from spark_jobs.jobs.first_copies import FirstCopies
from spark_jobs.jobs.judging import Judge, Piece, received_messages
from spark_jobs.jobs.known import Known
from spark_jobs.lake import Lake
from spark_jobs.transforms import routes, time_cuts
from spark_jobs.transforms.first_use import first_use
from spark_jobs.transforms.judgement import Judgement
from spark_jobs.transforms.offsets import Offsets, ranges
from spark_jobs.transforms.spans import LATEST, Span
from telemetry.tables import CONFLICTS, DUPLICATES, FIRST_USE, REJECTED

CHUNK = 100_000
"""Messages that are judged in one go."""
_FOR_EVER = 2**62
_IS_ELSEWHERE = (pl.col("first_topic") != pl.col("topic")) | (
    pl.col("first_partition") != pl.col("partition")
)
"""Of a later copy, that its first one is in another partition."""


class RangeReplay:
    """One range: first copies by Kafka's order within it, by silver outside of it.

    What was rejected until a replay took it up comes behind the copies that had landed meanwhile,
    and of copies in several partitions, which have no order, the one first that landed first.
    """

    def __init__(self, main: Lake, beside: Lake, known: Known, *, received: Span) -> None:
        self.messages = 0
        self.offsets: Offsets = {}
        self._main = main
        self._beside = beside
        self._known = known
        self._received = received
        self._inside = FirstCopies(main, remembered=1, among=received.holds("received_at"))
        self._behind: list[Judgement] = []

    def run(self, judge: Judge, version: int, *, chunk: int = CHUNK) -> None:
        """Judge what a version of bronze holds of the range, about so many messages at a time."""
        rows = received_messages(self._main, version, self._received)
        room = max(1, 2 * rows.select(pl.col("items").sum()).collect().item())
        outside = ~self._received.holds("received_at")
        copies = FirstCopies(self._main, remembered=room, among=outside)
        index = KeyIndex(remembered=_FOR_EVER, horizon_us=None)
        for piece in _pieces(rows, Piece(version, self._received, self._received), chunk):
            found = judge(piece, self._known.fleet())
            heads = routes.heads(found)
            self.messages += len(heads)
            self._note(ranges(heads))
            self._take(found, self._without_later(found, heads), index, copies)
        for found in self._behind:
            self._take(found, routes.heads(found), index, copies)

    def _without_later(self, found: Judgement, heads: pl.DataFrame) -> pl.DataFrame:
        """Put messages aside that landed when silver held a copy of their key."""
        low, high = heads["offset"].min(), heads["offset"].max()
        near = pl.col("offset").is_between(low, high)
        items = pl.concat(frame.filter(near) for frame in self._landed_behind()).collect()
        mine = heads.filter("is_accepted").join(items, on=list(REJECTED.key), how="semi")
        if mine.is_empty():
            return heads
        some = routes.candidates(found, mine["row"].sort().to_numpy())
        held = self._inside.find(dict.fromkeys(some.keys()))
        keys = some.keys_at(np.arange(len(some.rows)))
        copies = [some.copies.at(place)[:4] for place in range(len(keys))]
        both = zip(keys, copies, strict=True)
        later = some.rows[[key in held and held[key][:4] != copy for key, copy in both]]
        if not len(later):
            return heads
        self._behind.append(routes.only(found, later))
        return heads.filter(~pl.col("row").is_in(later))

    def _landed_behind(self) -> Iterator[pl.LazyFrame]:
        """Yield where messages are that landed behind copies which Kafka's order puts behind."""
        reasons = {
            REJECTED: pl.col("replayed_at").is_not_null(),
            DUPLICATES: _IS_ELSEWHERE,
            CONFLICTS: _IS_ELSEWHERE,
        }
        for table, is_behind in reasons.items():
            rows = self._main.scan(table).filter(self._received.holds("received_at"), is_behind)
            yield rows.select(REJECTED.key)

    def _take(
        self, found: Judgement, heads: pl.DataFrame, index: KeyIndex, copies: FirstCopies
    ) -> None:
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
    for start, end in time_cuts.spans(rows, chunk):
        yield Piece(whole.version, whole.received, Span(start, end or LATEST))

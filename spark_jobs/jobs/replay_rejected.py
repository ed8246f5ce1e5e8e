"""Takes up rejected messages whose rules pass now, and lands them as landing would."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import polars as pl
import pyarrow as pa

from spark_jobs.dedup.decision import decide, verdict_rows
from spark_jobs.dedup.index import KeyIndex
from spark_jobs.jobs.first_copies import FirstCopies
from spark_jobs.jobs.judging import judged_here
from spark_jobs.jobs.known import Known, known
from spark_jobs.jobs.replay_expired import Expired
from spark_jobs.jobs.restating import silver_versions
from spark_jobs.jobs.silver_pause import SilverPause
from spark_jobs.lake import Lake
from spark_jobs.reading_rows import ReadingRows
from spark_jobs.restatements import REPLAYED_ROWS, Mark, Restatements
from spark_jobs.table_files import Change
from spark_jobs.transforms import routes
from spark_jobs.transforms.first_use import ORDER, first_use
from spark_jobs.transforms.judgement import Judgement
from spark_jobs.transforms.marks import TOUCHED, of_rows
from spark_jobs.transforms.routes import SILVER
from spark_jobs.transforms.spans import Span
from telemetry.errors import HeadwaterError
from telemetry.judge import UNKNOWN_RULES
from telemetry.settings import Settings
from telemetry.tables import DEVICES, FIRST_USE, LATE, MESSAGES, READINGS, REJECTED, Table

CHUNK = 50_000
"""Messages of records that are judged in one go, a KiB of them counting as one more."""
DEVICE = ["tenant", "device_full"]
_ITEM, _RECORD = list(REJECTED.key), list(MESSAGES.key)
SAID = {"query": "replay"}
_RULES = pl.col("reasons").list.eval(pl.element().struct.field("rule"))
MOST_NAMED = 20
_LANDS_IN = tuple(table for table in SILVER if table != REJECTED)
Result = dict[str, object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rejected messages are taken up: None is any."""

    reason: str | None = None
    product: str | None = None
    received: Span | None = None
    is_registered: bool = False
    """Only those whose device or product was unknown, and whose device is registered now."""

    def rows(self, lake: Lake) -> pl.LazyFrame:
        """Return the rows that no replay has taken up."""
        rows = lake.scan(REJECTED).filter(pl.col("replayed_at").is_null())
        if self.reason is not None:
            rows = rows.filter(_RULES.list.contains(self.reason))
        if self.is_registered:
            registered = lake.scan(DEVICES).select(DEVICE)
            unknown = pl.any_horizontal(_RULES.list.contains(rule) for rule in UNKNOWN_RULES)
            rows = rows.filter(unknown).join(registered, on=DEVICE, how="semi")
        if self.product is not None:
            rows = rows.filter(pl.col("product") == self.product)
        return rows if self.received is None else rows.filter(self.received.holds("received_at"))


def refuse_unheard(lake: Lake, wanted: Wanted, products: Collection[str]) -> None:
    """Raise where a reason or product was asked for that no rejected message ever had.

    A product that there is may have none.
    """
    said = {"for": (wanted.reason, _RULES.list.unique().explode())}
    if wanted.product not in products:
        said["of product"] = wanted.product, pl.col("product")
    for word, (asked, column) in said.items():
        names = lake.scan(REJECTED).select(name=column).drop_nulls()
        counts = dict(names.group_by("name").len().collect().iter_rows()) if asked else {}
        if counts and asked not in counts:
            ordered = sorted(counts, key=lambda name: (-counts[name], name))
            told = [f"{name} ({counts[name]:,})" for name in ordered[:MOST_NAMED]]
            more = [f"{len(ordered) - MOST_NAMED} more"] if len(ordered) > MOST_NAMED else []
            raise HeadwaterError(
                f"no message was ever rejected {word} {asked!r}; there are"
                f" {', '.join([*told, *more])}"
            )


class RejectedReplay:
    """Lands what passes now, then stamps it: killed between the two, it lands nothing twice."""

    def __init__(self, settings: Settings, lake: Lake, now: datetime) -> None:
        self.landed: Counter[str] = Counter()
        self.taken_up = 0
        self.expired = 0
        self._expired = Expired(lake, now.date())
        self._lake = lake
        self._now = now
        self._known: Known = known(settings, lake, now)
        self._tolerance_us = round(settings.clock_tolerance_s * 1_000_000)
        self._silver = SilverPause(settings)
        self._marks = Restatements(lake)

    @property
    def products(self) -> set[str]:
        """Return the names of all products."""
        return {product.key for product in self._known.products}

    def run(self, items: pl.DataFrame) -> None:
        """Judge messages anew, in the order in which they came, and land those that pass."""
        found, passing = self._passing(items)
        if passing.is_empty():
            return
        with self._silver.change():
            passing = self._kept(found, passing)
            if passing.is_empty():
                return
            types = self._known.types
            uses = first_use(routes.unsettled(found, passing, types), types)
            if uses.fixed.height:
                fixed = uses.fixed.select(FIRST_USE.column_names)
                self._known = self._known.with_types(fixed)
                self._lake.append(FIRST_USE, fixed, None)
            accepted = passing.join(uses.reasons, on="row", how="anti")
            self._land(found, accepted.join(self._settled(accepted), on=_ITEM, how="anti"))
            self._mark(accepted.select(_ITEM))
            self._stamp(accepted)

    def _passing(self, items: pl.DataFrame) -> tuple[Judgement, pl.DataFrame]:
        """Return all messages of the records, and the heads of those that pass."""
        near = pl.col("received_date").is_in(items["received_date"].unique().to_list())
        low, high = items["offset"].min(), items["offset"].max()
        rows = self._lake.scan(MESSAGES).filter(near, pl.col("offset").is_between(low, high))
        records = rows.join(items.lazy(), on=_RECORD, how="semi").collect()
        found = judged_here(records, self._known.fleet(), tolerance_us=self._tolerance_us)
        mine = routes.heads(found).join(items, on=_ITEM, how="semi")
        return found, mine.filter("is_accepted")

    def _kept(self, found: Judgement, passing: pl.DataFrame) -> pl.DataFrame:
        """Return messages without those that retention would have dropped: these stay rejected.

        What a replay has landed before it was killed is to be stamped, however old it is now.
        """
        new = passing.join(self._settled(passing), on=_ITEM, how="anti")
        gone = self._expired.messages(found, new)
        self.expired += len(gone)
        return passing.join(gone, on="row", how="anti")

    def _settled(self, messages: pl.DataFrame) -> pl.DataFrame:
        """Return those that a replay has landed before it was killed."""
        low, high = messages["offset"].min(), messages["offset"].max()
        near = pl.col("offset").is_between(low, high)
        items = messages.lazy().select(_ITEM)
        held = [
            self._lake.scan(table).select(_ITEM).filter(near).join(items, on=_ITEM, how="semi")
            for table in _LANDS_IN
        ]
        return pl.concat(held).unique().collect()

    def _land(self, found: Judgement, heads: pl.DataFrame) -> None:
        candidates = routes.candidates(found, heads["row"].sort().to_numpy())
        copies = FirstCopies(self._lake, remembered=max(1, 2 * len(heads)))
        index = KeyIndex(remembered=2**62, horizon_us=None)
        index.take_up([*copies.know(candidates.keys())])
        aside = verdict_rows(candidates, decide(candidates, index, copies.find))
        for table, rows in routes.routed(found, heads, heads.select("row").clear(), aside):
            self._append(table, rows)

    def _append(self, table: Table, rows: pa.Table | ReadingRows) -> None:
        if rows.num_rows:
            self._lake.append(table, rows, None, SAID)
            self.landed[table.name] += rows.num_rows

    def _mark(self, items: pl.DataFrame) -> None:
        """Mark the windows of what landed, also of what a replay landed before it was killed."""
        mark_id = f"{REPLAYED_ROWS}/{sha256(items.write_ndjson().encode()).hexdigest()[:16]}"
        if mark_id in self._marks.marks()["mark_id"]:
            return
        near = pl.col("offset").is_between(items["offset"].min(), items["offset"].max())
        held = [
            self._lake.scan(table).filter(near).join(items.lazy(), on=_ITEM, how="semi")
            for table in (READINGS, LATE)
        ]
        rows = pl.concat(frame.select(TOUCHED) for frame in held).collect()
        mark = Mark(mark_id, REPLAYED_ROWS, self._now, silver_versions(self._lake))
        self._marks.mark(of_rows(rows), mark)

    def _stamp(self, messages: pl.DataFrame) -> None:
        """Say of rejected messages that they were replayed; they leave the sum."""
        self.taken_up += len(messages)
        items = messages.select(_ITEM)
        low, high = items["offset"].min(), items["offset"].max()
        stamp = pl.lit(self._now).cast(pl.Datetime("us", "UTC"))

        def change(stored: pl.LazyFrame) -> Change:
            near = stored.filter(pl.col("offset").is_between(low, high))
            rows = near.join(items.lazy(), on=_ITEM, how="semi").collect()
            stamped = rows.with_columns(replayed_at=pl.coalesce("replayed_at", stamp))
            may_hold = (pl.col("min.offset") <= high) & (pl.col("max.offset") >= low)
            return Change((stamped,), items, may_hold)

        self._lake.update(REJECTED, change, None, SAID)


def replay_rejected(
    settings: Settings, lake: Lake, now: datetime, wanted: Wanted, *, chunk: int = CHUNK
) -> Result:
    """Take up what passes now of the rejected messages that are wanted, and count them."""
    replay = RejectedReplay(settings, lake, now)
    columns = [*_ITEM, "kafka_time", "received_date", pl.col("message").bin.size("kb")]
    items = wanted.rows(lake).select(columns).sort(ORDER).collect()
    if items.is_empty():
        refuse_unheard(lake, wanted, replay.products)
    for piece in _pieces(lake, items, chunk):
        replay.run(piece)
    return {
        "rejected": len(items),
        "taken_up": replay.taken_up,
        "expired": replay.expired,
        "still_rejected": len(items) - replay.taken_up - replay.expired,
        "landed": dict(replay.landed),
    }


def _pieces(lake: Lake, items: pl.DataFrame, most: int) -> Iterator[pl.DataFrame]:
    """Cut messages where their whole records, which may be lists, have about `most` messages."""
    dates = pl.col("received_date").is_in(items["received_date"].unique().to_list())
    records = lake.scan(MESSAGES).filter(dates).select(*_RECORD, "items")
    asked = items.lazy().select(_RECORD).unique()
    held = records.join(asked, on=_RECORD, how="semi").collect(engine="streaming")
    sized = items.join(held, on=_RECORD, how="left", maintain_order="left")
    size = pl.col("items").fill_null(1) * (1 + pl.col("message").fill_null(0.0))
    share = size / pl.len().over(_RECORD)
    before = (share.cum_sum() - share) // most
    for _, piece in sized.with_columns(piece=before).group_by("piece", maintain_order=True):
        yield piece.select(*_ITEM, "kafka_time", "received_date")

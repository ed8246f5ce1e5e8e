"""Keeps the tables of tumbling and sliding windows: one merge a batch, a commit a table."""

from collections.abc import Iterable, Iterator

import polars as pl

from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from spark_jobs.row_files import PATH
from spark_jobs.table_files import Swap
from spark_jobs.table_group import Snapshots, Swaps, update_group
from spark_jobs.transforms import window_rows
from spark_jobs.transforms.classes import CLASS, PRODUCT, several
from spark_jobs.transforms.finality import due, open_windows
from spark_jobs.transforms.window_rows import AT, NAME, OPEN_ROW
from telemetry.tables import ZONE_WINDOWS, Table

_FILE = {
    "path": pl.col("path"),
    "retention_class": pl.col("partition.retention_class"),
    "window_period": pl.col("partition.window_period"),
    "min.window_start": pl.col("min.window_start"),
    "max.window_start": pl.col("max.window_start"),
}
_MOMENT = pl.Datetime("us", "UTC")
_NO_FILE = pl.DataFrame(
    schema={
        "table": NAME,
        "path": pl.String(),
        "retention_class": pl.String(),
        "window_period": pl.Date(),
        "min.window_start": _MOMENT,
        "max.window_start": _MOMENT,
    }
)


class GoldWindows:
    """Windows of devices and zones as one owner writes them; it knows which are still open."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._open = pl.DataFrame()
        self._classes: pl.DataFrame | None = None
        """Tenant, product and retention class of all windows, once they are asked for."""

    def find_open(self, watermarks: pl.DataFrame, settled: pl.DataFrame) -> None:
        """Read which windows are open, of products that have a watermark now."""
        found = (
            open_windows(self._lake.scan(table), watermarks, settled).select(
                pl.lit(table.name, NAME).alias("table"), pl.all()
            )
            for table in window_rows.TABLES
        )
        self._open = pl.concat(found)

    def merge(
        self, minutes: pl.DataFrame, rules: pl.DataFrame, watermarks: pl.DataFrame, txn: Txn
    ) -> dict[str, int]:
        """Merge minute partials into every table; return the rows written by table."""
        gained = window_rows.gained(minutes, rules)
        changed = self._of_several_classes(gained)
        gained = window_rows.in_one_class(gained, changed)
        ending = due(self._open, watermarks)
        elsewhere = window_rows.in_all_classes(gained, changed)
        touched = pl.concat([gained.select(AT), ending.select(AT), elsewhere]).unique()
        names = set(touched["table"].unique())
        tables = [table for table in window_rows.TABLES if table.name in names]

        def change(snapshots: Snapshots) -> Swaps:
            mine = pl.col("table").is_in([table.name for table in snapshots])
            stored = _stored(snapshots, touched.filter(mine))
            hit, others = window_rows.touched(stored, gained.filter(mine), ending.filter(mine))
            done = window_rows.together(hit, gained.filter(mine), watermarks, changed)
            self._note_open(done, ending.filter(mine), watermarks)
            return dict(_swaps(snapshots, hit, others, done))

        return update_group(self._lake, tables, change, txn)

    def _of_several_classes(self, gained: pl.DataFrame) -> pl.DataFrame:
        """Return the classes of products that have several; zones' days have few rows of all."""
        days, columns = ZONE_WINDOWS["day"], [*PRODUCT, CLASS]
        if self._classes is None:
            self._classes = self._lake.scan(days).select(columns).unique().collect()
        fresh = gained.filter(pl.col("table") == days.name).select(columns)
        self._classes = pl.concat([self._classes, fresh]).unique()
        return several(self._classes)

    def _note_open(
        self, done: pl.DataFrame, ending: pl.DataFrame, watermarks: pl.DataFrame
    ) -> None:
        still_open = open_windows(done.lazy(), watermarks, watermarks.clear(), of=OPEN_ROW)
        before = self._open.join(ending, on=OPEN_ROW, how="anti")
        self._open = pl.concat([before, still_open]).unique()


def _stored(snapshots: Snapshots, touched: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of files that may hold touched windows, each with its table and path."""
    files = (
        snapshot.files.select(pl.lit(table.name, NAME).alias("table"), **_FILE)
        for table, snapshot in snapshots.items()
        if snapshot.files.height
    )
    near = window_rows.near(pl.concat([_NO_FILE, *files]), touched)
    rows = (
        window_rows.named(snapshot.read(near.filter(table=table.name)["path"]), table)
        for table, snapshot in snapshots.items()
    )
    return pl.concat(rows)


def _swaps(
    tables: Iterable[Table], hit: pl.DataFrame, others: pl.DataFrame, done: pl.DataFrame
) -> Iterator[tuple[Table, Swap]]:
    removed = hit.select("table", PATH).unique()
    kept = window_rows.by_table(others.join(removed, on=removed.columns, how="semi"))
    rows = window_rows.by_table(done, "is_final")
    for table in tables:
        frames = [rows[key] for key in ((table.name, True), (table.name, False)) if key in rows]
        stays = [kept[key] for key in ((table.name,),) if key in kept]
        yield table, Swap(removed.filter(table=table.name)[PATH], stays, frames)

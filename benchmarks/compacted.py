"""Bytes of silver once a day is closed and compacted, beside the same messages in plain Parquet.

`make bench BENCH=compacted OUT=build/compacted.json`

Telemetry is landed as the stack does and compacted as the night's job does. Beside it stand its
messages as one file of a row a message, typed columns, by Spark's codec and level: with all that
silver knows of a message (`wide`, which the limit is of), and what devices said alone (`plain`, in
the order of arrival; `plain_sorted`, by device). Each file is read again.
"""

import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks.backlog import Backlog, metric_types
from benchmarks.growth import filled, landed
from benchmarks.report import Figures, count, parser, report
from spark_jobs.jobs.compact import Budget, compacted, planned
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from telemetry.tables import READINGS

LIMIT = 2.0
LEVEL = 3
"""Of zstd, which Spark takes unless told otherwise."""
SAID = ("device_full", "boot", "seq", "device_time")
OF_READING = ("metric", "value", "value_text", "value_bool", "unit", "quality")
PLACE = ("topic", "partition", "offset")
CORES = 2


def run(backlog: Backlog, batch: int) -> Figures:
    """Land a backlog, compact it, write its messages plainly, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "landed"
        with filled(Path(folder), backlog) as kafka:
            landed(home, kafka, backlog, {"warm": 0, "batch": batch}, CORES)
        settings = Settings(home=home)
        lake = Lake(settings.lake_root)
        before = _size(lake)
        _compact(settings, lake)
        found = {"landed": before, "compacted": _size(lake), **_plain(lake, Path(folder), backlog)}
    return _figures(found, backlog)


def _size(lake: Lake) -> int:
    return int(lake.files(READINGS)["size"].sum())


def _compact(settings: Settings, lake: Lake) -> None:
    """Compact as if the day was over."""
    later = datetime.now(UTC).date() + timedelta(days=2)
    compacted(settings, lake, planned(lake, READINGS, later), Budget(3600))


def _plain(lake: Lake, folder: Path, backlog: Backlog) -> Mapping[str, int]:
    readings = lake.scan(READINGS)
    names = [name for name in READINGS.column_names if name not in OF_READING]
    kinds = {"double": "value", "bool": "value_bool", "string": "value_text"}
    values = [
        pl.col(kinds[type_]).filter(pl.col("metric") == metric).first().alias(metric)
        for metric, type_ in metric_types(backlog.metrics).items()
    ]
    of_message = pl.col([name for name in names if name not in PLACE])
    grouped = readings.group_by(PLACE).agg(of_message.first(), *values)
    wide = grouped.collect(engine="streaming")
    assert len(wide) == backlog.events, f"{len(wide)} messages, {backlog.events} are right"
    metrics = [*metric_types(backlog.metrics)]
    assert not any(wide[metric].null_count() for metric in metrics), "a reading is lost"
    plain = wide.select(*SAID, *metrics)
    order = ("device_full", "event_time")
    return {
        "plain": _written(plain.select(pl.all().sort_by(wide["kafka_time"])), folder),
        "plain_sorted": _written(wide.sort(order).select(plain.columns), folder),
        "wide": _written(wide.sort(order), folder),
    }


def _written(rows: pl.DataFrame, folder: Path) -> int:
    path = folder / "plain.parquet"
    rows.write_parquet(path, compression="zstd", compression_level=LEVEL, use_pyarrow=True)
    assert pl.read_parquet(path).equals(rows)
    return path.stat().st_size


def _figures(found: Mapping[str, int], backlog: Backlog) -> Figures:
    of_event = {name: size / backlog.events for name, size in found.items()}
    ratios = {
        f"of_{name}": of_event["compacted"] / of_event[name]
        for name in ("wide", "plain", "plain_sorted")
    }
    return {
        **ratios,
        "limit": LIMIT,
        "is_kept": ratios["of_wide"] <= LIMIT,
        **{f"{name}_bytes_an_event": size for name, size in of_event.items()},
        "load": os.getloadavg()[0],
        **backlog._asdict(),
    }


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--messages", type=count, default=1_000_000)
    options.add_argument("--metrics", type=count, default=6, help="of a message")
    options.add_argument("--devices", type=count, default=1_000)
    options.add_argument("--batch", type=count, default=40_000, help="messages a micro-batch")
    given = options.parse_args()
    backlog = Backlog(given.messages, given.metrics, given.devices)
    report("compacted", run(backlog, given.batch), given.out)


if __name__ == "__main__":
    main()

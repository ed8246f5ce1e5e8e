"""What each way to land has written, counted by a reader that none of them writes with."""

from pathlib import Path

import polars as pl

_HIDDEN = ("_delta_log", "_spark_metadata")
_KEY = ("device_full", "boot", "seq")


def checked_bytes(way: str, lake: Path, events: int, metrics: int) -> int:
    """Count rows, keys and values of all tables; return the bytes of their files.

    Args:
        way: The name of the way.
        lake: The folder of its tables.
        events: How many messages the topic has, each with a key of its own.
        metrics: Of a message.

    Raises:
        AssertionError: A count is not what it must be.
    """
    plain, narrow = {"plain": events}, events * metrics
    landed = {"bronze/messages": events, "silver/readings": narrow}
    if way == "ours_gold":
        minutes = pl.scan_delta(str(lake / "gold/device_minute"))
        found = minutes.select(pl.col("count").sum()).collect().item()
        assert found == narrow, f"{way}: {found} readings in minutes of gold, {narrow} are right"
    expected = {
        "ours": landed,
        "ours_gold": landed,
        "spark_same_work": {"bronze": events, "silver": narrow},
    }
    return sum(
        _checked(way, lake / name, rows, events) for name, rows in expected.get(way, plain).items()
    )


def _checked(way: str, folder: Path, rows: int, events: int) -> int:
    is_delta = (folder / "_delta_log").exists()
    table = pl.scan_delta(str(folder)) if is_delta else pl.scan_parquet(_files(folder))
    found = table.select(pl.len()).collect().item()
    assert found == rows, f"{way}: {found} rows in {folder.name}, {rows} are right"
    schema = table.collect_schema()
    if set(_KEY) <= set(schema.names()):
        keys = table.select(pl.struct(_KEY).n_unique()).collect(engine="streaming").item()
        assert keys == events, f"{way}: {keys} keys in {folder.name}, {events} are right"
    if "metrics" in schema:
        first = pl.col("metrics").struct.field("metric_00")
        values = table.select(first.count()).collect().item()
        assert values == events, f"{way}: {values} values in {folder.name}, {events} are right"
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    """Return the files of data; what a writer has not finished begins with a dot."""
    found = (path for path in folder.rglob("[!.]*") if path.is_file())
    return [path for path in found if not any(part in _HIDDEN for part in path.parts)]

"""How long the drill's messages take from their arrival to the commit of silver."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
from deltalake import DeltaTable

from telemetry.tables import READINGS

PRODUCT = "drill"


class Delay(NamedTuple):
    """When a message of a partition arrived, and after how many seconds silver held it."""

    partition: int
    at: datetime
    seconds: float
    is_hot: bool = False
    """Whether it is of the device that is told from all others."""


def delays_s(lake_root: str, *, since: datetime, hot: str) -> list[Delay]:
    """Return the delays of the drill's messages that arrived since a moment; `hot` is a device."""
    uri = f"{lake_root}/{READINGS.name.replace('.', '/')}"
    wanted = (pl.col("product") == PRODUCT) & (pl.col("received_at") >= since)
    columns = ["partition", "received_at", (pl.col("device_full") == hot).alias("is_hot")]
    found: list[Delay] = []
    for committed, file in _files(uri, since):
        rows = pl.scan_parquet(f"{uri}/{file}", hive_partitioning=False).filter(wanted)
        for partition, at, is_hot in rows.select(columns).collect().iter_rows():
            found.append(Delay(partition, at, (committed - at).total_seconds(), is_hot))
    return found


def _files(uri: str, since: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield the files that were appended since a moment, with the time of their commit."""
    newest = DeltaTable(uri).version()
    for version in range(newest, -1, -1):
        path = Path(uri) / "_delta_log" / f"{version:020}.json"
        actions = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        info = next(action["commitInfo"] for action in actions if "commitInfo" in action)
        committed = datetime.fromtimestamp(info["timestamp"] / 1000, UTC)
        if committed < since:
            return
        added = (action["add"] for action in actions if "add" in action)
        yield from ((committed, add["path"]) for add in added if add["dataChange"])


def behind(delays: list[Delay], moment: datetime) -> list[int]:
    """Return the partitions of which silver has nothing that arrived since a moment.

    Landing takes a partition's messages in order: of the others all that arrived before is there.
    """
    newest: dict[int, datetime] = {}
    for delay in delays:
        newest[delay.partition] = max(delay.at, newest.get(delay.partition, delay.at))
    return sorted(partition for partition, at in newest.items() if at < moment)


def p95(delays: list[float]) -> float:
    """Return the delay that 95 in a hundred do not exceed."""
    return sorted(delays)[round((len(delays) - 1) * 0.95)]

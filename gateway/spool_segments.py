"""Segments of a gateway's spool as tables: what is handed on together, and what they count for."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.accounts import PAGE_HEADER

WORTH_RECORDS = 5_000
WORTH_BYTES = 4 * 1024 * 1024
"""So many are handed on together: a segment may have a few, and each time Kafka is waited for."""


def oldest(files: Iterable[Path]) -> list[pa.Table]:
    """Read segments from the first on until they are worth a wait for Kafka, one at least."""
    found: list[pa.Table] = []
    records = content = 0
    for file in files:
        found.append(pq.read_table(file))
        records += found[-1].num_rows
        content += size(found[-1])
        if records >= WORTH_RECORDS or content >= WORTH_BYTES:
            break
    return found


def size(table: pa.Table) -> int:
    """Return the bytes of all values."""
    return int(pc.sum(pc.binary_length(table.column("value"))).as_py() or 0)


def counted(table: pa.Table) -> Counter[bytes]:
    """Count records by the page of the account that they are on."""
    pairs = pc.list_flatten(table.column("headers")).combine_chunks()
    names = pairs.field("value").filter(pc.equal(pairs.field("key"), PAGE_HEADER))
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(names).to_pylist()})


def keys(files: Iterable[Path]) -> Counter[bytes]:
    """Count the records of segments by key, as an earlier process has left them."""
    found: Counter[bytes] = Counter()
    for file in files:
        found.update(pq.read_table(file, columns=["key"]).column("key").to_pylist())
    return found


def pages(files: Iterable[Path]) -> Counter[bytes]:
    """Count the records of segments by page, as an earlier process has left them."""
    found: Counter[bytes] = Counter()
    for file in files:
        found += counted(pq.read_table(file, columns=["headers"]))
    return found

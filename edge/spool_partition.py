"""One partition of the spool: its owner's lock, its running offsets, its segments."""

import fcntl
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from edge.outbox import OutboxError, OutRecord
from telemetry.topics import SPOOL_TOPIC

HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
SEGMENT_SCHEMA = pa.schema(
    [
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("headers", HEADERS),
    ]
)
"""The columns of Spark's Kafka source, without timestampType."""
MAX_WRITERS = 10_000


@dataclass(slots=True)
class SpoolPartition:
    """A partition that this process owns until `release`."""

    spool_dir: Path
    number: int
    lock: int
    next_offset: int
    last_us: int = 0
    note: int = -1
    """A file beside the spool that says `next_offset` as well: see `claim_partition`."""

    def append(self, records: list[OutRecord]) -> int:
        """Write one durable segment and return the time of its append in epoch microseconds."""
        self.last_us = max(self.last_us, time.time_ns() // 1000)
        name = segment_name(self.number, self.next_offset)
        segment = segments_frame(records, self.number, self.next_offset, self.last_us)
        _write_durably(segment, self.spool_dir / "tmp" / name, self.spool_dir / "segments" / name)
        self.next_offset += len(records)
        said = b"%020d\n" % self.next_offset
        os.pwrite(self.lock, said, 0)
        if self.note >= 0:
            # The records are durable: this is for a spool that is lost some day.
            with suppress(OSError):
                os.pwrite(self.note, said, 0)
        return self.last_us

    def release(self) -> None:
        """Give the partition back to whoever comes next."""
        for descriptor in (self.note, self.lock):
            if descriptor >= 0:
                os.close(descriptor)
        self.note = self.lock = -1


def claim_partition(spool_dir: Path) -> SpoolPartition:
    """Take the first partition that nobody writes, and go on behind its newest record.

    Bronze holds what came before, and Spark passes over segments whose names it has seen: offsets
    go on though the whole spool was lost, by a note beside it.
    """
    for folder in ("segments", "tmp", "partitions"):
        try:
            (spool_dir / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutboxError(f"the spool cannot be made: {error}") from error
    _fsync(spool_dir)
    for number in range(MAX_WRITERS):
        lock = os.open(spool_dir / "partitions" / f"{number:05d}", os.O_RDWR | os.O_CREAT, 0o644)
        if _locked(lock):
            return _owned(spool_dir, number, lock)
        os.close(lock)
    raise OutboxError(f"{MAX_WRITERS} writers hold the spool {spool_dir}: stop some")


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owned(spool_dir: Path, number: int, lock: int) -> SpoolPartition:
    for leftover in (spool_dir / "tmp").glob(f"{number:05d}-*"):
        leftover.unlink(missing_ok=True)
    note = _opened(spool_dir.with_name(f"{spool_dir.name}-offsets") / f"{number:05d}")
    noted = max(_said(descriptor) for descriptor in (lock, note))
    begin = max(noted, next_offset(spool_dir, number))
    return SpoolPartition(spool_dir, number, lock, begin, note=note)


def _opened(note: Path) -> int:
    """Open a file beside the spool; -1 where there is no place for one."""
    try:
        note.parent.mkdir(exist_ok=True)
        return os.open(note, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        return -1


def _said(descriptor: int) -> int:
    """Return the offset that a file says; 0 where it says none."""
    said = os.pread(descriptor, 20, 0) if descriptor >= 0 else b""
    return int(said) if said.strip().isdigit() else 0


def next_offset(spool_dir: Path, number: int) -> int:
    """Return the offset behind the partition's newest segment; 0 if it has none."""
    names = sorted((spool_dir / "segments").glob(f"{number:05d}-*.parquet"))
    if not names:
        return 0
    rows: int = pq.read_metadata(names[-1]).num_rows
    return int(names[-1].stem.split("-")[1]) + rows


def segment_name(partition: int, first_offset: int) -> str:
    """Return a segment's file name; names sort as offsets do."""
    return f"{partition:05d}-{first_offset:020d}.parquet"


def segments_frame(records: list[OutRecord], partition: int, first: int, at_us: int) -> pa.Table:
    """Return the records with their coordinates, as the Kafka source would show them."""
    count = len(records)
    columns = [
        pa.array([record.key for record in records], pa.binary()),
        pa.array([record.value for record in records], pa.binary()),
        pa.repeat(pa.scalar(SPOOL_TOPIC, pa.string()), count),
        pa.repeat(pa.scalar(partition, pa.int32()), count),
        pa.array(range(first, first + count), pa.int64()),
        pa.repeat(pa.scalar(at_us, pa.timestamp("us", tz="UTC")), count),
        _headers([record.headers for record in records]),
    ]
    return pa.Table.from_arrays(columns, schema=SEGMENT_SCHEMA)


def _headers(headers: list[list[tuple[str, bytes]]]) -> pa.Array:
    ends = [0]
    for record in headers:
        ends.append(ends[-1] + len(record))
    keys = pa.array([key for record in headers for key, _ in record], pa.string())
    values = pa.array([value for record in headers for _, value in record], pa.binary())
    pairs = pa.StructArray.from_arrays([keys, values], fields=list(HEADERS.value_type))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pairs, type=HEADERS)


def _write_durably(segment: pa.Table, temporary: Path, target: Path) -> None:
    try:
        pq.write_table(segment, temporary, compression="zstd", compression_level=1)
        _fsync(temporary)
        temporary.rename(target)
        _fsync(target.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutboxError(f"{error}: free some space or mend the disk, then send again") from error


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""The spool: durable segments, running offsets, one writer a partition."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox import OutboxError, OutRecord
from edge.spool import SpoolOutbox
from edge.spool_partition import SEGMENT_SCHEMA, claim_partition, next_offset

ENDLESS_WRITER = """
import sys
from pathlib import Path
from edge.outbox import OutRecord
from edge.spool import SpoolOutbox

acknowledged = 0

def acknowledge(at):
    global acknowledged
    acknowledged += 1
    print(acknowledged, flush=True)

with SpoolOutbox(Path(sys.argv[1]), segment_records=7) as outbox:
    while True:
        outbox.send(OutRecord(b"d", b"v", []), acknowledge)
"""


def record(value: bytes = b"{}", headers: list[tuple[str, bytes]] | None = None) -> OutRecord:
    return OutRecord(b"meter.d1", value, headers or [])


def segments(spool_dir: Path) -> list[Path]:
    return sorted((spool_dir / "segments").iterdir())


def rows(spool_dir: Path) -> pa.Table:
    return pa.concat_tables(pq.ParquetFile(path).read() for path in segments(spool_dir))


def offsets(spool_dir: Path, partition: int = 0) -> list[int]:
    found = rows(spool_dir)
    return [
        offset
        for offset, number in zip(
            found["offset"].to_pylist(), found["partition"].to_pylist(), strict=True
        )
        if number == partition
    ]


def send(spool_dir: Path, count: int, *, segment_records: int = 5_000) -> None:
    with SpoolOutbox(spool_dir, segment_records=segment_records) as outbox:
        for number in range(count):
            outbox.send(record(b"%d" % number))


def test_segment_has_the_columns_of_the_kafka_source(tmp_path: Path) -> None:
    headers = [("tenant", b"default"), ("product", b"\x00\xff")]
    with SpoolOutbox(tmp_path) as outbox:
        outbox.send(record(b"", headers))
        outbox.send(record(b"2"))

    found = rows(tmp_path)
    assert found.schema.equals(SEGMENT_SCHEMA)
    assert found["value"].to_pylist() == [b"", b"2"]
    assert found["topic"].to_pylist() == ["spool", "spool"]
    assert found["headers"].to_pylist() == [
        [{"key": "tenant", "value": b"default"}, {"key": "product", "value": b"\x00\xff"}],
        [],
    ]
    assert segments(tmp_path)[0].name == "00000-00000000000000000000.parquet"


def test_ack_comes_after_the_segment_is_there(tmp_path: Path) -> None:
    seen: list[int] = []
    with SpoolOutbox(tmp_path) as outbox:
        outbox.send(record(), lambda _at: seen.append(len(segments(tmp_path))))
        assert outbox.flush(10) == 0
        assert seen == [1]


def test_a_lonely_record_does_not_wait_for_company(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    with SpoolOutbox(tmp_path, segment_age_s=0.05) as outbox:
        outbox.send(record(), acknowledged.append)
        assert outbox.poll(10) == 0
    assert len(acknowledged) == 1


def test_two_writers_at_once_have_two_partitions(tmp_path: Path) -> None:
    with SpoolOutbox(tmp_path) as first, SpoolOutbox(tmp_path) as second:
        first.send(record())
        second.send(record())
        numbers = {first.partition, second.partition}
    assert numbers == {0, 1}
    assert offsets(tmp_path, 0) == offsets(tmp_path, 1) == [0]


def test_partition_is_taken_up_again_after_its_writer(tmp_path: Path) -> None:
    send(tmp_path, 3)
    send(tmp_path, 2)
    assert offsets(tmp_path) == [0, 1, 2, 3, 4]


def test_offsets_go_on_though_consumed_segments_were_removed(tmp_path: Path) -> None:
    send(tmp_path, 3)
    for path in segments(tmp_path):
        path.unlink()
    send(tmp_path, 1)
    assert offsets(tmp_path) == [3]


def test_offsets_go_on_though_the_whole_spool_was_lost(tmp_path: Path) -> None:
    spool_dir = tmp_path / "spool"
    send(spool_dir, 3)
    shutil.rmtree(spool_dir)
    send(spool_dir, 2)
    assert offsets(spool_dir) == [3, 4]

    for path in segments(spool_dir):
        path.unlink()
    (spool_dir / "partitions" / "00000").write_bytes(b"\0" * 21)
    send(spool_dir, 1)
    assert offsets(spool_dir) == [5], "a loss of power left nothing in the file"


@settings(max_examples=15, deadline=None)
@given(runs=st.lists(st.integers(0, 12), min_size=1, max_size=4), size=st.integers(1, 9))
def test_offsets_run_without_gap_over_any_restarts(
    tmp_path_factory: pytest.TempPathFactory, runs: list[int], size: int
) -> None:
    spool_dir = tmp_path_factory.mktemp("spool")
    for count in runs:
        send(spool_dir, count, segment_records=size)

    assert not any((spool_dir / "tmp").iterdir())
    assert next_offset(spool_dir, 0) == sum(runs)
    if sum(runs):
        assert offsets(spool_dir) == list(range(sum(runs)))


@pytest.mark.faults
def test_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged = 0
    for _ in range(3):
        command = [sys.executable, "-c", ENDLESS_WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            writer.stdout.readline()
            time.sleep(0.2)
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged += 1 + len(writer.stdout.readlines())
    send(tmp_path, 1)

    found = offsets(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) >= acknowledged + 1
    assert not any((tmp_path / "tmp").iterdir())


@pytest.mark.faults
def test_full_disk_is_a_clear_error_and_acknowledges_nothing(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    outbox = SpoolOutbox(tmp_path, segment_records=100)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        for _ in range(50):
            outbox.send(record(os.urandom(1000)), acknowledged.append)
        with pytest.raises(OutboxError, match=r"spool cannot be written.*free some space"):
            outbox.flush(10)
        with pytest.raises(OutboxError):
            outbox.send(record())
        with pytest.raises(OutboxError):
            outbox.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)

    assert acknowledged == []
    assert segments(tmp_path) == []
    assert not any((tmp_path / "tmp").iterdir())
    send(tmp_path, 1)
    assert offsets(tmp_path) == [0]


def test_leftover_of_a_killed_writer_is_removed(tmp_path: Path) -> None:
    send(tmp_path, 1)
    (tmp_path / "tmp" / "00000-00000000000000000001.parquet").write_bytes(b"half")
    claim_partition(tmp_path).release()
    assert not any((tmp_path / "tmp").iterdir())


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="spool cannot be made"):
        SpoolOutbox(tmp_path / "file" / "spool")

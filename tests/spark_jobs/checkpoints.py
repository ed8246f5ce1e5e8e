"""Checkpoints as Spark leaves them, written without Spark, to be damaged by hand."""

import json
import struct
import uuid
import zlib
from pathlib import Path

from spark_jobs.noted_topic import NotedTopic, note_topic
from spark_jobs.seal import sealed

CHUNK = 512
METADATA = '{"batchWatermarkMs":0,"batchTimestampMs":1,"conf":{}}'


def put(path: Path, text: str) -> None:
    """Write a file and Hadoop's checksums of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode()
    path.write_bytes(content)
    sums = (zlib.crc32(content[at : at + CHUNK]) for at in range(0, len(content), CHUNK))
    header = b"crc\0" + struct.pack(">i", CHUNK)
    path.with_name(f".{path.name}.crc").write_bytes(
        header + b"".join(struct.pack(">I", one) for one in sums)
    )


def offsets_log(*sources: object) -> str:
    """Return a file of `offsets`."""
    return "\n".join(["v1", METADATA, *(json.dumps(source) for source in sources)])


def landing_checkpoint(folder: Path, batches: int, *, committed: int | None = None) -> Path:
    """Write a checkpoint of Kafka's landing; the last batch may be planned only."""
    _query(folder)
    (folder / "headwater-id").write_text(str(uuid.UUID(int=7)))
    note_topic(folder, NotedTopic("telemetry", str(uuid.UUID(int=3))))
    put(folder / "sources" / "0" / "0", '\0v1\n{"telemetry":{"0":0,"1":0}}')
    for number in range(batches):
        offset = {"telemetry": {"0": 10 * (number + 1), "1": 7 * number}}
        put(folder / "offsets" / str(number), offsets_log(offset))
    _commit(folder, batches if committed is None else committed)
    return folder


def gold_checkpoint(
    folder: Path, batches: int, *, done: int | None = None, ids: tuple[str, str] = ("r", "l")
) -> Path:
    """Write a checkpoint of gold and its state, which is of the last batch that was done.

    `ids` are those of the tables of readings and late readings.
    """
    _query(folder)
    for number in range(batches):
        delta = {"sourceVersion": 1, "index": -1, "isStartingVersion": False}
        readings = {**delta, "reservoirId": ids[0], "reservoirVersion": 2 * number + 3}
        late = {**delta, "reservoirId": ids[1], "reservoirVersion": number + 1}
        put(folder / "offsets" / str(number), offsets_log(readings, late))
    _commit(folder, batches)
    write_state(folder, batches - 1 if done is None else done)
    return folder


def write_state(folder: Path, batch: int) -> None:
    """Write gold's state of a batch."""
    state = {
        "app_id": "gold/7",
        "batch_id": batch,
        "readings": {"version": 2 * batch + 3, "index": -1},
        "late": {"version": batch + 1, "index": -1},
        "watermarks": [],
    }
    (folder / "gold.json").write_text(json.dumps(sealed(state)))


def _query(folder: Path) -> None:
    put(folder / "metadata", json.dumps({"id": str(uuid.UUID(int=1))}))


def _commit(folder: Path, batches: int) -> None:
    for number in range(batches):
        put(folder / "commits" / str(number), 'v1\n{"nextBatchWatermarkMs":0}')


def flip(path: Path, place: int) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1
    path.write_bytes(content)

"""A small fleet that does everything wrong, and a model of where each message must come out."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import orjson
import pyarrow.parquet as pq

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from edge.spool_partition import segment_name, segments_frame
from spark_jobs.lake import Lake
from telemetry.devices import Device
from telemetry.encodings import content_type_of, encode_cbor, encode_compact
from telemetry.judge import Judged, judge
from telemetry.products import DEFAULT_PRODUCT, product_from_dict
from telemetry.records import Record, record_headers
from telemetry.registry import Registry
from telemetry.tables import CONFLICTS, DUPLICATES, LATE, MESSAGES, READINGS, REJECTED
from telemetry.topics import SPOOL_TOPIC

NOW = 1_795_248_000_000_000
SECOND = 1_000_000
TOLERANCE = 60 * SECOND
METER = product_from_dict(
    {
        "product": "meter",
        "lateness": "30 s",
        "max_age": "7 d",
        "versions": [
            {
                "version": 1,
                "metrics": {
                    "kwh": {"type": "double", "unit": "kWh", "min": 0, "max": 100},
                    "state": {"type": "string"},
                    "open": {"type": "bool"},
                    "temperature": {"type": "double", "sentinels": [-200]},
                },
            }
        ],
    }
)
FLEET = tuple(Device(f"meter.d{n}", zone=f"zone {n % 2}", lat=48.0, lng=11.0) for n in range(4))
DEVICES = (*FLEET, Device("plain"))


@dataclass
class Fleet:
    """Sends batches of records from a seed."""

    seed: int
    chance: random.Random = field(init=False)
    seqs: dict[str, int] = field(default_factory=dict)
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def batch(self, size: int, received_at: int) -> Iterator[OutRecord]:
        """Yield records received at one moment."""
        for _ in range(size):
            device, value = self._message(received_at)
            self.sent.append((device, value))
            headers = record_headers(
                device,
                received_at=received_at,
                protocol="mqtt",
                content_type=content_type_of(value),
            )
            yield OutRecord(device.encode(), value, headers)

    def _message(self, at: int) -> tuple[str, bytes]:
        fate = self.chance.random()
        device = self.chance.choice(DEVICES).device_full
        if self.sent and fate < 0.15:
            return self.chance.choice(self.sent)
        if fate < 0.25:
            return device, self.chance.choice((b"", b"{", b"[]", b"[1,{}]", b"\xff", b"null"))
        if fate < 0.3:
            return "meter.stranger", self._body("meter.stranger", at)
        if fate < 0.35:
            return device, b"[%b, %b]" % (self._body(device, at), self._body(device, at))
        if fate < 0.45:
            return device, self._binary(device, at)
        return device, self._body(device, at)

    def _binary(self, device: str, at: int) -> bytes:
        """Return a message, a list of them, or the compact form of some."""
        form = self.chance.choice(("message", "list", "compact"))
        if form == "message":
            return encode_cbor(self._said(device, at))
        if form == "list":
            return cbor2.dumps([self._said(device, at) for _ in range(3)])
        rows = [(at - ago * SECOND, {"kwh": ago / 4, "state": "idle"}) for ago in (40, 20, 0)]
        return encode_compact(rows, {"kwh": 2, "state": None}, boot="b1", seq=self._seq(device))

    def _body(self, device: str, at: int) -> bytes:
        return orjson.dumps(self._said(device, at))

    def _said(self, device: str, at: int) -> dict[str, object]:
        pick = self.chance
        metrics: dict[str, object] = {
            "kwh": pick.choice((1, 2.5, 99.5, 101)),
            "temperature": pick.choice((-200, 20.25, "hot" if device == "plain" else 21)),
            "open": pick.choice((True, False)),
            "state": pick.choice(("idle", "ü")),
        }
        delay = pick.choice((0, 0, 1, 29, 31, 600, -300, 8 * 86400))
        body: dict[str, object] = {"metrics": metrics}
        if pick.random() < 0.9:
            moment = datetime.fromtimestamp((at - delay * SECOND) / SECOND, UTC)
            body["ts"] = moment.isoformat()
        if pick.random() < 0.8:
            body["seq"] = self._seq(device)
        if pick.random() < 0.5:
            body |= {"boot": "b1", "tags": {"line": "3"}, "lat": 47.5, "lng": 10.5}
        return body

    def _seq(self, device: str) -> int:
        if self.chance.random() < 0.1:
            return self.chance.randrange(self.seqs.get(device, 0) + 1)
        self.seqs[device] = self.seqs.get(device, 0) + 1
        return self.seqs[device]


def enrol(registry_dir: Path) -> None:
    """Write the fleet's registry files."""
    files = RegistryFiles(registry_dir)
    files.put_product(METER)
    files.enrol(DEVICES)


def write_segment(
    spool_dir: Path, records: list[OutRecord], first: int, at: int, partition: int = 0
) -> Path:
    """Write one segment of a partition; its age is its place in the order of segments."""
    folder = spool_dir / "segments"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / segment_name(partition, first)
    # A stream that saw it before its age is set would leave out, as too old, all that follow.
    hidden = path.with_name(f".{path.name}")
    pq.write_table(segments_frame(records, partition, first, at), hidden)
    os.utime(hidden, (at / SECOND, at / SECOND))
    return hidden.rename(path)


Row = tuple[object, ...]


@dataclass
class Model:
    """Lands records one by one, remembering everything."""

    tables: dict[str, set[Row]] = field(default_factory=dict)
    firsts: dict[Row, tuple[int, int, bytes]] = field(default_factory=dict)
    types: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    registry: Registry = field(init=False)

    def __post_init__(self) -> None:
        self.tables = {table.name: set() for table in _SHOWN}
        self._renew()

    def _renew(self) -> None:
        self.registry = Registry([METER, DEFAULT_PRODUCT], DEVICES, self.types)

    def land(self, records: list[OutRecord], first: int, at: int) -> None:
        """Land a segment's records."""
        for offset, sent in enumerate(records, start=first):
            record = Record(SPOOL_TOPIC, 0, offset, at, sent.key, sent.value, dict(sent.headers))
            self.tables[MESSAGES.name].add((offset, sent.value))
            # Each message by itself: the one before it may have fixed a type.
            for item in range(len(self._judged(record))):
                self._place(offset, self._judged(record)[item])

    def _judged(self, record: Record) -> list[Judged]:
        return judge(record, self.registry, tolerance_us=TOLERANCE)

    def _place(self, offset: int, message: Judged) -> None:
        at = (offset, message.item)
        if message.reasons:
            self.tables[REJECTED.name].add((*at, *(tuple(reason) for reason in message.reasons)))
            return
        self._fix_types(message)
        key = (message.device_full, message.boot, message.seq)
        first = self.firsts.setdefault(key, (*at, message.raw))
        if first[:2] != at:
            table = DUPLICATES if first[2] == message.raw else CONFLICTS
            self.tables[table.name].add((*at, *first[:2]))
            return
        table = LATE if message.late else READINGS
        zone = message.device.zone if message.device else None
        self.tables[table.name] |= {
            (*at, *key, message.event_time, message.clock, zone, *reading)
            for reading in message.readings
        }

    def _fix_types(self, message: Judged) -> None:
        if message.schema_version is not None or message.product is None:
            return
        types = self.types.setdefault((message.tenant, message.product), {})
        for name, _, text, flag, *_ in message.readings:
            type_ = "bool" if flag is not None else "string" if text is not None else "double"
            types.setdefault(name, type_)
        self._renew()


_KEYED = ["offset", "item", "device_full", "boot", "seq", "event_time_us", "clock", "zone"]
_READING = [*_KEYED, "metric", "value", "value_text", "value_bool", "unit", "quality"]
_SHOWN = {
    MESSAGES: ["offset", "value"],
    REJECTED: ["offset", "item", "reasons"],
    DUPLICATES: ["offset", "item", "first_offset", "first_item"],
    CONFLICTS: ["offset", "item", "first_offset", "first_item"],
    LATE: _READING,
    READINGS: _READING,
}


def landed(lake: Lake) -> dict[str, set[Row]]:
    """Return what the tables hold, as the model says it; raise if a row is there twice."""
    found = {}
    for table, columns in _SHOWN.items():
        frame = lake.scan(table).select(columns).collect()
        rows = [_row(row) for row in frame.rows()]
        assert len(set(rows)) == len(rows), f"{table.name} holds a row twice"
        found[table.name] = set(rows)
    return found


def _row(row: Row) -> Row:
    *plain, last = row
    if not isinstance(last, list):
        return row
    return (*plain, *((reason["field"], reason["rule"], reason["value"]) for reason in last))

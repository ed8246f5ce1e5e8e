"""Small lakes as landing and gold would leave them, made of a run's own messages."""

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa

from edge.registry_files import RegistryFiles
from simulator.entries import ack_lines
from simulator.scenarios import Scenario
from spark_jobs.lake import Lake
from spark_jobs.schema import arrow_schema
from spark_jobs.transforms import windows
from spark_jobs.transforms.partials import READING_COLUMNS
from telemetry.devices import split_full_name
from telemetry.judge import Judged
from telemetry.records import Record
from telemetry.tables import (
    BY_NAME,
    CONFLICTS,
    DEVICE_WINDOWS,
    DUPLICATES,
    LATE,
    MESSAGES,
    READINGS,
    REJECTED,
    Table,
)
from tests.simulator.runs import RunParts, built, judged, run_of

ASIDE = {"rejected": REJECTED, "duplicate": DUPLICATES, "conflict": CONFLICTS}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GOLD = tuple(DEVICE_WINDOWS.values())
Row = dict[str, object]


def at(micros: int) -> datetime:
    """Return the moment."""
    return EPOCH + timedelta(microseconds=micros)


@dataclass(slots=True)
class Rows:
    """The rows of every table, to be broken before they are written; `whole`: as they were."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    first: dict[tuple[object, ...], tuple[Record, Judged]] = field(default_factory=dict)
    whole: "Whole | None" = None

    def of(self, table: Table) -> list[Row]:
        """Return the rows of a table."""
        return self.tables.setdefault(table.name, [])

    def land(self, record: Record, found: Judged) -> None:
        """Put a message where landing puts it."""
        if found.item == 0:
            self.of(MESSAGES).append(_bronze(record, found))
        key = (found.tenant, found.device_full, found.boot, found.seq)
        first = None if found.reasons else self.first.setdefault(key, (record, found))
        if first is None:
            self.of(REJECTED).append(_aside(record, found))
        elif first[1] is not found:
            kind = "duplicate" if first[1].raw == found.raw else "conflict"
            self.of(ASIDE[kind]).append(_aside(record, found) | _first(*first))
        else:
            self.of(LATE if found.late else READINGS).extend(_readings(record, found))


def landed(parts: RunParts) -> Rows:
    """Return all that landing makes of a run."""
    rows = Rows()
    for record, found in judged(parts):
        rows.land(record, found)
    return rows


def write(rows: Rows, root: Path) -> None:
    """Write the rows, and the gold that they make, as the lake's tables."""
    if rows.whole is None:
        lake = create(root)
        append(lake, rows)
        write_gold(lake)
        return
    before = rows.whole
    shutil.copytree(before.lake, root)
    changed = {name for name, values in rows.tables.items() if values != before.tables.get(name)}
    is_gold = not changed.isdisjoint({READINGS.name, LATE.name})
    again = [BY_NAME[name] for name in changed] + [*GOLD] * is_gold
    for table in again:
        shutil.rmtree(root.joinpath(*table.name.split(".")))
    lake = create(root)
    append(lake, Rows({name: rows.tables[name] for name in changed}))
    if is_gold:
        write_gold(lake)


def create(root: Path) -> Lake:
    """Create the tables that the scorer reads, where they are not there."""
    lake = Lake(str(root))
    for table in (MESSAGES, READINGS, LATE, *ASIDE.values(), *GOLD):
        lake.create(table)
    return lake


def append(lake: Lake, rows: Rows) -> None:
    """Append the rows, one commit a table."""
    for name, values in rows.tables.items():
        if values:
            lake.append(BY_NAME[name], _frame(values, BY_NAME[name]), None)


def write_gold(lake: Lake) -> None:
    """Write the gold that the lake's readings make."""
    readings = pl.concat(
        [lake.scan(table).select(READING_COLUMNS).collect() for table in (READINGS, LATE)]
    )
    nothing = pl.DataFrame(
        schema={"tenant": pl.String, "product": pl.String, "watermark": pl.Datetime("us", "UTC")}
    )
    for name, partials in windows.cascade(windows.minutes(readings)).items():
        if (table := BY_NAME[name]) in GOLD:
            whole = windows.completed(windows.ended(partials, table), table, nothing)
            lake.append(table, whole, None)


def write_ledger(parts: RunParts, path: Path, *, unacked: int = 0) -> None:
    """Write the run's ledger; the last `unacked` messages have no acknowledgement."""
    groups = list(built(parts.run))
    sent = [line for _, group in groups for line in group.sent]
    heads = [head for now, group in groups for head in group.acks]
    last = max(now for now, _ in groups)
    path.write_text("".join(sent) + ack_lines(heads[: len(heads) - unacked], last))


@dataclass(frozen=True, slots=True)
class Whole:
    """A run, with its registry, ledger and lake in a folder, and what landing makes of it."""

    folder: Path
    parts: RunParts
    tables: dict[str, list[Row]]

    @property
    def lake(self) -> Path:
        """Where all the rows are written, once they have been asked for."""
        root = self.folder / "lake"
        if not root.exists():
            write(Rows(self.tables), root)
        return root


_WHOLES: dict[tuple[str, int], Whole] = {}


def prepared(root: Path, scenario: Scenario, total: int = 1_500) -> tuple[RunParts, Rows, Path]:
    """Return a run, its rows and the path of its ledger: copies of one that is made once."""
    key = (repr(scenario), total)
    whole = _WHOLES.get(key)
    if whole is None:
        whole = _WHOLES[key] = _whole(scenario, total)
    shutil.copytree(whole.folder / "registry", root / "registry")
    ledger = Path(shutil.copy(whole.folder / "ledger.ndjson", root))
    tables = {name: [dict(row) for row in rows] for name, rows in whole.tables.items()}
    parts = RunParts(whole.parts.run, RegistryFiles(root / "registry"))
    return parts, Rows(tables, whole=whole), ledger


def _whole(scenario: Scenario, total: int) -> Whole:
    folder = Path(tempfile.mkdtemp(prefix="headwater-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    parts = run_of(folder / "registry", scenario, total=total)
    write_ledger(parts, folder / "ledger.ndjson")
    return Whole(folder, parts, landed(parts).tables)


def _frame(values: list[Row], table: Table) -> pa.Table:
    schema = arrow_schema(table)
    rows = [{name: value.get(name) for name in schema.names} for value in values]
    return pa.Table.from_pylist(rows, schema=schema)


def _bronze(record: Record, found: Judged) -> Row:
    return {
        **_coordinates(record),
        "kafka_key": record.key,
        "value": record.value,
        "headers": [],
        "received_at": at(found.received_at),
        "tenant": found.tenant,
        "product": found.product,
        "items": found.items,
        "received_date": at(found.received_at).date(),
    }


def _coordinates(record: Record) -> Row:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "kafka_time": at(record.kafka_time),
    }


def _key(found: Judged) -> Row:
    return {
        "item": found.item,
        "tenant": found.tenant,
        "device_full": found.device_full,
        "boot": found.boot,
        "seq": found.seq,
        "product": found.product,
        "schema_version": found.schema_version,
        "event_time": at(found.event_time),
        "received_at": at(found.received_at),
        "message": found.raw,
        "reasons": [reason._asdict() for reason in found.reasons],
        "received_date": at(found.received_at).date(),
    }


def _aside(record: Record, found: Judged) -> Row:
    return {**_coordinates(record), **_key(found)}


def _first(record: Record, found: Judged) -> Row:
    return {
        "first_topic": record.topic,
        "first_partition": record.partition,
        "first_offset": record.offset,
        "first_item": found.item,
    }


def _readings(record: Record, found: Judged) -> list[Row]:
    assert found.device_full is not None
    message = {
        **_coordinates(record),
        **_key(found),
        "device": split_full_name(found.device_full)[1],
        "event_time_us": found.event_time,
        "clock": found.clock,
        "zone": found.device.zone if found.device else None,
        "retention_class": "default",
        "event_date": at(found.event_time).date(),
    }
    return [message | reading._asdict() for reading in found.readings]

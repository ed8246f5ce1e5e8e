"""Flink's one table: a bounded read of the topic, by SQL, into Parquet.

Runs in Flink's own environment, which has no library of ours: `flink_job.py` with what it is
given as JSON. Makes a file when all is committed, and lives until its input ends, so that its CPU
can be read.
"""

import json
import sys
from pathlib import Path

from pyflink.table import EnvironmentSettings, TableEnvironment

TYPES = {"double": "double", "bool": "boolean", "string": "string"}
SLOTS = 2
SETTINGS = {
    "parallelism.default": str(SLOTS),
    "taskmanager.numberOfTaskSlots": str(SLOTS),
    "table.local-time-zone": "UTC",
    # What is written is committed at a checkpoint, as a micro-batch of the others.
    "execution.checkpointing.interval": "1 s",
}


def main() -> None:
    """Copy what the topic holds into files."""
    given = json.loads(sys.argv[1])
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for name, value in SETTINGS.items():
        tables.get_config().set(name, value)
    fields = ", ".join(f"{name} {TYPES[type_]}" for name, type_ in given["metrics"].items())
    columns = (
        "device_full string, v int, ts timestamp_ltz(3), boot string, seq bigint,"
        f" metrics row<{fields}>"
    )
    tables.execute_sql(f"create table source ({columns}) with ({_options(_source(given))})")
    tables.execute_sql(f"create table plain ({columns}) with ({_options(_sink(given))})")
    tables.execute_sql("insert into plain select * from source").wait()
    Path(given["written"]).touch()
    sys.stdin.read()


def _source(given: dict[str, str]) -> dict[str, str]:
    return {
        "connector": "kafka",
        "topic": given["topic"],
        "properties.bootstrap.servers": given["kafka"],
        # Offsets are committed to it at each checkpoint: so others see how far the job is.
        "properties.group.id": given["group"],
        "scan.startup.mode": "earliest-offset",
        "scan.bounded.mode": "latest-offset",
        "key.format": "raw",
        "key.fields": "device_full",
        "value.format": "json",
        "value.fields-include": "EXCEPT_KEY",
        "value.json.timestamp-format.standard": "ISO-8601",
    }


def _sink(given: dict[str, str]) -> dict[str, str]:
    return {"connector": "filesystem", "path": given["path"], "format": "parquet"}


def _options(named: dict[str, str]) -> str:
    return ", ".join(f"'{name}' = '{value}'" for name, value in named.items())


if __name__ == "__main__":
    main()

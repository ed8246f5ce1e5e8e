"""Whether a topic is the one that bronze was filled from, where no checkpoint says so any more.

A topic that was made anew and has grown beyond bronze's newest offsets looks like one that goes on;
only its records tell. Bronze's key is topic, partition and offset, and Kafka appends a record once.
"""

from collections.abc import Mapping

import polars as pl

from spark_jobs.kafka_records import Reading
from spark_jobs.lake import Lake
from spark_jobs.lost_offsets import Log
from spark_jobs.planned_offsets import Span
from spark_jobs.transforms.offsets import within
from telemetry.tables import MESSAGES
from telemetry.topics import TELEMETRY

_AT = ["partition", "offset"]


def holds_others(
    bootstrap: str, lake: Lake, topic: str, newest: Mapping[int, int], logs: Mapping[int, Log]
) -> bool:
    """Tell whether Kafka has other records than bronze at bronze's `newest` offsets.

    What Kafka has dropped or never had is not asked for; raise if it does not answer.
    """
    kept = {n: at for n, at in newest.items() if n in logs and logs[n].first <= at < logs[n].end}
    if not kept:
        return False
    tasks = tuple((Span(partition, at, at + 1),) for partition, at in sorted(kept.items()))
    batches = Reading(bootstrap, TELEMETRY.name, topic, tasks).batches(range(len(tasks)))
    found = [pl.DataFrame(batch).select(*_AT, kafka_time="timestamp") for batch in batches]
    places = {(topic, partition): (at, at) for partition, at in kept.items()}
    held = lake.scan(MESSAGES).filter(within(places)).select(*_AT, "kafka_time").collect()
    there = pl.concat([held.clear(), *found])
    return not held.join(there, on=held.columns, how="anti").is_empty()

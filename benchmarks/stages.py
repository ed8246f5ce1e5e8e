"""Where landing's CPU goes: the same backlog read, handed to Python, judged, and handed back.

`make bench BENCH=stages OUT=build/stages.json`

Each stage does what the one before it does, and something more; all in one process, each once to
warm up and then several times. User and system time of the process tree, an event.
"""

import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame

from benchmarks.backlog import Backlog, enrol, fill
from benchmarks.cpu_parts import cpu_s_by_part
from benchmarks.report import Figures, count, parser, report
from edge.registry_files import RegistryFiles
from spark_jobs.jobs.kafka_source import kafka_options
from spark_jobs.jobs.landing_workers import RECORD_COLUMNS, judge_on_worker
from spark_jobs.session import session
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judgement import PACK
from telemetry.settings import Settings
from tests.end_to_end.stack import Stack, free_port_base

DEVICES = 1000


def run(events: int, metrics: int, rounds: int) -> Figures:
    """Fill a topic, and take its stages in turns."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), free_port_base())
        stack.run("up", "--only", "kafka", timeout_s=600)
        try:
            settings = Settings(home=stack.home, port_base=stack.port_base)
            fill(settings.kafka_bootstrap, Backlog(events, metrics, DEVICES))
            enrol(RegistryFiles(settings.registry_dir), metrics, DEVICES)
            return _measured(settings, events, rounds) | {"events": events, "metrics": metrics}
        finally:
            stack.run("down", check=False)


def _measured(settings: Settings, events: int, rounds: int) -> dict[str, object]:
    spark = session(settings, "bench-stages")
    options = kafka_options(settings) | {"startingOffsets": "earliest", "endingOffsets": "latest"}
    source = spark.read.format("kafka").options(**options).load
    records = source().select(*RECORD_COLUMNS)
    bare = source(includeHeaders="false").select(*RECORD_COLUMNS[:-1])
    files = RegistryFiles(settings.registry_dir)
    fleet = Fleet.of(files.products().values(), files.devices(), {})
    judge = judge_on_worker(spark.sparkContext.broadcast(fleet), 60_000_000)
    stages: dict[str, Callable[[], object]] = {
        "read": lambda: _drop(bare),
        "read, with headers": lambda: _drop(records),
        "to Python, without headers": lambda: _drop(bare.mapInArrow(_none, "n int")),
        "to Python": lambda: _drop(records.mapInArrow(_none, "n int")),
        "judged": lambda: _drop(records.mapInArrow(_sized(judge), "n int")),
        "judged, handed back": lambda: records.mapInArrow(judge, PACK).toArrow(),
    }
    taken: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, stage in stages.items():
            used = _used(stage, events)
            if number:
                taken[name].append(used)
    spark.stop()
    return {name: _medians(used) for name, used in taken.items()} | {"load": os.getloadavg()[0]}


def _drop(frame: DataFrame) -> None:
    frame.write.format("noop").mode("append").save()


def _none(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield pa.record_batch([pa.array([batch.num_rows], pa.int32())], ["n"])


def _sized(
    judge: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]],
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    return lambda batches: _none(judge(batches))


def _used(stage: Callable[[], object], events: int) -> Mapping[str, float]:
    before = cpu_s_by_part()
    stage()
    after = cpu_s_by_part()
    return {part: (used - before.get(part, 0.0)) / events * 1e6 for part, used in after.items()}


def _medians(used: list[Mapping[str, float]]) -> dict[str, float]:
    whole = statistics.median(sum(one.values()) for one in used)
    parts = {part: statistics.median(one.get(part, 0.0) for one in used) for part in used[0]}
    return {"cpu_us": round(whole, 2)} | {part: round(cost, 2) for part, cost in parts.items()}


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--events", type=count, default=500_000)
    options.add_argument("--metrics", type=count, default=6, help="of a message")
    options.add_argument("--rounds", type=count, default=3)
    given = options.parse_args()
    report("stages", run(given.events, given.metrics, given.rounds), given.out)


if __name__ == "__main__":
    main()

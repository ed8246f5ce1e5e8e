"""What a small query costs Trino: time at the client and the server, CPU by part.

Over the day of TSBS's trucks, as streams leave it: `select 1`, a count of gold by device and range,
a join of days' windows, the newest values of a device. They are asked in turn, one after another.
`make bench BENCH=trino OUT=build/trino.json`
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import mean, median

import httpx

from benchmarks import tsbs_lake
from benchmarks.cpu_parts import cpu_s_by_part
from benchmarks.report import parser, report
from benchmarks.tsbs import statement
from benchmarks.tsbs_fleet import SEED, Day, day
from benchmarks.tsbs_trino import trino
from infra.trino.registration import trino_connection
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base

USER = "bench"
UNITS_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
COUNT = """
select device_full, count(*) from gold.device_five_minutes
where metric = 'velocity' and device_full = '{device}'
    and window_start >= timestamp '2026-06-01 10:00:00 UTC'
    and window_start < timestamp '2026-06-01 10:20:00 UTC'
group by device_full
"""
NEWEST = """
select device_full, metric, max(event_time) as at,
    max_by(value, (event_time_us, seq)) as value
from silver.readings
where event_date >= date '2026-06-01' and device_full = '{device}'
group by device_full, metric
order by device_full, metric
"""


def milliseconds(told: str) -> float:
    """Return the milliseconds of a duration in Trino's words, such as `1.25s`."""
    unit = told.lstrip("0123456789.")
    return float(told.removesuffix(unit)) * UNITS_MS[unit]


def queries(known: Day) -> dict[str, str]:
    """Return the small queries by name."""
    device = f"{known.trucks['model'][1].lower()}.truck_1"
    return {
        "one": "select 1",
        "count": COUNT.format(device=device),
        "join": statement("gold", "avg-load", known, Random(SEED)),
        "newest": NEWEST.format(device=device),
    }


def planned_ms(settings: Settings, query_id: str) -> float:
    """Return how long the server analysed and planned a query."""
    url = f"http://127.0.0.1:{settings.port('trino')}/v1/query/{query_id}"
    told = httpx.get(url, headers={"X-Trino-User": USER}).raise_for_status().json()["queryStats"]
    return milliseconds(told["analysisTime"]) + milliseconds(told["planningTime"])


def measure(settings: Settings, known: Day, warm: int, rounds: int) -> dict[str, object]:
    """Ask the queries in turn; return medians of ms and means of CPU ms, over counted rounds."""
    found: dict[str, list[float]] = defaultdict(list)
    cursor = trino_connection(settings, user=USER).cursor()
    for number in range(-warm, rounds):
        for name, query in queries(known).items():
            before, began = cpu_s_by_part(), time.perf_counter()
            rows = cursor.execute(query).fetchall()
            took_ms = (time.perf_counter() - began) * 1000
            used = _gained(before, cpu_s_by_part())
            if not rows:
                raise AssertionError(f"nothing was answered to {name}")
            if number >= 0:
                found[f"{name}.ms"].append(took_ms)
                found[f"{name}.planned_ms"].append(planned_ms(settings, str(cursor.query_id)))
                found[f"{name}.cpu_ms"].append(used["jvm_other"] + used["jvm_collector"])
                found[f"{name}.compiler_cpu_ms"].append(used["jvm_compiler"])
    return {
        name: (mean if name.endswith("cpu_ms") else median)(values)
        for name, values in found.items()
    }


def _gained(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    parts = ("jvm_other", "jvm_collector", "jvm_compiler")
    return {part: (after.get(part, 0) - before.get(part, 0)) * 1000 for part in parts}


def main() -> None:
    """Measure and report."""
    arguments = parser("what a small query costs Trino")
    arguments.add_argument("--trucks", type=int, default=100)
    arguments.add_argument("--warm", type=int, default=30, help="rounds that are not counted")
    arguments.add_argument("--rounds", type=int, default=30)
    default = Path("build/tsbs")
    arguments.add_argument("--home", type=Path, default=default, help="kept for the next run")
    given = arguments.parse_args()
    home = given.home.absolute()
    tsbs_lake.make(home, given.trucks, is_open=True)
    settings = Settings(home=home, port_base=free_port_base())
    with ExitStack() as stack:
        stack.enter_context(trino(settings))
        figures = measure(settings, day(given.trucks), given.warm, given.rounds)
    report("trino", figures, given.out)


if __name__ == "__main__":
    main()

"""TSBS's thirteen questions about trucks: Trino over the lake, beside DuckDB and PostgreSQL.

100 trucks, one day, a message of each kind every 10 s, kept as `silver.readings` holds them. Every
round asks each engine each question with the same fleet, truck and times, one engine after the
other; before a figure is printed, the answers of all rounds are compared.
`make bench BENCH=tsbs OUT=build/tsbs.json`
"""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import geometric_mean, median

import polars as pl
from polars.testing import assert_frame_equal

from benchmarks import tsbs_lake, tsbs_peers
from benchmarks.report import Figures, parser, report
from benchmarks.tsbs_fleet import FLEETS, MODELS, SEED, START, START_US, Day, day
from benchmarks.tsbs_trino import trino
from infra.sql.translation import parse, to_duckdb
from infra.trino.registration import trino_connection
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base

SQL = Path(__file__).parent / "tsbs_sql"
QUESTIONS = (
    "last-loc",
    "single-last-loc",
    "low-fuel",
    "high-load",
    "stationary-trucks",
    "long-driving-sessions",
    "long-daily-sessions",
    "avg-vs-projected-fuel-consumption",
    "avg-daily-driving-duration",
    "avg-daily-driving-session",
    "avg-load",
    "daily-activity",
    "breakdown-frequency",
)
WINDOW_MINUTES = {
    "stationary-trucks": 10,
    "long-driving-sessions": 240,
    "long-daily-sessions": 1440,
}
LARGE_ROWS = 10_000
TOLERANCE = 1e-9
"""Relative: engines add in orders of their own."""
Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Way:
    """An engine over one form of the day."""

    folder: str
    ask: Callable[[str], Rows]


def questions(folder: str) -> list[str]:
    """Return the questions that a form of the day answers: gold has no places, for one."""
    return [name for name in QUESTIONS if (SQL / folder / f"{name}.sql").is_file()]


def statement(folder: str, question: str, known: Day, chance: random.Random) -> str:
    """Return the SQL of a question about a fleet, a truck and times that chance names."""
    text = (SQL / folder / f"{question}.sql").read_text(encoding="utf-8")
    fleet, truck = chance.choice(FLEETS), chance.randrange(len(known.trucks))
    minutes = WINDOW_MINUTES.get(question, 0)
    since = 5 * chance.randrange((1440 - minutes) // 5 + 1)
    start = START_US + since * 60_000_000
    return text.format(
        fleet=fleet,
        truck=f"truck_{truck}",
        device_full=f"{known.trucks['model'][truck].lower()}.truck_{truck}",
        date=START.date(),
        start=start,
        end=start + minutes * 60_000_000,
        since=_told(since),
        until=_told(since + minutes),
        models=", ".join(
            f"('{name.lower()}', {load}e0, {nominal}e0)" for name, load, _, nominal in MODELS
        ),
    )


def _told(minute: int) -> str:
    return f"{START + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S} UTC"


def frame(rows: Rows) -> pl.DataFrame:
    """Return an answer in an order that does not hang on the engine: by what is no fraction."""
    plain = [[float(v) if isinstance(v, Decimal) else v for v in row] for row in rows]
    found = pl.DataFrame(plain, orient="row", infer_schema_length=None)
    exact = [name for name, kind in found.schema.items() if not kind.is_float()]
    return found.sort(exact)


def same(question: str, answers: Mapping[str, Rows]) -> int:
    """Return how many rows the answers have; raise unless they are the same."""
    first, *others = answers
    expected = frame(answers[first])
    for name in others:
        try:
            assert_frame_equal(
                frame(answers[name]), expected, check_dtypes=False, rel_tol=TOLERANCE
            )
        except AssertionError as error:
            raise AssertionError(f"{question}: {name} and {first} disagree: {error}") from error
    return len(expected)


def measure(ways: Mapping[str, Way], known: Day, warm: int, rounds: int) -> dict[str, object]:
    """Ask all ways all questions, in turns; return medians in ms and sizes of the answers."""
    took: dict[tuple[str, str], list[float]] = {}
    sizes: dict[str, int] = {}
    for number in range(-warm, rounds):
        for question in QUESTIONS:
            answers = {}
            for name, way in ways.items():
                if question not in questions(way.folder):
                    continue
                asked = statement(way.folder, question, known, random.Random(f"{SEED} {number}"))
                began = time.perf_counter()
                answers[name] = way.ask(asked)
                if number >= 0:
                    ms = (time.perf_counter() - began) * 1000
                    took.setdefault((question, name), []).append(ms)
            sizes[question] = sizes.get(question, 0) + same(question, answers)
    empty = [question for question, rows in sizes.items() if not rows]
    if empty:
        raise AssertionError(f"nothing was ever answered to {', '.join(empty)}")
    return {f"{q}.{name}_ms": median(ms) for (q, name), ms in took.items()}


def run(home: Path, known: Day, warm: int, rounds: int) -> dict[str, object]:
    """Start who answers over the lake of a home and the day that it holds, and ask."""
    figures: dict[str, object] = {}
    settings = Settings(home=home, port_base=free_port_base())
    with ExitStack() as stack:
        postgresql = stack.enter_context(tsbs_peers.postgresql_day(known))
        duckdb = tsbs_peers.duckdb_lake(home / "lake", [table.name for table in tsbs_lake.TABLES])
        stack.enter_context(trino(settings))
        cursor = trino_connection(settings, user="bench").cursor()

        def by_duckdb(query: str) -> Rows:
            return duckdb.execute(to_duckdb(parse(query))).fetchall()

        ways = {
            "trino": Way("silver", lambda query: cursor.execute(query).fetchall()),
            "trino_gold": Way("gold", lambda query: cursor.execute(query).fetchall()),
            "duckdb": Way("silver", by_duckdb),
            "postgresql": Way("postgresql", lambda query: postgresql.execute(query).fetchall()),
        }
        figures |= measure(ways, known, warm, rounds)
        read = {
            question: tsbs_peers.rows_read(
                postgresql, statement("postgresql", question, known, random.Random(SEED))
            )
            for question in QUESTIONS
        }
    figures |= {f"{question}.rows_read": count for question, count in read.items()}
    large = [question for question, count in read.items() if count > LARGE_ROWS]
    figures |= ratios(figures, large)
    return {**figures, "large": ", ".join(large), "load": os.getloadavg()[1]}


def ratios(figures: Figures, large: Sequence[str]) -> dict[str, object]:
    """Return the geometric means of times to PostgreSQL's."""
    found: dict[str, object] = {}
    for name in ("trino", "trino_gold", "duckdb"):
        for kind, asked in (("large", large), ("all", QUESTIONS)):
            each = [
                float(str(figures[f"{question}.{name}_ms"]))
                / float(str(figures[f"{question}.postgresql_ms"]))
                for question in asked
                if f"{question}.{name}_ms" in figures
            ]
            found[f"{name}.of_postgresql.{kind}"] = geometric_mean(each)
    return found


def main() -> None:
    """Measure and report."""
    arguments = parser("TSBS's questions about trucks")
    arguments.add_argument("--trucks", type=int, default=100)
    arguments.add_argument("--open", action="store_true", help="a day that is not compacted yet")
    arguments.add_argument("--warm", type=int, default=4, help="rounds that are not counted")
    arguments.add_argument("--rounds", type=int, default=7)
    default = Path("build/tsbs")
    arguments.add_argument("--home", type=Path, default=default, help="kept for the next run")
    given = arguments.parse_args()
    home = given.home.absolute()
    made = tsbs_lake.make(home, given.trucks, is_open=given.open)
    figures = made | run(home, day(given.trucks), given.warm, given.rounds)
    report("tsbs", figures, given.out)


if __name__ == "__main__":
    main()

"""Trino and the light engine answer alike; Trino sees what is written a moment ago."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import write_deltalake

from infra.sql.formats import write
from infra.sql.light_engine import query_light
from infra.sql.result import QueryError, Result
from infra.sql.trino_engine import query_trino
from telemetry.settings import Settings
from telemetry.tables import BY_NAME, JOB_RUNS, READINGS, REJECTED
from tests.end_to_end.stack import Stack, free_port_base
from tests.infra.sql.questions import QUESTIONS
from tests.infra.sql.seeded_lake import frame, readings, seed

pytestmark = [pytest.mark.trino, pytest.mark.stack]
NEW = JOB_RUNS


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("trino")
    seed(home / "lake", without={NEW})
    stack = Stack(home, free_port_base())
    try:
        stack.run("up", "--only", "trino")
        yield Settings(home=home, port_base=stack.port_base)
    finally:
        stack.run("down", check=False)


def as_json(result: Result) -> str:
    out = io.StringIO()
    write(result, "json", out)
    return out.getvalue()


def one(settings: Settings, query: str) -> int:
    ((number,),) = query_trino(settings, query).rows
    assert isinstance(number, int)
    return number


@pytest.mark.parametrize("question", QUESTIONS)
def test_both_engines_answer_alike(settings: Settings, question: str) -> None:
    assert as_json(query_light(settings, question)) == as_json(query_trino(settings, question))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 1 from silver.raedings", r"^line 1:15: Table 'lake.silver.raedings' does not"
         r" exist; did you mean silver.readings"),
        ("select nope\nfrom silver.readings", r"^line 1:8: Column 'nope' cannot be resolved$"),
        ("select 1 from nope.nothing", "there are bronze.messages, dim.devices"),
        ("select 1 / 0", "^Division by zero$"),
        ("delete from silver.readings", "Access Denied"),
        ("drop table silver.readings", "Access Denied"),
    ],
)  # fmt: skip
def test_error_says_where_and_why(settings: Settings, query: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        list(query_trino(settings, query).rows)


def test_table_made_since_the_start_is_registered_by_the_query(settings: Settings) -> None:
    table = Path(settings.lake_root, *NEW.name.split("."))
    write_deltalake(table, frame(NEW, []), partition_by=list(NEW.partition_by))
    assert one(settings, f"select count(*) from {NEW.name}") == 0
    query = "select count(*) from information_schema.tables where table_schema <>"
    assert one(settings, f"{query} 'information_schema'") == len(BY_NAME)


def test_appends_are_seen_at_once(settings: Settings) -> None:
    table = Path(settings.lake_root, *REJECTED.name.split("."))
    for count in range(4, 8):
        write_deltalake(table, frame(REJECTED, [{"received_date": None}]), mode="append")
        assert one(settings, f"select count(*) from {REJECTED.name}") == count


def test_counts_never_fall_while_a_table_is_written(settings: Settings) -> None:
    table, stopped = Path(settings.lake_root, *READINGS.name.split(".")), threading.Event()
    rows = frame(READINGS, readings())

    def append() -> None:
        while not stopped.wait(0.1):
            write_deltalake(table, rows, mode="append")

    writer = threading.Thread(target=append)
    writer.start()
    try:
        counts = [one(settings, "select count(*) from silver.readings") for _ in range(8)]
    finally:
        stopped.set()
        writer.join()
    assert all(count % len(rows) == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]

"""Trino and the light engine answer alike, and right; Trino sees what is written a moment ago."""

import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake
from trino.exceptions import TrinoUserError

from infra.sql.formats import write
from infra.sql.light_engine import query_light
from infra.sql.result import QueryError, Result
from infra.sql.trino_engine import query_trino
from infra.trino.registration import registrar, trino_connection
from infra.trino.rules import BATCH_TAG, DASHBOARD_USER
from telemetry.settings import Settings
from telemetry.tables import BY_NAME, JOB_RUNS, READINGS, REJECTED
from tests.end_to_end.stack import Stack, free_port_base
from tests.infra.sql import cookbook_lake, cookbook_page
from tests.infra.sql.cookbook_answers import Answer, Known, hour_of
from tests.infra.sql.cookbook_comparisons import COMPARISONS
from tests.infra.sql.cookbook_devices import DEVICES
from tests.infra.sql.cookbook_trust import TRUST
from tests.infra.sql.questions import QUESTIONS
from tests.infra.sql.seeded_lake import append, frame, readings, seed

pytestmark = [pytest.mark.trino, pytest.mark.stack]
NEW = JOB_RUNS
ANSWERS = {**DEVICES, **COMPARISONS, **TRUST}
ENGINES = (query_light, query_trino)


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


@pytest.fixture(scope="module")
def cookbook(settings: Settings) -> Settings:
    """Return the same stack once its lake has the cookbook's rows as well."""
    cookbook_lake.seed(Path(settings.lake_root), datetime.now(UTC))
    return settings


def answer(settings: Settings, engine: Any, statement: str) -> tuple[datetime, Answer]:
    """Return an engine's answer, and an hour's moment in which it was given whole."""
    while True:
        now = datetime.now(UTC)
        rows = [tuple(row) for row in engine(settings, statement).rows]
        if hour_of(datetime.now(UTC)) == hour_of(now):
            return now, rows


def nearly(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
        for value in row
    )


@pytest.mark.parametrize("title", cookbook_page.statements())
@pytest.mark.parametrize("engine", ENGINES)
def test_cookbook_answers_what_the_rows_say(cookbook: Settings, title: str, engine: Any) -> None:
    now, rows = answer(cookbook, engine, cookbook_page.statements()[title])
    expected = ANSWERS[title](Known(Path(cookbook.lake_root), now))
    whose = () if title in cookbook_page.OF_ALL_TENANTS else ("default",)
    assert rows == [nearly((*whose, *row)) for row in expected]
    assert rows


def test_cookbook_has_an_answer_to_each_question() -> None:
    assert len(ANSWERS) >= 20
    assert set(ANSWERS) == set(cookbook_page.statements())


def test_python_of_the_page_runs(cookbook: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    program = cookbook_page.python_example()
    assert program.count("18002") == 1
    exec(program.replace("18002", str(cookbook.port("trino"))))  # noqa: S102 - our own page
    assert "room.b2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 1 from silver.raedings", r"^line 1:15: Table 'lake.silver.raedings' does not"
         r" exist; did you mean silver.readings"),
        ("select nope\nfrom silver.readings", r"^line 1:8: Column 'nope' cannot be resolved$"),
        ("select 1 from nope.nothing", "there are bronze.messages, dim.devices"),
        ("select 1 / 0", "^Division by zero$"),
        ("delete from silver.readings", "Access Denied"),
        ("drop table silver.readings", "^Access Denied: Cannot drop table lake.silver.readings$"),
        ("insert into silver.readings (seq) values (1)", "^Access Denied: Cannot insert into table"
         " lake.silver.readings$"),
        ("update silver.readings set seq = 1", "^Access Denied: Cannot update columns"),
        ("create table silver.mine (a int)", "^Access Denied: Cannot create table"),
        ("create view silver.mine as select 1 as a", "^Access Denied: Cannot create view"),
        ("analyze silver.readings", "^Access Denied: Cannot ANALYZE"),
        ("call system.unregister_table('silver', 'late')", "^Access Denied: Cannot execute proc"),
        ("call system.vacuum('silver', 'late', '7d')", "^Access Denied: Cannot execute procedure"),
    ],
)  # fmt: skip
def test_error_says_where_and_why(settings: Settings, query: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        list(query_trino(settings, query).rows)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from silver.late where seq < -1",
        "insert into silver.late (seq) values (1)",
        "update silver.late set seq = 1 where seq < -1",
        "merge into silver.late l using (values 1) v (n) on l.seq < -1 when matched then delete",
        "create table silver.mine as select 1 as a",
    ],
)
def test_no_name_lets_anybody_change_rows(settings: Settings, statement: str) -> None:
    cursor = trino_connection(settings, user=registrar(settings)).cursor()
    with pytest.raises(TrinoUserError, match="Access Denied"):
        cursor.execute(statement).fetchall()


@pytest.mark.parametrize("user", ["headwater", "admin", "registrar", "registrar-"])
@pytest.mark.parametrize(
    "statement",
    [
        "comment on table silver.late is 'mine'",
        "comment on column silver.late.seq is 'mine'",
        "alter table silver.late add column mine integer",
        "alter table silver.late execute optimize",
        "drop table silver.late",
        "create schema mine",
        "call system.unregister_table('silver', 'late')",
    ],
)
def test_tables_stay_as_declared_whoever_one_says_to_be(
    settings: Settings, statement: str, user: str
) -> None:
    log = Path(settings.lake_root, "silver", "late", "_delta_log")
    before = sorted(log.iterdir())
    cursor = trino_connection(settings, user=user).cursor()
    with pytest.raises(TrinoUserError, match=r"Access Denied|Writes are not enabled"):
        cursor.execute(statement).fetchall()
    assert sorted(log.iterdir()) == before


def test_name_of_the_registrar_is_shown_to_nobody(settings: Settings) -> None:
    cursor = trino_connection(settings, user=registrar(settings)).cursor()
    cursor.execute("select count(*) from silver.rejected")
    cursor.fetchall()
    seen = one(
        settings,
        f"select count(*) from system.runtime.queries where query_id = '{cursor.query_id}'",
    )
    assert seen == 0
    for path in ("registrar", "etc/rules.json"):
        assert (settings.home / "trino" / path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("user", "tags", "group"),
    [
        (DASHBOARD_USER, [], "dashboard"),
        (DASHBOARD_USER, [BATCH_TAG], "dashboard"),
        ("anybody", [], "adhoc"),
        ("anybody", [BATCH_TAG], "batch"),
        ("registrar-", [], "registration"),
    ],
)
def test_query_runs_in_its_resource_group(
    settings: Settings, user: str, tags: list[str], group: str
) -> None:
    cursor = trino_connection(settings, user=user, tags=tags).cursor()
    cursor.execute("select count(*) from silver.rejected")
    cursor.fetchall()
    asked = (
        f"select resource_group_id from system.runtime.queries where query_id = '{cursor.query_id}'"
    )
    assert [tuple(row) for row in query_trino(settings, asked).rows] == [([group],)]


def test_nobody_ends_the_query_of_another(settings: Settings) -> None:
    cursor = trino_connection(settings, user="somebody").cursor()
    cursor.execute("select 1")
    kill = f"call system.runtime.kill_query(query_id => '{cursor.query_id}', message => 'no')"
    with pytest.raises(QueryError, match="Access Denied"):
        list(query_trino(settings, kill).rows)


def test_table_made_since_the_start_is_registered_by_the_query(settings: Settings) -> None:
    table = Path(settings.lake_root, *NEW.name.split("."))
    write_deltalake(table, frame(NEW, []), partition_by=list(NEW.partition_by))
    assert one(settings, f"select count(*) from {NEW.name}") == 0
    query = "select count(*) from information_schema.tables where table_schema <>"
    assert one(settings, f"{query} 'information_schema'") == len(BY_NAME)


def test_appends_are_seen_at_once(settings: Settings) -> None:
    before = one(settings, f"select count(*) from {REJECTED.name}")
    for count in range(before + 1, before + 5):
        append(Path(settings.lake_root), REJECTED, [{"received_date": None}])
        assert one(settings, f"select count(*) from {REJECTED.name}") == count


def test_counts_never_fall_while_a_table_is_written(settings: Settings) -> None:
    lake, stopped, rows = Path(settings.lake_root), threading.Event(), readings()
    before = one(settings, "select count(*) from silver.readings")

    def write_again_and_again() -> None:
        while not stopped.wait(0.1):
            append(lake, READINGS, rows)

    writer = threading.Thread(target=write_again_and_again)
    writer.start()
    try:
        counts = [one(settings, "select count(*) from silver.readings") for _ in range(8)]
    finally:
        stopped.set()
        writer.join()
    assert all((count - before) % len(rows) == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]

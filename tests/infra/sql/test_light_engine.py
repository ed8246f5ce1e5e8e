"""SQL without Trino: the same words, read-only, errors with their place."""

from pathlib import Path

import pytest

from infra.sql.light_engine import query_light
from infra.sql.result import QueryError
from telemetry.settings import Settings
from tests.infra.sql.questions import QUESTIONS
from tests.infra.sql.seeded_lake import seed


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("light")
    seed(home / "lake")
    return Settings(home=home)


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in query_light(settings, query).rows]


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_answered(settings: Settings, question: str) -> None:
    assert len(rows(settings, question)) >= ("gold" not in question)


def test_whole_numbers_divide_to_whole_ones(settings: Settings) -> None:
    assert rows(settings, "select 7 / 2, -7 / 2, 7 / 2.0, max(seq) / 2 from silver.readings") == [
        (3, -3, 3.5, 19)
    ]


def test_of_no_rows_none_hold(settings: Settings) -> None:
    found = query_light(settings, "select count_if(value > 1) from silver.readings where seq < 0")
    assert list(found.rows) == [(0,)]


def test_columns_without_a_name_are_named_as_in_trino(settings: Settings) -> None:
    query = "select 1, seq, count(*) as n, max(seq) from silver.readings group by seq limit 1"
    assert query_light(settings, query).columns == ("_col0", "seq", "n", "_col3")


def test_names_work_with_the_catalog_and_without(settings: Settings) -> None:
    query = "select count(*) from {} where seq < 10"
    assert rows(settings, query.format("lake.silver.readings")) == [(10,)]
    assert rows(settings, query.format("Silver.Readings")) == [(10,)]


def test_own_name_of_a_query_hides_no_table(settings: Settings) -> None:
    query = "with readings as (select seq from silver.readings) select count(*) from readings"
    assert rows(settings, query) == [(40,)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 1 from silver.raedings", r"line 1:15: Table 'lake.silver.raedings' does not exist;"
         r" did you mean silver.readings"),
        ("select 1\nfrom readings", r"line 2:6: .*did you mean silver.readings\?"),
        ("select 1 from nope.nothing", "there are bronze.messages, dim.devices"),
        ("select nope\nfrom silver.readings", r"line 1:8: .*nope"),
        ("select (", r"line 1:8: "),
        ("select 'a", "line|token"),
        ("select 1 / 0", "[Dd]ivision by zero"),
        ("describe silver.nothing", "does not exist"),
    ],
)  # fmt: skip
def test_error_says_where_and_why(settings: Settings, query: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as refused:
        rows(settings, query)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "query",
    [
        "insert into silver.readings (seq) values (1)",
        "delete from silver.readings",
        "drop table silver.readings",
        "create table silver.x (a int)",
        "attach '/etc/passwd'",
        "copy silver.readings to '/tmp/x'",
        "set lock_configuration = false",
        "select 1; drop view silver.readings",
    ],
)
def test_nothing_can_be_changed(settings: Settings, query: str) -> None:
    with pytest.raises(QueryError):
        rows(settings, query)


def test_no_file_beside_the_tables_can_be_read(settings: Settings) -> None:
    for query in ("select * from read_csv('/etc/passwd')", "select * from '/etc/passwd'"):
        with pytest.raises(QueryError):
            rows(settings, query)


def test_lake_without_tables_says_who_makes_them(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no tables yet"):
        rows(Settings(home=tmp_path), "select * from silver.readings")

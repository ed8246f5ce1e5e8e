"""SQL without Trino: the same words, read-only, errors with their place."""

from datetime import UTC, date, datetime, timedelta
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


def test_differences_are_of_whole_units(settings: Settings) -> None:
    query = (
        "select date_diff('hour', t, u), date_diff('hour', u, t), date_diff('day', t, u)"
        " from (values (timestamp '2026-11-21 08:59:00 UTC', timestamp '2026-11-21 10:01:00 UTC'))"
        " as v(t, u)"
    )
    assert rows(settings, query) == [(1, -1, 0)]


def test_time_of_a_zone_is_a_moment_and_has_the_hour_of_its_clock(settings: Settings) -> None:
    """In the night in which clocks are put back an hour comes twice."""
    zoned = "t at time zone 'Europe/Berlin'"
    query = (
        f"select {zoned}, hour({zoned}), date_trunc('day', {zoned}),"
        f" {zoned} < timestamp '2026-10-25 01:00:00 UTC' from (values timestamp"
        " '2026-10-25 00:30:00 UTC', timestamp '2026-10-25 01:30:00 UTC') as v(t) order by 1"
    )
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert rows(settings, query) == [(first, 2, midnight, True), (second, 2, midnight, False)]


def test_halves_are_rounded_away_from_zero(settings: Settings) -> None:
    query = "select cast(x as bigint) from (values 0.5e0, 2.5e0, -2.5e0) as v(x)"
    assert rows(settings, query) == [(1,), (3,), (-3,)]
    query = "select cast(cast(4.5e0 as bigint) / 2e0 as integer), cast('7' as integer)"
    assert rows(settings, query) == [(3, 7)]


def test_dates_stay_dates(settings: Settings) -> None:
    query = (
        "select event_date - interval '1' day, date_trunc('month', event_date),"
        " millisecond(timestamp '2026-11-21 08:00:05.123 UTC') from silver.readings limit 1"
    )
    assert rows(settings, query) == [(date(2026, 11, 20), date(2026, 11, 1), 123)]


def test_differences_of_times_and_of_dates_are_durations(settings: Settings) -> None:
    query = (
        "select timestamp '2026-01-02 00:00:00.5 UTC' - timestamp '2026-01-01 00:00:00 UTC',"
        " event_date - date '2026-11-01' from silver.readings limit 1"
    )
    assert rows(settings, query) == [(timedelta(days=1, milliseconds=500), timedelta(days=20))]


def test_patterns_are_filled_in_or_refused(settings: Settings) -> None:
    query = "select format('%s is %.1f%% of %d', 'a', 2.26e0, 7)"
    assert rows(settings, query) == [("a is 2.3% of 7",)]
    with pytest.raises(QueryError, match="knows %s, %d, %f and %e"):
        rows(settings, "select format('%x', 255)")


def test_what_is_not_there_is_null_and_groups_are_put_back(settings: Settings) -> None:
    query = (
        "select regexp_extract('ab', '[0-9]+'), regexp_extract('a12', '[0-9]+'), split_part('a.b',"
        " '.', 3), split_part('a.b', '.', 2), array_position(array['a'], 'b'),"
        " regexp_replace('ab12', '([a-z]+)([0-9]+)', '$2-$1'),"
        " extract(dow from date '2027-01-03'), slice(array[1, 2, 3, 4], 2, 2)"
    )
    assert rows(settings, query) == [(None, "12", None, "b", 0, "12-ab", 7, [2, 3])]


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

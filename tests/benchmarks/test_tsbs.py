"""TSBS's day of trucks, and its thirteen questions: of a few trucks, without Trino."""

import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from benchmarks import tsbs, tsbs_fleet, tsbs_lake, tsbs_peers
from infra.sql.translation import parse, to_duckdb
from spark_jobs.lake import Lake
from tests.services import postgresql

ROUNDS = 8
"""Fleets and times are drawn anew each time, so that each question has an answer in one of them."""


@pytest.fixture(scope="module")
def known() -> tsbs_fleet.Day:
    return tsbs_fleet.day(trucks=12, steps=5400)


@pytest.fixture(scope="module")
def lake(known: tsbs_fleet.Day, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tsbs") / "lake"
    tsbs_lake.write(Lake(str(root)), known)
    return root


@pytest.fixture(scope="module")
def over_files(lake: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with tsbs_peers.duckdb_lake(lake, [table.name for table in tsbs_lake.TABLES]) as engine:
        yield engine


@pytest.fixture(scope="module")
def over_rows(known: tsbs_fleet.Day) -> Iterator[tsbs_peers.Session]:
    if postgresql.programs() is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    with tsbs_peers.postgresql_day(known) as session:
        yield session


@pytest.mark.parametrize("question", tsbs.QUESTIONS)
def test_readings_windows_and_wide_rows_answer_alike(
    question: str,
    known: tsbs_fleet.Day,
    over_files: duckdb.DuckDBPyConnection,
    over_rows: tsbs_peers.Session,
) -> None:
    rows = 0
    forms = [form for form in ("silver", "gold") if question in tsbs.questions(form)]
    for number in range(ROUNDS):
        texts = {
            form: tsbs.statement(form, question, known, random.Random(number))
            for form in ("postgresql", *forms)
        }
        answers: dict[str, tsbs.Rows] = {
            form: over_files.execute(to_duckdb(parse(texts[form]))).fetchall() for form in forms
        }
        answers["postgresql"] = over_rows.execute(texts["postgresql"]).fetchall()
        rows += tsbs.same(question, answers)
    assert rows


def test_answers_that_differ_are_no_figures() -> None:
    one, other = [("truck_1", 1.0)], [("truck_1", 1.0 + 1e-6)]
    with pytest.raises(AssertionError, match="avg-load: other and one disagree"):
        tsbs.same("avg-load", {"one": one, "other": other})
    with pytest.raises(AssertionError, match="disagree"):
        tsbs.same("avg-load", {"one": one, "other": []})


def test_mean_load_is_that_of_the_messages(
    known: tsbs_fleet.Day, over_files: duckdb.DuckDBPyConnection
) -> None:
    loads = known.diagnostics.group_by("truck").agg(pl.col("current_load").mean())
    shares = loads.join(known.trucks, on="truck").with_columns(
        pl.col("current_load") / pl.col("load_capacity")
    )
    expected = shares.group_by("fleet", pl.col("model").str.to_lowercase(), "load_capacity").agg(
        pl.col("current_load").mean()
    )

    text = tsbs.statement("silver", "avg-load", known, random.Random(0))
    found = over_files.execute(to_duckdb(parse(text))).fetchall()

    assert tsbs.same("avg-load", {"silver": found, "messages": expected.rows()}) == len(expected)


def test_same_seed_draws_the_same_day(known: tsbs_fleet.Day) -> None:
    again = tsbs_fleet.day(trucks=12, steps=5400)
    assert again.readings.equals(known.readings)
    assert again.diagnostics.equals(known.diagnostics)
    assert not tsbs_fleet.day(trucks=12, steps=5400, seed=1).readings.equals(known.readings)


def test_a_tenth_of_the_messages_is_lost_and_some_come_late(known: tsbs_fleet.Day) -> None:
    sent = 12 * 5400
    assert 0.86 < len(known.readings) / sent < 0.92
    assert known.readings["arrived_us"].is_sorted()
    late = (known.readings["time_us"].diff() < 0).mean()
    assert isinstance(late, float)
    assert 0.01 < late < 0.3


def test_walks_stay_within_bounds_and_fuel_is_filled_up() -> None:
    steps = np.array([[-0.6, 5.0], [-0.6, 5.0], [-0.1, -1.0]])
    walked = tsbs_fleet.walked(steps, 0, 1, np.ones(2), refill=True)
    assert walked.tolist() == [[0.4, 1.0], [1.0, 1.0], [0.9, 1.0]]

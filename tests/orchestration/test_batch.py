from pathlib import Path

import dagster as dg
import pytest

from orchestration.batch import BATCH_JOBS, batch_assets
from orchestration.tables import asset_key
from telemetry.tables import LATE, READINGS, SUMMARIES
from tests.orchestration.jobs import calls, fake_spark, is_nicer, suite_result

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")

SUMMARIZED = {table.name: {"rows": 4} for table in SUMMARIES}
SUMMARIES_HELD = {table.name: suite_result() for table in SUMMARIES}


def run(
    folder: Path, name: str, partition: str | None = None, **answers: object
) -> dg.ExecuteInProcessResult:
    place = [job.name for job in BATCH_JOBS].index(name)
    return dg.materialize(
        [batch_assets()[place]],
        resources={"spark": fake_spark(folder, **answers)},
        partition_key=partition,
        raise_on_error=False,
    )


def test_what_a_job_reports_is_the_metadata_of_its_tables(tmp_path: Path) -> None:
    quality = {"tables": SUMMARIES_HELD, "pages": "index.html"}

    result = run(tmp_path, "summaries", summaries={"tables": SUMMARIZED}, quality=quality)

    assert result.success
    made = {one.asset_key: one for one in result.asset_materializations_for_node("run_summaries")}
    for table in SUMMARIES:
        assert made[asset_key(table.name)].metadata["rows"].value == 4


def test_suites_follow_the_job_over_the_same_days(tmp_path: Path) -> None:
    quality = {"tables": SUMMARIES_HELD, "pages": "index.html"}

    run(tmp_path, "summaries", "2026-11-20", summaries={"tables": SUMMARIZED}, quality=quality)

    assert is_nicer(tmp_path)
    days = ["--from", "2026-11-20", "--to", "2026-11-20"]
    asked = [word for table in SUMMARIES for word in ("--tables", table.name)]
    assert calls(tmp_path) == [
        ["summaries", *days],
        ["quality", "--exit-zero", *asked, *days],
    ]


def test_a_suite_that_does_not_hold_stops_the_run(tmp_path: Path) -> None:
    held = {**SUMMARIES_HELD, SUMMARIES[0].name: suite_result(success=False)}
    quality = {"tables": held, "pages": "index.html"}

    result = run(tmp_path, "summaries", summaries={"tables": SUMMARIZED}, quality=quality)

    assert not result.success
    evaluations = {one.asset_key: one for one in result.get_asset_check_evaluations()}
    assert not evaluations[asset_key(SUMMARIES[0].name)].passed
    assert evaluations[asset_key(SUMMARIES[1].name)].passed
    assert len(calls(tmp_path)) == 2


def test_a_job_that_tends_tables_shows_what_it_did_to_each(tmp_path: Path) -> None:
    result = run(tmp_path, "vacuum", vacuum={"retained_hours": 24, "tables": {"a.b": {"files": 2}}})

    (made,) = result.asset_materializations_for_node("run_vacuum")
    assert made.metadata["retained_hours"].value == 24
    assert made.metadata["tables"].value == {"a.b": {"files": 2}}


def test_messages_out_of_place_stop_the_run_and_are_named(tmp_path: Path) -> None:
    sentence = "telemetry/3 of 2026-11-21 08:00, offsets 0-99: -1 messages, 42 in no table"
    figures = {"success": False, "hours": 1, "wrong": [sentence]}

    result = run(tmp_path, "conservation", conservation=figures)

    assert not result.success
    assert calls(tmp_path) == [["conservation", "--exit-zero"]]
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert evaluation.description == sentence
    assert sentence in str(evaluation.metadata["wrong"].value)


def test_messages_in_their_places_pass(tmp_path: Path) -> None:
    figures = {"success": True, "hours": 2, "wrong": []}

    result = run(tmp_path, "conservation", conservation=figures)

    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed


def test_replay_asks_for_messages_of_registered_devices_alone(tmp_path: Path) -> None:
    held = {table.name: suite_result() for table in (READINGS, LATE)}

    result = run(tmp_path, "replay", replay={"taken_up": 2}, quality={"tables": held, "pages": ""})

    assert result.success
    assert calls(tmp_path)[0] == ["replay", "--rejected", "--registered"]

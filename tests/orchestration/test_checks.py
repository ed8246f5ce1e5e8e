import re
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from orchestration import remedies
from orchestration.checks import check_keys, suites
from orchestration.tables import asset_key
from spark_jobs.main import JOBS
from telemetry.tables import READINGS, REJECTED, TABLES
from tests.orchestration.jobs import calls, fake_spark, suite_result

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")


def run(folder: Path, *results: bool, data_docs: str = "") -> dg.ExecuteInProcessResult:
    held = {
        table.name: suite_result(success=success)
        for table, success in zip((READINGS, REJECTED), results, strict=True)
    }
    spark = fake_spark(folder, quality={"tables": held, "pages": "/docs/index.html"})
    definitions = dg.Definitions(
        asset_checks=[suites()],
        jobs=[
            dg.define_asset_job(
                "quality", dg.AssetSelection.checks(*check_keys([READINGS, REJECTED]))
            )
        ],
        resources={"spark": replace(spark, data_docs=data_docs)},
    )
    return definitions.resolve_job_def("quality").execute_in_process(raise_on_error=False)


def test_suites_of_several_tables_are_one_job(tmp_path: Path) -> None:
    result = run(tmp_path, True, True)

    assert result.success
    asked = ["--tables", "silver.readings", "--tables", "silver.rejected"]
    assert calls(tmp_path) == [["quality", "--exit-zero", *asked]]


def test_a_suite_that_does_not_hold_fails_the_run_with_its_sentence(tmp_path: Path) -> None:
    result = run(tmp_path, False, True)

    assert not result.success
    evaluations = {one.asset_key: one for one in result.get_asset_check_evaluations()}
    failed = evaluations[asset_key("silver.readings")]
    assert not failed.passed
    assert "a key is there once" in str(failed.metadata["failed"].value)
    assert "a key is there once" in str(failed.description)
    assert "headwater job replay" in str(failed.metadata["what to do"].value)
    held = evaluations[asset_key("silver.rejected")]
    assert held.passed
    assert "what to do" not in held.metadata


@pytest.mark.parametrize("name", [table.name for table in TABLES])
def test_what_is_to_be_done_names_a_job_that_there_is(name: str) -> None:
    named = re.findall(r"headwater job ([\w-]+)", remedies.of_table(name))
    assert named
    assert set(named) <= set(JOBS)


def test_a_run_tells_where_its_pages_are(tmp_path: Path) -> None:
    result = run(tmp_path, True, True)

    (made,) = result.asset_materializations_for_node("run_suites")
    assert made.asset_key == asset_key("ops.quality")
    assert made.metadata["data docs"].value == "/docs/index.html"


def test_a_check_leads_to_the_page_of_its_table_where_pages_are_served(tmp_path: Path) -> None:
    result = run(tmp_path, False, True, data_docs="http://here/data-docs/")

    leads = {
        one.asset_key: one.metadata["data docs"].value
        for one in result.get_asset_check_evaluations()
    }
    assert leads[asset_key("silver.readings")] == "http://here/data-docs/suites/silver.readings"
    (made,) = result.asset_materializations_for_node("run_suites")
    assert made.metadata["data docs"].value == "http://here/data-docs/"

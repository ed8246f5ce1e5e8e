import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import dagster as dg
import pytest

from orchestration.batch import BATCH_JOBS
from orchestration.definitions import build
from orchestration.tables import asset_key
from telemetry.settings import Settings
from telemetry.tables import TABLES
from tests.dashboards.tables_shown import dashboards_by_table

SNAPSHOT = Path(__file__).with_name("asset_graph.json")
Mode = Literal["always_on", "scheduled"]
MODES: tuple[Mode, ...] = ("always_on", "scheduled")
STREAMS = ("landing", "gold", "scoring")


Built = dict[Mode, dg.Definitions]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return the definitions of each mode."""
    home = tmp_path_factory.mktemp("home")
    return {mode: build(Settings(home=home, streams=mode)) for mode in MODES}


def graph(definitions: dg.Definitions) -> dict[str, object]:
    assets = definitions.resolve_asset_graph()
    nodes = {key: assets.get(key) for key in sorted(assets.get_all_asset_keys())}
    return {
        key.to_user_string(): {
            "from": sorted(parent.to_user_string() for parent in node.parent_keys),
            "group": node.group_name,
            "owners": list(node.owners),
            "kinds": sorted(node.kinds),
            "runs": node.is_executable,
            "by day": node.partitions_def is not None,
            "checks": sorted(check.name for check in assets.get_check_keys_for_assets({key})),
        }
        for key, node in nodes.items()
    }


@pytest.mark.parametrize("mode", MODES)
def test_everything_loads(built: Built, mode: Mode) -> None:
    dg.Definitions.validate_loadable(built[mode])


def test_asset_graph_is_as_it_was(built: Built, tmp_path: Path) -> None:
    found = graph(built["always_on"])

    changed = tmp_path / SNAPSHOT.name
    changed.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(SNAPSHOT.read_text()), f"if it is right, copy {changed}"


@pytest.mark.parametrize("mode", MODES)
def test_every_table_and_stream_says_what_it_is_made_from(built: Built, mode: Mode) -> None:
    assets = built[mode].resolve_asset_graph()

    names = [*(table.name for table in TABLES), *(f"streams.{query}" for query in STREAMS)]
    without = [name for name in names if not assets.get(asset_key(name)).parent_keys]
    assert without == []


@pytest.mark.parametrize("mode", MODES)
def test_every_table_is_an_asset_with_its_columns(built: Built, mode: Mode) -> None:
    assets = built[mode].resolve_asset_graph()

    for table in TABLES:
        node = assets.get(asset_key(table.name))
        schema = node.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert [column.name for column in schema.columns] == list(table.column_names)
        assert node.description == table.description


@pytest.mark.parametrize("mode", MODES)
def test_every_table_leads_to_its_sql_its_dashboards_and_its_quality(
    tmp_path: Path, mode: Mode
) -> None:
    settings = Settings(home=tmp_path, streams=mode, superset="on", port_base=20000)
    assets = build(settings).resolve_asset_graph()
    dashboards = dashboards_by_table()

    for table in TABLES:
        metadata = assets.get(asset_key(table.name)).metadata
        shown = {name.removeprefix("dashboard "): value for name, value in metadata.items()
                 if name.startswith("dashboard ")}  # fmt: skip
        assert set(shown) == dashboards.get(table.name, set()), table.name
        for slug, url in shown.items():
            assert url.value == f"http://127.0.0.1:20005/superset/dashboard/{slug}/"
        assert table.name in str(metadata["sql"].value) or "from gold." in str(
            metadata["sql"].value
        )
        docs = f"http://127.0.0.1:20005/data-docs/suites/{table.name}"
        assert metadata["data docs"].value == docs


def test_without_superset_no_link_leads_there(tmp_path: Path) -> None:
    assets = build(Settings(home=tmp_path, superset="off")).resolve_asset_graph()

    for table in TABLES:
        metadata = assets.get(asset_key(table.name)).metadata
        assert not [name for name in metadata if name.startswith("dashboard")]
        pages = tmp_path / "dataquality" / "pages" / "overview.html"
        assert metadata["data docs"].value == str(pages)


@pytest.mark.parametrize("mode", MODES)
def test_schedules_and_sensors_run_from_the_first_start(built: Built, mode: Mode) -> None:
    repository = built[mode].get_repository_def()

    statuses = [one.default_status.value for one in repository.schedule_defs]
    statuses += [one.default_status.value for one in repository.sensor_defs]
    assert set(statuses) == {"RUNNING"}


def test_each_batch_job_has_a_schedule(built: Built) -> None:
    repository = built["always_on"].get_repository_def()

    scheduled = {schedule.job_name for schedule in repository.schedule_defs}
    assert scheduled == {"quality", *(job.name for job in BATCH_JOBS)}


def test_streams_run_in_dagster_only_when_they_are_scheduled(built: Built) -> None:
    always_on, scheduled = (built[mode].resolve_asset_graph() for mode in MODES)

    key = asset_key("silver.readings")
    assert not always_on.get(key).is_executable
    assert scheduled.get(key).is_executable
    assert always_on.get_all_asset_keys() == scheduled.get_all_asset_keys()


def test_spark_jobs_share_one_place(built: Built) -> None:
    repository = built["scheduled"].get_repository_def()

    nodes = [node for job in repository.get_all_jobs() for node in job.all_node_defs]
    pools = {pool for node in nodes for pool in node.pools}
    assert pools == {"spark"}


def test_importing_reads_no_environment() -> None:
    wrong = {**os.environ, "HEADWATER_PORT_BASE": "no number"}

    command = [sys.executable, "-c", "import orchestration.definitions"]
    subprocess.run(command, check=True, env=wrong)

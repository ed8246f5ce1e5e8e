"""The bundle is whole: ids, references, caches and the age of every panel."""

import re
from collections import Counter

import pytest

from infra.superset.inside.data_age import DATASET, SOURCE
from infra.trino.rules import DASHBOARD_USER
from tests.dashboards.bundle import charts_of, panels, read, targets

LIVE = {"Fleet now", "Map", "Alerts"}
TITLES = LIVE | {"Trends", "Quality"}
CHARTS = {panel.chart["uuid"]: panel for panel in panels()}
DATASETS = {found["uuid"]: found for found in read("datasets").values()}
DASHBOARDS = {found["dashboard_title"]: found for found in read("dashboards").values()}


def test_there_are_five_dashboards() -> None:
    assert set(DASHBOARDS) == TITLES


def test_ids_are_given_once() -> None:
    kinds = ("databases", "datasets", "charts", "dashboards")
    ids = [found["uuid"] for kind in kinds for found in read(kind).values()]
    assert [uuid for uuid, count in Counter(ids).items() if count > 1] == []


def test_references_lead_somewhere() -> None:
    databases = {found["uuid"] for found in read("databases").values()}
    assert {found["database_uuid"] for found in DATASETS.values()} == databases
    shown = {panel.chart["dataset_uuid"] for panel in CHARTS.values()}
    offered = {target["datasetUuid"] for found in DASHBOARDS.values() for target in targets(found)}
    assert shown | offered | {DATASET} == set(DATASETS)
    shown = {uuid for found in DASHBOARDS.values() for uuid in charts_of(found)}
    assert shown == set(CHARTS)


def test_every_panel_is_as_old_as_a_source_whose_age_is_known() -> None:
    sql = DATASETS[DATASET]["sql"]
    for panel in CHARTS.values():
        source = DATASETS[panel.chart["dataset_uuid"]]["extra"][SOURCE]
        assert f"'{source}'" in sql, panel.name


@pytest.mark.parametrize("title", sorted(TITLES))
def test_no_chart_is_shown_twice_where_each_takes_the_answer_from_the_other(title: str) -> None:
    shown = charts_of(DASHBOARDS[title])
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize("title", sorted(TITLES))
def test_refresh_finds_the_cache_expired_and_viewers_find_it_filled(title: str) -> None:
    refresh = DASHBOARDS[title]["metadata"]["refresh_frequency"]
    low, high = (10, 30) if title in LIVE else (60, 300)
    assert low <= refresh <= high
    for uuid in charts_of(DASHBOARDS[title]):
        assert 10 <= CHARTS[uuid].chart["cache_timeout"] <= refresh, CHARTS[uuid].name


def test_query_asks_for_the_metrics_that_the_panel_shows() -> None:
    for panel in CHARTS.values():
        params, (query,) = panel.chart["params"], panel.query_context["queries"]
        named = params.get("metrics") or [params[key] for key in ("metric",) if key in params]
        assert set(named) <= set(query["metrics"] or []), panel.name
        filters = params["adhoc_filters"]
        wanted = [each["subject"] for each in filters if each["expressionType"] == "SIMPLE"]
        assert [each["col"] for each in query["filters"]] == wanted
        having = [f"({each['sqlExpression']})" for each in filters if each["clause"] == "HAVING"]
        assert query["extras"]["having"] == " AND ".join(having)


def test_connection_holds_no_secret_and_changes_nothing() -> None:
    (database,) = read("databases").values()
    assert database["sqlalchemy_uri"].startswith(f"trino://{DASHBOARD_USER}@")
    assert not database["allow_dml"]
    assert not database["allow_file_upload"]


def test_maps_are_pictures_of_our_own_and_load_no_other() -> None:
    (found,) = [one for one in DATASETS.values() if one["table_name"] == "zone_map"]
    metrics = {each["metric_name"]: each["expression"] for each in found["metrics"]}
    shown = {name for panel in CHARTS.values() for name in panel.chart["params"].get("metrics", [])}
    pictures = [name for name in metrics if name.endswith("_picture")]
    assert len(pictures) == 2
    assert set(pictures) <= shown
    for name in pictures:
        assert re.findall(r"src=\"([^']*)'", metrics[name]) == ["/basemap/area/"]
    assert "url(" not in found["sql"] + "".join(metrics.values())


def test_no_table_draws_hundreds_of_rows_at_once() -> None:
    for panel in CHARTS.values():
        for params in (panel.chart["params"], panel.query_context["form_data"]):
            if params["viz_type"] == "table" and params["row_limit"] > 100:
                assert 0 < params["page_length"] <= 50, panel.name


def test_tables_show_what_devices_have_written_as_text() -> None:
    for panel in CHARTS.values():
        for params in (panel.chart["params"], panel.query_context["form_data"]):
            if params["viz_type"] in ("table", "pivot_table_v2"):
                is_our_picture = str(params["metrics"]).endswith("_picture']")
                assert params["allow_render_html"] is is_our_picture, panel.name

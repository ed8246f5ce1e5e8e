"""Which dashboards show which tables, as the bundle's queries say."""

import re

from tests.dashboards.bundle import charts_of, panels, read

_TABLE = re.compile(r"\b(?:bronze|silver|gold|dim|ops)\.[a-z_]+")


def dashboards_by_table() -> dict[str, set[str]]:
    """Return the slugs of the dashboards that read a table, by its name.

    How old the data of a panel is stands in each dashboard, and counts for none.
    """
    queries = {
        found["uuid"]: found["sql"]
        for found in read("datasets").values()
        if found["table_name"] != "data_age"
    }
    asked = {panel.chart["uuid"]: panel.chart["dataset_uuid"] for panel in panels()}
    shown: dict[str, set[str]] = {}
    for board in read("dashboards").values():
        for chart in charts_of(board):
            for table in _TABLE.findall(queries.get(asked[chart], "")):
                shown.setdefault(table, set()).add(board["slug"])
    return shown

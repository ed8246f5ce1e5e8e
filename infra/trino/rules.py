"""Who may do what in Trino, and how much of it at a time: access rules and resource groups."""

from infra.trino.registration import CATALOG, REGISTRAR
from telemetry.tables import TABLES

DASHBOARD_USER = "superset"
BATCH_TAG = "batch"
"""Client tag of queries that may wait and run for minutes."""

ACCESS = {
    "catalogs": [
        {"user": REGISTRAR, "catalog": CATALOG, "allow": "all"},
        {"catalog": f"{CATALOG}|system", "allow": "read-only"},
    ],
    # Who names the registrar, for which there is no password, may not change a row either, nor make
    # a table that is not declared.
    "tables": [
        {
            "user": REGISTRAR,
            "catalog": CATALOG,
            "schema": "|".join(sorted({table.layer for table in TABLES})),
            "table": "|".join(sorted({table.name.partition(".")[2] for table in TABLES})),
            "privileges": ["SELECT", "OWNERSHIP"],
        },
        {"privileges": ["SELECT"]},
    ],
    "procedures": [
        {
            "user": REGISTRAR,
            "catalog": CATALOG,
            "schema": "system",
            "procedure": "register_table|unregister_table",
            "privileges": ["EXECUTE"],
        }
    ],
    # Everybody ends their own queries; nobody ends those of others.
    "queries": [{"allow": ["execute", "view"]}],
}
"""Everybody reads and nobody writes; tables are made known by the registrar alone."""

GROUPS = {
    "rootGroups": [
        {
            "name": "dashboard",
            "softMemoryLimit": "60%",
            "hardConcurrencyLimit": 6,
            "maxQueued": 200,
        },
        {
            "name": "adhoc",
            "softMemoryLimit": "60%",
            "hardConcurrencyLimit": 4,
            "maxQueued": 100,
        },
        {
            "name": "batch",
            "softMemoryLimit": "40%",
            "hardConcurrencyLimit": 1,
            "maxQueued": 100,
        },
        {
            "name": "registration",
            "softMemoryLimit": "20%",
            "hardConcurrencyLimit": 2,
            "maxQueued": 100,
        },
    ],
    "selectors": [
        {"user": REGISTRAR, "group": "registration"},
        {"user": DASHBOARD_USER, "group": "dashboard"},
        {"clientTags": [BATCH_TAG], "group": "batch"},
        {"group": "adhoc"},
    ],
}
"""Queries of one group wait for one another, and for those of no other group; the first selector
that fits decides. A group that holds its share of memory begins no further query."""

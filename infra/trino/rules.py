"""Who may do what in Trino, and how much of it at a time: access rules and resource groups."""

from collections.abc import Mapping

from infra.trino.registration import CATALOG, REGISTRARS
from telemetry.tables import TABLES

DASHBOARD_USER = "superset"
BATCH_TAG = "batch"
"""Client tag of queries that may wait and run for minutes."""


def access(registrar: str) -> Mapping[str, object]:
    """Return who may do what: everybody reads, the registrar alone makes tables known."""
    return {
        "catalogs": [
            {"user": registrar, "catalog": CATALOG, "allow": "all"},
            {"catalog": f"{CATALOG}|system", "allow": "read-only"},
        ],
        "tables": [_declared_by(registrar), {"privileges": ["SELECT"]}],
        "procedures": [
            {
                "user": registrar,
                "catalog": CATALOG,
                "schema": "system",
                "procedure": "register_table|unregister_table",
                "privileges": ["EXECUTE"],
            }
        ],
        # Everybody ends their own queries; nobody ends those of others. The registrar's are shown
        # to nobody else: they say its name.
        "queries": [
            {"user": registrar, "allow": ["execute", "view"]},
            {"queryOwner": registrar, "allow": []},
            {"allow": ["execute", "view"]},
        ],
    }


def _declared_by(registrar: str) -> Mapping[str, object]:
    """Let the registrar make the declared tables known, and no other, and change no row of them."""
    return {
        "user": registrar,
        "catalog": CATALOG,
        "schema": "|".join(sorted({table.layer for table in TABLES})),
        "table": "|".join(sorted({table.name.partition(".")[2] for table in TABLES})),
        "privileges": ["SELECT", "OWNERSHIP"],
    }


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
        {"user": f"{REGISTRARS}.*", "group": "registration"},
        {"user": DASHBOARD_USER, "group": "dashboard"},
        {"clientTags": [BATCH_TAG], "group": "batch"},
        {"group": "adhoc"},
    ],
}
"""Queries of one group wait for one another, and for those of no other group; the first selector
that fits decides. A group that holds its share of memory begins no further query."""

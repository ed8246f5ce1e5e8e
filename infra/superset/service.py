"""Superset as a service: one process of threads, started after all others."""

import json
from pathlib import Path

from edge.key_file import write_secret
from infra.environment import PROJECT
from infra.probes import page_complaint
from infra.superset.environment import superset_python
from infra.superset.logins import make_logins, secret_key
from infra.supervision.service import Service
from infra.trino.rules import DASHBOARD_USER
from telemetry.settings import Settings

BUDGET_MB = 512
BUNDLE = PROJECT / "dashboards"
CONFIG = Path(__file__).parent / "inside" / "superset_config.py"
BEFORE = ("streams", "gateway", "trino", "dagster-daemon")
"""Whatever is worth waiting for: Superset's first start takes a minute of CPU."""


def superset_service(settings: Settings) -> Service:
    """Return Superset as a service; ready once it answers."""
    url = f"http://127.0.0.1:{settings.port('superset')}"
    return Service(
        name="superset",
        command=lambda: (str(superset_python(settings)), "-m", "infra.superset.inside.serve"),
        budget_mb=BUDGET_MB,
        nice=settings.query_nice,
        environment=superset_variables(settings),
        ports=(settings.port("superset"),),
        url=url,
        login="`headwater dashboards logins`",
        after=BEFORE,
        part="superset",
        complaint=lambda: page_complaint(f"{url}/health"),
        before_start=lambda: write_superset_settings(settings),
    )


def superset_variables(settings: Settings) -> dict[str, str]:
    """Return what Superset and its tools are told by the environment; no secret is among it."""
    return {
        "SUPERSET_HOME": str(settings.home / "superset"),
        "SUPERSET_CONFIG_PATH": str(CONFIG),
        "PYTHONPATH": str(PROJECT),
        "PYTHONWARNINGS": "ignore",
    }


def write_superset_settings(settings: Settings) -> None:
    """Write what Superset's configuration reads, for the owner alone: it holds the secret key."""
    (settings.home / "superset").mkdir(mode=0o700, parents=True, exist_ok=True)
    make_logins(settings)
    told = {
        "secret_key": secret_key(settings),
        "database": settings.superset_database_url,
        "trino": f"trino://{DASHBOARD_USER}@127.0.0.1:{settings.port('trino')}/lake",
        "bundle": str(BUNDLE),
        "port": settings.port("superset"),
        "alerts": str(settings.progress_dir.absolute() / "alerts.json"),
        "data_docs": str((settings.home / "dataquality" / "pages").absolute()),
    }
    write_secret(settings.home / "superset" / "settings.json", json.dumps(told, indent=1) + "\n")

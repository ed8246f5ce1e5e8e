"""`python -m infra.superset.inside.export`: Superset's own export over the files of the bundle."""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from infra.superset.inside.home import told

KINDS = ("datasets", "charts", "dashboards")
"""Not the connection: its port is the stack's."""

ENGINE = "source_db_engine: trino\n"
"""Said of every dataset, and not by the export: else the import rewrites SQL as if of no engine."""


def main() -> int:
    """Export all dashboards; print each file that has changed."""
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        from flask import g
        from superset import security_manager
        from superset.commands.dashboard.export import ExportDashboardsCommand
        from superset.extensions import db
        from superset.models.dashboard import Dashboard

        g.user = security_manager.find_user(username="admin")
        numbers = [number for (number,) in db.session.query(Dashboard.id)]
        for changed in write_over(Path(told()["bundle"]), ExportDashboardsCommand(numbers).run()):
            print(changed)  # noqa: T201
    return 0


def write_over(bundle: Path, exported: Iterable[tuple[str, Callable[[], str]]]) -> list[str]:
    """Write each exported file over the one with its uuid; return the names of what changed."""
    there = {
        yaml.safe_load(file.read_text("utf-8"))["uuid"]: file
        for kind in KINDS
        for file in (bundle / kind).rglob("*.yaml")
    }
    changed = []
    for name, content in exported:
        if not name.startswith(KINDS):
            continue
        text = _as_in_git(content()) + (ENGINE if name.startswith("datasets") else "")
        file = there.get(yaml.safe_load(text)["uuid"]) or bundle / _plain(name)
        if not file.exists() or yaml.safe_load(file.read_text("utf-8")) != yaml.safe_load(text):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            changed.append(str(file.relative_to(bundle)))
    return changed


def _as_in_git(text: str) -> str:
    """Take the number of a home's dataset from the saved query of a chart."""
    return re.sub(r'("datasource":\s*\{"id":\s*)\d+', r"\g<1>0", text)


def _plain(name: str) -> str:
    """Take the number of a home's database from the name of a new file, and write it small."""
    return re.sub(r"(_\d+)?\.yaml$", ".yaml", name).lower()


if __name__ == "__main__":
    sys.exit(main())

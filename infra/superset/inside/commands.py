"""Superset's commands, run in this process."""

from typing import Any

from flask.cli import ScriptInfo
from superset.cli.main import superset


def run(app: Any, *arguments: str) -> None:
    """Run one of Superset's commands for the application; raise what it raises."""
    given = ScriptInfo(create_app=lambda: app)
    superset.main(args=list(arguments), prog_name="superset", standalone_mode=False, obj=given)

"""Superset's own environment, and whether the stack has one."""

from collections.abc import Callable
from pathlib import Path

from infra.apart import Apart, fitting_python
from telemetry.settings import Settings

SUPERSET = Apart("superset", "Superset", "or leave Superset out: HEADWATER_SUPERSET=off")


def is_wanted(settings: Settings, python: Callable[[], str | None] | None = None) -> bool:
    """Say whether the full stack has Superset: as set, or wherever a Python fits it."""
    if settings.superset == "auto":
        return (python or fitting_python)() is not None
    return settings.superset == "on"


def superset_python(settings: Settings) -> Path:
    """Return the environment's interpreter; raise if it is not made whole."""
    return SUPERSET.python(settings)

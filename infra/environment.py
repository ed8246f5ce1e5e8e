"""The environment of the processes that we start."""

import sys
from pathlib import Path

from pydantic import SecretStr

from infra.java import java_for_spark
from telemetry.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
"""Folder of our packages: the checkout, or site-packages."""

ALWAYS_NAMED = {"home", "cache", "port_base"}
MALLOC = {"MALLOC_ARENA_MAX": "2"}
"""Each thread of a JVM or of Arrow would otherwise keep an arena of its own."""
COMMANDS_ONLY = {"debug", "registry_key", "system_java_home"}


def child_environment(settings: Settings) -> dict[str, str]:
    """Return what every process of ours is told beside what it inherits."""
    return {
        **setting_variables(settings),
        "JAVA_HOME": str(java_for_spark(settings).home),
        "PYTHONPATH": str(PROJECT),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        **MALLOC,
    }


def setting_variables(settings: Settings) -> dict[str, str]:
    """Return the settings as environment variables: those that were changed, and the places."""
    changed = settings.model_dump(exclude_defaults=True, exclude=COMMANDS_ONLY)
    named = changed | settings.model_dump(include=ALWAYS_NAMED)
    return {f"HEADWATER_{name.upper()}": _text(value) for name, value in sorted(named.items())}


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

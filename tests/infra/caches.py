"""Caches that look as if everything had been fetched."""

from pathlib import Path

from infra.fetch.lock import locked
from telemetry.settings import Settings


def with_spark_jars(folder: Path, **changes: object) -> Settings:
    """Return settings below a folder whose cache has every jar of Spark, each empty."""
    places = {"home": folder / "home", "cache": folder / "cache"}
    settings = Settings.model_validate(places | changes)
    settings.spark_jar_dir.mkdir(parents=True)
    for artifact in locked("spark"):
        (settings.spark_jar_dir / artifact.file_name).touch()
    return settings

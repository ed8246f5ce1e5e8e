"""Trains a model, used by its name: started by hand, with the files that it learns from."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import dagster as dg
import pydantic

from detection.models.model_files import About, save
from orchestration.spark import POOL
from telemetry.errors import HeadwaterError
from telemetry.rules.words import NAME_PATTERN
from telemetry.settings import Settings

JOB = "train_model"


class Training(dg.Config):
    """What is trained: in the launchpad, `ops: {train: {config: …}}`."""

    kind: Literal["rul", "failure"] = pydantic.Field(
        description="rul: remaining life, C-MAPSS text. failure: AI4I's CSV."
    )
    files: list[str] = pydantic.Field(
        description="Training files, below Headwater's home or with their whole path."
    )
    model: str = pydantic.Field(
        pattern=NAME_PATTERN, description="Its name: models/NAME.model of the home is replaced."
    )


def job(settings: Settings) -> dg.JobDefinition:
    """Return the job; each model is an asset whose metrics are plotted from run to run."""

    @dg.op(name="train", pool=POOL, out=dg.Out(dg.Nothing))
    def train(context: dg.OpExecutionContext, config: Training) -> None:
        path = settings.model_dir / f"{config.model}.model"
        files = [settings.home / name for name in config.files]
        try:
            about = _trained(config.kind, files, path, settings.job_nice)
        except (HeadwaterError, OSError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        context.log_event(_materialization(config.model, about, path))

    @dg.job(name=JOB, description="Trains a model of remaining life or failure by its name.")
    def train_model() -> None:
        train()

    return train_model


def _trained(kind: str, files: Sequence[Path], path: Path, nice: int) -> About:
    """Train as `headwater model train` does; niceness is a thread's own."""
    with ThreadPoolExecutor(1, initializer=os.nice, initargs=(nice,)) as aside:
        return aside.submit(_train, kind, files, path).result()


def _train(kind: str, files: Sequence[Path], path: Path) -> About:
    # scikit-learn takes seconds to import: the definitions do without.
    from detection.models.training import train

    if not files:
        raise HeadwaterError("files: name a file to learn from")
    about, fitted = train(kind, *files)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, about, fitted)
    return about


def _materialization(name: str, about: About, path: Path) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        ["models", name],
        description=f"A model of {about.kind} by {about.library}.",
        metadata={
            **about.metrics,
            "kind": about.kind,
            "rows": about.rows,
            "version": about.data_sha256[:12],
            "data_sha256": about.data_sha256,
            "library": about.library,
            "file": dg.MetadataValue.path(path),
        },
        tags={"dagster/data_version": about.data_sha256},
    )

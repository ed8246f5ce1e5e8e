"""Trained models by name and version, for rules that hold their answers against a bound."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detection.memory import Matrix
from detection.models.failure import NUMBERS, failure_rows
from detection.models.model_files import about, load
from telemetry.errors import HeadwaterError

Predict = Callable[[Matrix], NDArray[np.float64]]


def predicts(folder: Path) -> Callable[[str, str], Predict]:
    """Return what finds a model's file in a folder and loads it.

    It raises `HeadwaterError` for one that is not there, is of other data, or needs a whole life.
    """

    def found(name: str, version: str) -> Predict:
        path = folder / f"{name}.model"
        if not path.is_file():
            raise HeadwaterError(f"there is no model {path}: train it with `headwater model`")
        said = about(path)
        if not said.data_sha256.startswith(version):
            raise HeadwaterError(f"{path} is of data {said.data_sha256[:12]}, not {version}")
        if said.kind != "failure":
            raise HeadwaterError(f"{path} is a {said.kind} model: a message cannot answer it")
        return _asking(load(path)[1])

    return found


def _asking(model: object) -> Predict:
    from detection.models.training import answers  # takes seconds: others do without

    def ask(rows: Matrix) -> NDArray[np.float64]:
        if rows.shape[1] != 1 + len(NUMBERS):
            raise HeadwaterError(f"a failure model asks for type, {', '.join(NUMBERS)}")
        return np.asarray(answers("failure", model, failure_rows(rows)))

    return ask

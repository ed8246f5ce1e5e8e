"""Training and predicting: files in, a model or numbers out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import average_precision_score, root_mean_squared_error
from threadpoolctl import threadpool_limits

from detection.memory import Matrix
from detection.models.failure import failed, failure_features
from detection.models.life import (
    MOST_CYCLES,
    health_weights,
    left_at,
    life_features,
    remaining_cycles,
    share_lived,
)
from detection.models.model_files import About, fingerprint, library
from detection.tables import form_of, numbers, rows_of
from telemetry.errors import HeadwaterError

LIFE_COLUMNS = 26
HELD_BACK = 5
"""Every fifth unit, or row, is held back to measure; the model that is kept has seen all."""


def train(kind: str, *paths: Path) -> tuple[About, object]:
    """Train a model of `rul` or `failure` on files; its metrics are of rows held back."""
    rows, target, groups = _life(paths) if kind == "rul" else _failure(paths)
    held = groups % HELD_BACK == 0
    named = ", ".join(map(str, paths))
    if held.all() or not held.any():
        raise HeadwaterError(f"{named} is too short to hold back a fifth: give it more rows")
    if target.min() == target.max():
        what = "failures and rows without one" if kind == "failure" else "lives of many cycles"
        raise HeadwaterError(f"there is nothing to tell apart in {named}: it needs {what}")
    trial = _fitted(kind, rows[~held], target[~held])
    measured = _measured(kind, target[held], answers(kind, trial, rows[held]))
    found = About(kind, fingerprint(*paths), len(target), measured, library())
    return found, _fitted(kind, rows, target)


def predict(kind: str, model: object, path: Path) -> NDArray[np.float64]:
    """Return remaining cycles, or the probability of failure, for each row of a file."""
    rows = _life_rows(path) if kind == "rul" else failure_features(_texts(path))
    return np.asarray(answers(kind, model, rows)) if len(rows) else np.zeros(0)


def answers(kind: str, model: object, rows: Matrix) -> NDArray[np.float64]:
    """Return what a model says of rows: cycles of a life's own rows, or of `failure_rows`."""
    if kind == "rul":
        assert isinstance(model, dict)
        return np.asarray(life_answers(model, life_features(rows, model["weights"]), rows[:, 1]))
    return np.asarray(_probabilities(model, rows))


# Threads that wait for each other make a busy machine a hundred times slower than one thread is.
@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def life_answers(
    model: Mapping[str, HistGradientBoostingRegressor], features: Matrix, ages: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the cycles left that a life model makes of features, at such ages."""
    direct = np.clip(model["cycles"].predict(features), 0.0, MOST_CYCLES)
    return np.asarray((direct + left_at(model["share"].predict(features), ages)) / 2.0)


@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def _probabilities(model: object, rows: Matrix) -> NDArray[np.float64]:
    assert isinstance(model, HistGradientBoostingClassifier)
    return np.asarray(model.predict_proba(rows)[:, 1])


@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def _fitted(kind: str, rows: Matrix, target: NDArray[np.float64]) -> object:
    return _life_model(rows, target) if kind == "rul" else _classifier().fit(rows, target)


def _life_model(rows: Matrix, target: NDArray[np.float64]) -> dict[str, object]:
    """Return two forests, of cycles left and of the share of life lived, and their weights.

    The share matters where its error costs cycles: late in life.
    """
    weights = health_weights(rows)
    features = life_features(rows, weights)
    late = np.where(target < MOST_CYCLES, 1.0, 0.2)
    return {
        "weights": weights,
        "cycles": _regressor().fit(features, target),
        "share": _regressor().fit(features, share_lived(rows), sample_weight=late),
    }


def _regressor() -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        max_iter=150, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=60,
        l2_regularization=10.0, max_features=0.3, early_stopping=False, random_state=0,
    )  # fmt: skip


def _classifier() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.1, max_leaf_nodes=8, min_samples_leaf=5,
        l2_regularization=1.0, early_stopping=False, random_state=0,
    )  # fmt: skip


def _measured(
    kind: str, truth: NDArray[np.float64], answer: NDArray[np.float64]
) -> dict[str, float]:
    if kind == "rul":
        return {"rmse_cycles": float(root_mean_squared_error(truth, answer))}
    return {"average_precision": float(average_precision_score(truth, answer))}


def _life(paths: Sequence[Path]) -> tuple[Matrix, NDArray[np.float64], NDArray[np.float64]]:
    rows = life_rows(*paths)
    return rows, remaining_cycles(rows), rows[:, 0]


def _failure(paths: Sequence[Path]) -> tuple[Matrix, NDArray[np.float64], NDArray[np.float64]]:
    texts = [_texts(path) for path in paths]
    features = np.concatenate([failure_features(each) for each in texts])
    target = np.concatenate([failed(each) for each in texts])
    return features, target, np.arange(len(target), dtype=np.float64)


def life_rows(*paths: Path) -> Matrix:
    """Return the rows of all files; as each counts its units from 1, later ones are numbered on."""
    parts, before = [], 0.0
    for path in paths:
        part = _life_rows(path)
        part[:, 0] += before
        before = max(part[:, 0].max(initial=0.0), before)
        parts.append(part)
    return np.concatenate(parts)


def _life_rows(path: Path) -> Matrix:
    form = form_of(path)
    if len(form.columns) != LIFE_COLUMNS:
        raise HeadwaterError(
            f"{path} has {len(form.columns)} columns: a life model needs the {LIFE_COLUMNS} of"
            " C-MAPSS (unit, cycle, 3 settings, 21 sensors)"
        )
    rows = [row for row in rows_of(path, form) if row]
    found = np.full((len(rows), LIFE_COLUMNS), np.nan)
    for place in range(LIFE_COLUMNS):
        found[:, place] = numbers(rows, place)
    # A sensor's gap would be one in all that is made of its later cycles.
    gaps = np.argwhere(np.isnan(found))
    if len(gaps):
        row, place = gaps[0].tolist()
        raise HeadwaterError(
            f"{path}: row {row}, counted from 0, has no number in column {form.columns[place]}:"
            " a life model needs every cell of every cycle"
        )
    return found


def _texts(path: Path) -> dict[str, list[str]]:
    form = form_of(path)
    rows = list(rows_of(path, form))
    return {
        _plain(name): [row[place] if place < len(row) else "" for row in rows]
        for place, name in enumerate(form.columns)
    }


def _plain(name: str) -> str:
    return "".join(filter(str.isalpha, name.partition("[")[0].lower()))

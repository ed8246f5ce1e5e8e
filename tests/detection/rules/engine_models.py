"""A model of the remaining life of engines for rules, and engines that it has not seen."""

from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from detection.models.life import health_weights, life_features, remaining_cycles, share_lived
from detection.models.model_files import About, library, save
from tests.detection.test_models import engines

ENGINE = ("cycle", "s1", "s2", "s3", *(f"sensor{place}" for place in range(1, 22)))
LEARNT = 6


def save_engine_model(path: Path, version: str) -> None:
    """Save a model of the cycles that engines have left, smaller than one that is trained."""
    rows = engines(LEARNT)
    weights = health_weights(rows)
    features = life_features(rows, weights)
    trees = HistGradientBoostingRegressor(max_iter=20, max_leaf_nodes=6, learning_rate=0.3)
    model = {"weights": weights}
    for name, target in (("cycles", remaining_cycles(rows)), ("share", share_lived(rows))):
        model[name] = HistGradientBoostingRegressor(**trees.get_params()).fit(features, target)
    save(path, About("rul", version + "0" * 52, len(rows), {}, library()), model)


def lives(count: int) -> np.ndarray:
    """Return whole lives of other engines of the same make, units from 0."""
    rows = engines(LEARNT + count, first=-LEARNT)
    return rows[rows[:, 0] >= 0]

"""A model of failing mills for rules, and what it is asked."""

from pathlib import Path

from sklearn.ensemble import HistGradientBoostingClassifier

from detection.models.failure import failed, failure_features
from detection.models.model_files import About, library, save
from tests.detection.test_models import mills

NAMES = ("type", "air", "process", "speed", "torque", "wear")
VERSION = "0123456789ab"
WORN = (0.0, 300.0, 310.0, 1500.0, 70.0, 240.0)
FRESH = (0.0, 300.0, 310.0, 1500.0, 30.0, 10.0)
_HEADER = ("type", "airtemperature", "processtemperature", "rotationalspeed", "torque",
           "toolwear", "machinefailure")  # fmt: skip


def save_mill_model(path: Path, version: str = VERSION) -> None:
    """Save a model that calls a worn tool under load a failure."""
    lines = [line.split(",")[2:] for line in mills(600).splitlines()]
    texts = {name: [line[place] for line in lines[1:]] for place, name in enumerate(_HEADER)}
    fitted = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=6).fit(
        failure_features(texts), failed(texts)
    )
    save(path, About("failure", version + "0" * 52, 600, {}, library()), fitted)

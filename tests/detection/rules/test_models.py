"""Rules over trained models: found by name and version, or refused by name."""

from pathlib import Path

import numpy as np
import pytest

from detection.models.asking import predicts
from detection.models.failure import failed, failure_features
from detection.models.model_files import About, library, save
from detection.rules.evaluator import Evaluator
from telemetry.errors import HeadwaterError
from tests.detection.rules.building import MINUTE_US, MONDAY_US, Row, readings, rule
from tests.detection.test_models import mills

NAMES = ("type", "air", "process", "speed", "torque", "wear")
VERSION = "0123456789ab"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of failure and one of life."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    made = tmp_path_factory.mktemp("models")
    lines = [line.split(",")[2:] for line in mills(600).splitlines()]
    header = ("type", "airtemperature", "processtemperature", "rotationalspeed", "torque",
              "toolwear", "machinefailure")  # fmt: skip
    texts = {name: [line[place] for line in lines[1:]] for place, name in enumerate(header)}
    fitted = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=6).fit(
        failure_features(texts), failed(texts)
    )
    about = About("failure", VERSION + "0" * 52, 600, {}, library())
    save(made / "mills.model", about, fitted)
    save(made / "life.model", About("rul", VERSION + "0" * 52, 1, {}, library()), {})
    return made


def test_answer_beyond_the_bound_is_an_alarm(folder: Path) -> None:
    check = {"kind": "model", "model": "mills", "version": VERSION, "bound": 0.5}
    judging = Evaluator(predicts(folder))
    judging.put([rule(check, metrics=list(NAMES))], 0)
    assert judging.refused == {}
    worn = [0.0, 300.0, 310.0, 1500.0, 70.0, 240.0]
    fresh = [0.0, 300.0, 310.0, 1500.0, 30.0, 10.0]
    rows: list[Row] = [
        ("mill.m1", name, MONDAY_US + minute * MINUTE_US, value)
        for minute, message in enumerate((fresh, worn, fresh))
        for name, value in zip(NAMES, message, strict=True)
    ]
    outcomes = judging.take(readings(rows), 0)
    assert [outcome.found.state for outcome in outcomes] == ["firing", "resolved"]
    assert "make model mills answer" in outcomes[0].alert.text


@pytest.mark.parametrize(
    ("model", "version", "metrics", "why"),
    [
        ("none", VERSION, NAMES, "there is no model"),
        ("mills", "f" * 12, NAMES, f"is of data {VERSION}, not ffffffffffff"),
        ("life", VERSION, NAMES, "is a rul model"),
        ("mills", VERSION, NAMES[:5], "asks for type, airtemperature"),
    ],
)
def test_model_that_cannot_answer_is_refused_by_name(
    folder: Path, model: str, version: str, metrics: tuple[str, ...], why: str
) -> None:
    check = {"kind": "model", "model": model, "version": version, "bound": 0.5}
    judging = Evaluator(predicts(folder))
    judging.put([rule(check, metrics=list(metrics))], 0)
    assert why in judging.refused["default", "r"]
    with pytest.raises(HeadwaterError):
        predicts(folder)(model, version)(np.zeros((1, len(metrics))))

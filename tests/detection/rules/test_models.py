"""Rules over trained models: found by name and version, or refused by name."""

from pathlib import Path

import numpy as np
import pytest

from detection.models.asking import predicts
from detection.models.model_files import About, library, save
from detection.rules.evaluator import Evaluator
from telemetry.errors import HeadwaterError
from tests.detection.rules.building import MINUTE_US, MONDAY_US, Row, readings, rule
from tests.detection.rules.mill_models import FRESH, NAMES, VERSION, WORN, save_mill_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of failure and one of life."""
    made = tmp_path_factory.mktemp("models")
    save_mill_model(made / "mills.model")
    save(made / "life.model", About("rul", VERSION + "0" * 52, 1, {}, library()), {})
    return made


def test_answer_beyond_the_bound_is_an_alarm(folder: Path) -> None:
    check = {"kind": "model", "model": "mills", "version": VERSION, "bound": 0.5}
    judging = Evaluator(predicts(folder))
    judging.put([rule(check, metrics=list(NAMES))], 0)
    assert judging.refused == {}
    rows: list[Row] = [
        ("mill.m1", name, MONDAY_US + minute * MINUTE_US, value)
        for minute, message in enumerate((FRESH, WORN, FRESH))
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

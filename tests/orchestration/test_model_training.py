"""Models trained by a job: used by their name, with what they learnt from and how well."""

import hashlib
import os
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from detection.models.asking import predicts
from detection.models.model_files import about
from orchestration.definitions import build
from orchestration.model_training import JOB
from telemetry.settings import Settings
from tests.detection.rules.mill_models import WORN
from tests.detection.test_models import mills

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")


def train(home: Path, **config: object) -> dg.ExecuteInProcessResult:
    job = build(Settings(home=home, job_nice=3)).resolve_job_def(JOB)
    return job.execute_in_process(
        run_config={"ops": {"train": {"config": config}}}, raise_on_error=False
    )


def said(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = result.filter_events(lambda event: event.is_step_failure)
    error = failure.step_failure_data.error
    return f"{failure.step_failure_data.user_failure_data} {error}"


def test_model_is_there_by_its_name_and_shows_its_data_and_metrics(tmp_path: Path) -> None:
    (tmp_path / "mills.csv").write_text(mills(800))
    niceness = os.nice(0)

    result = train(tmp_path, kind="failure", files=["mills.csv"], model="mills")

    assert result.success
    assert os.nice(0) == niceness
    (made,) = result.asset_materializations_for_node("train")
    path = tmp_path / "models" / "mills.model"
    digest = hashlib.sha256((tmp_path / "mills.csv").read_bytes()).hexdigest()
    assert made.asset_key == dg.AssetKey(["models", "mills"])
    assert made.tags == {"dagster/data_version": digest}
    shown = {name: value.value for name, value in made.metadata.items()}
    kept = about(path)
    assert kept.data_sha256 == digest
    assert shown == {
        **kept.metrics, "kind": "failure", "rows": 800, "version": digest[:12],
        "data_sha256": digest, "library": kept.library, "file": str(path),
    }  # fmt: skip
    assert kept.metrics["average_precision"] > 0.5
    model = predicts(tmp_path / "models")("mills", digest[:12])
    (answer,) = model.answer(np.array([WORN]), np.zeros(1, np.intp), np.zeros((1, 0)))
    assert answer > 0.5
    assert [each.name for each in path.parent.iterdir()] == ["mills.model"]


def test_model_learns_from_all_its_files_and_replaces_the_one_before(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "more.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_text(mills(500, seed=2))
    (tmp_path / "mills.csv").write_text(mills(400))
    assert train(tmp_path, kind="failure", files=["mills.csv"], model="mills").success
    assert about(tmp_path / "models" / "mills.model").rows == 400

    files = ["mills.csv", str(elsewhere)]
    assert train(tmp_path, kind="failure", files=files, model="mills").success

    kept = about(tmp_path / "models" / "mills.model")
    content = (tmp_path / "mills.csv").read_bytes() + elsewhere.read_bytes()
    assert (kept.rows, kept.data_sha256) == (900, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"files": ["none.csv"]}, "none.csv"),
        ({"files": ["mills.csv"], "kind": "rul"}, "a life model needs the 26 of C-MAPSS"),
        ({"files": []}, "name a file to learn from"),
        ({"files": ["mills.csv"], "model": "../mills"}, "should match pattern"),
    ],
)
def test_training_that_cannot_be_leaves_the_model_as_it_was(
    tmp_path: Path, config: dict[str, object], why: str
) -> None:
    (tmp_path / "mills.csv").write_text(mills(400))
    path = tmp_path / "models" / "mills.model"
    path.parent.mkdir()
    path.write_bytes(b"as it was")

    result = train(tmp_path, **{"kind": "failure", "model": "mills", **config})

    assert not result.success
    assert why in said(result)
    assert path.read_bytes() == b"as it was"

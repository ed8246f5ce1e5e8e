"""Model files: what was learnt, from which data, how well; loading one runs no code of its own.

A zip of `about.json` and `model.skops`. skops builds only the types that are named here.
"""

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from numpy.typing import NDArray

from detection.memory import Matrix
from detection.whole_files import whole
from telemetry.errors import HeadwaterError

_BOOSTING = "sklearn.ensemble._hist_gradient_boosting"
TRUSTED = frozenset({
    f"{_BOOSTING}.gradient_boosting.HistGradientBoostingClassifier",
    f"{_BOOSTING}.gradient_boosting.HistGradientBoostingRegressor",
    f"{_BOOSTING}.binning._BinMapper",
    f"{_BOOSTING}.predictor.TreePredictor",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.Interval",
    "numpy.random._generator.Generator",
})  # fmt: skip
"""All types that boosted trees are made of; skops knows plain arrays and containers itself."""
FORMAT = 1


class Predicting(Protocol):
    """A fitted estimator."""

    def predict(self, rows: Matrix) -> NDArray[object]:  # type: ignore[type-var]
        """Return a prediction for each row."""
        ...


@dataclass(frozen=True, slots=True)
class About:
    """What a model file says of its model."""

    kind: str
    data_sha256: str
    rows: int
    metrics: dict[str, float]
    library: str
    format: int = FORMAT


def fingerprint(*paths: Path) -> str:
    """Return the SHA-256 of training data, files one after another."""
    found = hashlib.sha256()
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()


def library() -> str:
    """Return the library and its version that models are made by."""
    return f"scikit-learn {version('scikit-learn')}"


def save(path: Path, about: About, model: object) -> None:
    """Write a model, whole or not at all."""
    import skops.io  # takes seconds: listing does without

    with whole(path) as part, zipfile.ZipFile(part, "w") as archive:
        archive.writestr("about.json", json.dumps(asdict(about), indent=2))
        archive.writestr("model.skops", skops.io.dumps(model))


def about(path: Path) -> About:
    """Return what the file says of its model, without loading it."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = About(**json.loads(archive.read("about.json")))
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise HeadwaterError(
            f"{path} is no model file: make one with `headwater model train`"
        ) from error
    return found


def load(path: Path) -> tuple[About, object]:
    """Load a model; refuse types that no model of ours is made of, and other versions."""
    import skops.io

    found = about(path)
    if (found.format, found.library) != (FORMAT, library()):
        raise HeadwaterError(
            f"{path} was made by {found.library}, this is {library()}: train it anew"
        )
    with zipfile.ZipFile(path) as archive:
        packed = archive.read("model.skops")
    unknown = skops.io.get_untrusted_types(data=packed)
    strange = sorted(set(unknown) - TRUSTED)
    if strange:
        raise HeadwaterError(
            f"{path} holds {', '.join(strange)}, which no model of ours is made of: do not use it"
        )
    return found, skops.io.loads(packed, trusted=unknown)

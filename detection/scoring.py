"""Batches of readings through a detector, by device; what it remembers can be saved."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from detection.keyed import KeyedStates
from detection.memory import Matrix
from detection.series import SeriesDetector
from detection.stuck import StuckDetector
from detection.whole_files import whole
from telemetry.errors import HeadwaterError

if TYPE_CHECKING:
    from detection.rigs import RigDetector

SERIES = {"series": SeriesDetector, "stuck": StuckDetector}
DETECTORS = (*SERIES, "rig", "t2", "residual", "forest")
ALARM_FROM = 0.5
SCORE_DIGITS = 6
FORMAT = 3
READ_FORMATS = (1, 2, FORMAT)
"""Formats before keep numbers of a rig as text, format 1 all rows that taught it."""
_SHAPING = ("format", "detector", "metrics", "train_rows")


class Scorer:
    """Scores rows of readings: one detector, the metrics it watches, the states of all devices."""

    def __init__(self, detector: str, metrics: Sequence[str], train_rows: int) -> None:
        self.detector = detector
        self.metrics = list(metrics)
        self.train_rows = train_rows
        self._series = SERIES.get(detector, SeriesDetector)()
        self._states = KeyedStates(self._series.state_bytes)
        self._rigs: dict[str, RigDetector] = {}

    def score(self, devices: Sequence[str], values: Matrix) -> NDArray[np.float64]:
        """Score rows in their order, to six decimals.

        A series that has no number in a row is not scored there; a rig is scored where all are.
        """
        if self.detector in SERIES:
            return self._score_series(devices, values)
        scores = np.zeros(len(values))
        rows: dict[str, list[int]] = {}
        for row in np.flatnonzero(np.isfinite(values).all(axis=1)).tolist():
            rows.setdefault(devices[row], []).append(row)
        for device, places in rows.items():
            if device not in self._rigs:
                self._rigs[device] = self._rig()
            scores[places] = self._rigs[device].score(values[places])
        return np.round(scores, SCORE_DIGITS)

    def _score_series(self, devices: Sequence[str], values: Matrix) -> NDArray[np.float64]:
        scores = np.zeros(len(values))
        for place, metric in enumerate(self.metrics):
            good = np.flatnonzero(np.isfinite(values[:, place]))
            rows = self._states.rows_of([(devices[row], metric) for row in good.tolist()])
            found = self._states.score(rows, values[good, place], self._series.step)
            scores[good] = np.maximum(scores[good], found)
        return np.round(scores, SCORE_DIGITS)

    def _rig(self) -> "RigDetector":
        # Its library takes seconds to import: series do without.
        from detection.rigs import RigDetector

        return RigDetector(self.detector, self.train_rows, len(self.metrics))

    def save(self, path: Path) -> None:
        """Write all that is remembered, whole or not at all."""
        saved = {
            "format": FORMAT,
            "detector": self.detector,
            "metrics": self.metrics,
            "train_rows": self.train_rows,
            "keys": self._states.keys,
            "states": base64.b64encode(self._states.states.tobytes()).decode(),
            "rigs": {
                device: base64.b64encode(rig.to_bytes()).decode()
                for device, rig in self._rigs.items()
            },
        }
        with whole(path) as part:
            part.write_bytes(orjson.dumps(saved))

    def load(self, path: Path) -> None:
        """Take up what was saved; refuse what another detector or other columns left."""
        saved = _saved(path)
        kept = [saved[name] for name in _SHAPING]
        mine = [FORMAT, self.detector, self.metrics, self.train_rows]
        if kept[0] not in READ_FORMATS or kept[1:] != mine[1:]:
            raise HeadwaterError(
                f"{path} is the state of {_named(kept)}, not of {_named(mine)}: give the same"
                " options, or another file"
            )
        width = self._series.state_bytes
        states = np.frombuffer(base64.b64decode(saved["states"]), np.uint8).reshape(-1, width)
        self._states = KeyedStates.of([tuple(key) for key in saved["keys"]], states)
        for device, rig in saved["rigs"].items():
            self._rigs[device] = self._rig()
            if isinstance(rig, str):
                self._rigs[device].take_up(base64.b64decode(rig))
            else:
                self._rigs[device].take_up_older(rig)


def metrics_of(path: Path) -> list[str]:
    """Return the metrics that a saved state is of."""
    return list(_saved(path)["metrics"])


def _saved(path: Path) -> dict[str, Any]:
    try:
        saved: dict[str, Any] = orjson.loads(path.read_bytes())
        if all(name in saved for name in _SHAPING):
            return saved
    except (orjson.JSONDecodeError, TypeError):
        pass
    raise HeadwaterError(
        f"{path} is no state of `headwater detect`: name another file or remove it"
    )


def _named(kept: Sequence[object]) -> str:
    form, detector, metrics, train_rows = kept
    names = ", ".join(map(str, metrics)) if isinstance(metrics, list) else str(metrics)
    return f"{detector} over {names} (trained on {train_rows} rows, format {form})"

"""Trained models by name and version, for rules that hold their answers against a bound."""

from pathlib import Path

import numpy as np

from detection.keyed import blocks
from detection.memory import Matrix
from detection.models.answering import Answering, Answers
from detection.models.failure import NUMBERS, failure_rows
from detection.models.model_files import about, load
from detection.rules.readings import Flags, Rows, Values
from telemetry.errors import HeadwaterError

LIFE_METRICS = 25
"""Cycle, three settings and 21 sensors: C-MAPSS without the unit, which is the device."""
_SENSORS_FROM = 4


def predicts(folder: Path) -> Answers:
    """Return what finds a model's file in a folder and loads it.

    It raises `HeadwaterError` for one that is not there or is of other data.
    """

    def found(name: str, version: str) -> Answering:
        path = folder / f"{name}.model"
        if not path.is_file():
            raise HeadwaterError(f"there is no model {path}: train it with `headwater model`")
        said = about(path)
        if not said.data_sha256.startswith(version):
            raise HeadwaterError(f"{path} is of data {said.data_sha256[:12]}, not {version}")
        return _life(load(path)[1]) if said.kind == "rul" else _failure(load(path)[1])

    return found


def _failure(model: object) -> Answering:
    from detection.models.training import answers  # takes seconds: others do without

    def ask(rows: Matrix, _of: Rows, _memories: Matrix) -> Values:
        if rows.shape[1] != 1 + len(NUMBERS):
            raise HeadwaterError(f"a failure model asks for type, {', '.join(NUMBERS)}")
        return np.asarray(answers("failure", model, failure_rows(rows)))

    return Answering(ask)


def _life(model: object) -> Answering:
    from detection.models.life import going_on, numbers_of
    from detection.models.training import life_answers

    assert isinstance(model, dict)
    weights = model["weights"]

    def ask(rows: Matrix, of: Rows, memories: Matrix) -> Values:
        if rows.shape[1] != LIFE_METRICS:
            raise HeadwaterError(
                f"a rul model asks for {LIFE_METRICS} metrics: cycle, 3 settings and 21 sensors, as"
                f" in C-MAPSS without the unit, not {rows.shape[1]}"
            )
        ages, answers = rows[:, 0], np.zeros(len(rows))
        lives = _lives(ages, of, memories[:, 0])
        for life in range(int(lives.max(initial=0)) + 1):
            mine = np.flatnonzero(lives == life)
            if life:
                memories[of[mine]] = 0.0
            for devices, places in blocks(of[mine]):
                cells = mine[places]
                kept = memories[devices]
                found = going_on(ages[cells], rows[cells][..., _SENSORS_FROM:], weights,
                                 kept[:, 1:])  # fmt: skip
                kept[:, 0] = ages[cells[:, -1]]
                memories[devices] = kept
                flat = cells.ravel()
                answers[flat] = life_answers(model, found.reshape(len(flat), -1), ages[flat])
        return answers

    return Answering(ask, 1 + numbers_of(weights))


def _lives(ages: Values, of: Rows, last: Values) -> Rows:
    """Count the lives that each row's device has begun since its `last` cycle: it fell back."""
    order = np.argsort(of, kind="stable")
    owners, ages = of[order], ages[order]
    is_first: Flags = np.r_[True, owners[1:] != owners[:-1]][: len(owners)]
    before = np.where(is_first, last[owners], np.r_[0.0, ages[:-1]][: len(ages)])
    begun = np.cumsum(ages < before)
    earlier: Rows = begun[is_first] - (ages < before)[is_first]
    lives = np.zeros(len(of), np.intp)
    lives[order] = begun - np.repeat(earlier, np.diff(np.r_[np.flatnonzero(is_first), len(of)]))
    return lives

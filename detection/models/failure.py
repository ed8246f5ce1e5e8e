"""Failure of a machine from its load, heat and wear (AI4I)."""

from collections.abc import Mapping

import numpy as np

from detection.memory import Matrix
from detection.tables import MOST, number
from telemetry.errors import HeadwaterError

Texts = Mapping[str, list[str]]
"""Cells by plain name of their column: lower case, letters and digits only, no unit."""

KINDS = "LMH"
_STRAIN_LIMITS = np.array([11_000.0, 12_000.0, 13_000.0])
NUMBERS = ("airtemperature", "processtemperature", "rotationalspeed", "torque", "toolwear")
TARGETS = ("machinefailure", "failure", "target")


def failure_features(texts: Texts) -> Matrix:
    """Return kind, the five measurements, power, strain and the difference of temperatures."""
    columns = {name: _column(texts, name) for name in ("type", *NUMBERS)}
    for name, found in columns.items():
        if found is None:
            raise HeadwaterError(
                f"there is no column {name!r} (units and signs do not matter): a failure model"
                f" needs type, {', '.join(NUMBERS)}"
            )
    kinds, *cells = (found or [] for found in columns.values())
    kind = np.array([KINDS.find(cell.strip()[:1].upper() or "?") for cell in kinds])
    return failure_rows(np.column_stack([kind, *map(_numbers, cells)]))


def _column(texts: Texts, name: str) -> list[str] | None:
    """Return the column of a name, which a unit may stand behind: `torque (Nm)`, `torque_nm`."""
    if name in texts or name == "type":
        return texts.get(name)
    return next((texts[each] for each in texts if each.startswith(name)), None)


def failure_rows(rows: Matrix) -> Matrix:
    """Return the same of rows of six numbers: the kind as its place in `KINDS`, then `NUMBERS`."""
    air, process, speed, torque, wear = rows[:, 1:].T
    # A kind that is none of them has the last one's limit, and is told apart.
    is_known = np.isin(rows[:, 0], range(len(KINDS)))
    kind = np.where(is_known, rows[:, 0], -1.0).astype(np.int64)
    power = torque * speed * (2 * np.pi / 60)
    strain = wear * torque
    share = strain / _STRAIN_LIMITS[kind]
    return np.column_stack([kind, air, process, speed, torque, wear, power, strain, share,
                            process - air, torque / np.maximum(speed, 1.0)])  # fmt: skip


def failed(texts: Texts) -> Matrix:
    """Return whether each row is one of a failure."""
    name = next((name for name in TARGETS if name in texts), None)
    if name is None:
        raise HeadwaterError("there is no column 'Machine failure': a training file needs it")
    return (_numbers(texts[name]) > 0).astype(np.float64)


def _numbers(cells: list[str]) -> Matrix:
    found = np.array([number(cell) for cell in cells], dtype=np.float64)
    found[~(np.abs(found) <= MOST)] = np.nan
    return found

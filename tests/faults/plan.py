"""The kills of a run, drawn from its seed: the same seed draws the same."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.points import NAMES, RANDOM

IN_A_ROUND = 8
"""A fleet and a verdict cost as much as two kills, and a broken round is looked at as a whole."""
LATEST_FILE = 4
LONGEST_WAIT_S = 45.0
"""From one kill to the next at random: long enough to hit a start as well as a batch."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: the nth file of a point, or a random moment; `share` is drawn from 0 to 1."""

    number: int
    point: str
    nth: int
    share: float

    @property
    def wait_s(self) -> float:
        """How long after the kill before a random one comes."""
        return self.share * LONGEST_WAIT_S


@dataclass(frozen=True, slots=True)
class Round:
    """Kills under one fleet, with one verdict at the end."""

    number: int
    kills: tuple[Kill, ...]

    @property
    def points(self) -> list[str]:
        """Return where its kills are."""
        return [kill.point for kill in self.kills]


def plan(
    seed: int, *, each: int, at_random: int, points: Sequence[str] = (*NAMES, RANDOM)
) -> list[Round]:
    """Return `each` kills at every named point, and some at random moments, in mixed order."""
    rng = random.Random(seed)
    wanted = [name for name in NAMES if name in points for _ in range(each)]
    wanted += [RANDOM] * (at_random if RANDOM in points else 0)
    rng.shuffle(wanted)
    kills = [
        Kill(number, point, rng.randint(1, LATEST_FILE), rng.random())
        for number, point in enumerate(wanted)
    ]
    starts = range(0, len(kills), IN_A_ROUND)
    return [
        Round(number, tuple(kills[start : start + IN_A_ROUND]))
        for number, start in enumerate(starts)
    ]

"""The kills of a run, drawn from its seed: the same seed draws the same."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.points import NAMES, RANDOM

IN_A_ROUND = 10
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
    def point(self) -> str:
        """Return where its kills are."""
        return self.kills[0].point


def plan(seed: int, *, each: int, at_random: int) -> list[Round]:
    """Return `each` kills at every named point, and some at random moments, in mixed order."""
    rng = random.Random(seed)
    wanted = [(name, each) for name in NAMES]
    wanted += [(RANDOM, min(IN_A_ROUND, at_random - done)) for done in _steps(at_random)]
    rng.shuffle(wanted)
    rounds: list[Round] = []
    number = 0
    for point, count in wanted:
        kills = []
        for _ in range(count):
            kills.append(Kill(number, point, rng.randint(1, LATEST_FILE), rng.random()))
            number += 1
        if kills:
            rounds.append(Round(len(rounds), tuple(kills)))
    return rounds


def _steps(at_random: int) -> Iterator[int]:
    yield from range(0, at_random, IN_A_ROUND)

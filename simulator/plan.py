"""The seeded plan of a run: message by message who speaks, with which noise, fault and delay.

Message k is drawn from its block of 4,096, so the plan does not depend on how it is cut in groups.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.fleet import Fleet
from simulator.physics import Floats, Indexes
from simulator.scenarios import Scenario

BLOCK = 4_096
NOISE_COLUMNS = 4
MEAN_DELAY_US = 40_000
MOST_DELAY_US = 900_000


@dataclass(frozen=True, slots=True)
class Span:
    """Messages in the order of their sending; `fault` indexes the plan's names, -1 for none."""

    number: Indexes
    device: Indexes
    seq: Indexes
    fault: NDArray[np.int8]
    dice: Floats
    delay_us: Indexes
    noise: Floats

    def where(self, chosen: NDArray[np.bool_] | Indexes | slice) -> "Span":
        """Return the chosen messages."""
        return Span(
            self.number[chosen],
            self.device[chosen],
            self.seq[chosen],
            self.fault[chosen],
            self.dice[chosen],
            self.delay_us[chosen],
            self.noise[chosen],
        )


class Plan:
    """Draws any stretch of the run; the same seed draws the same."""

    def __init__(self, scenario: Scenario, fleet: Fleet, seed: int) -> None:
        self.fault_names = tuple(scenario.faults)
        self._ends = np.cumsum(list(scenario.faults.values()))
        self._fleet = fleet
        self._seed = seed
        self._kept: tuple[int, Span] | None = None

    def spans(self, start: int, stop: int) -> list[Span]:
        """Return messages `start` to `stop`, cut at the blocks' ends."""
        spans = []
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            first = block * BLOCK
            chosen = slice(max(start - first, 0), min(stop - first, BLOCK))
            spans.append(self._block(block).where(chosen))
        return spans

    def _block(self, block: int) -> Span:
        if self._kept is None or self._kept[0] != block:
            self._kept = (block, self._draw(block))
        return self._kept[1]

    def _draw(self, block: int) -> Span:
        rng = np.random.default_rng([self._seed, 2, block])
        number = np.arange(block * BLOCK, (block + 1) * BLOCK)
        delay = rng.exponential(MEAN_DELAY_US, BLOCK).clip(0, MOST_DELAY_US)
        return Span(
            number=number,
            device=self._fleet.order[number % len(self._fleet)],
            seq=number // len(self._fleet),
            fault=self._faults(rng.random(BLOCK)),
            dice=rng.random(BLOCK),
            delay_us=delay.astype(np.int64),
            noise=rng.standard_normal((BLOCK, NOISE_COLUMNS)),
        )

    def _faults(self, drawn: Floats) -> NDArray[np.int8]:
        found = np.searchsorted(self._ends, drawn, side="right")
        return np.where(found < len(self.fault_names), found, -1).astype(np.int8)

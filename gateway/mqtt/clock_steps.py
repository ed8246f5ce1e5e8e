"""A clock that is set while the gateway runs: whoever waits for a moment of it waits no longer.

Nor shorter: clients would be called silent, their wills told, their sessions forgotten.
"""

from typing import NamedTuple

LEAST_US = 1_000_000
"""What is less is how far a clock is put right all the time."""


class Step(NamedTuple):
    """How far the clock was set since it was looked at last; times are in epoch microseconds."""

    by_us: int
    began_us: int
    """When it was looked at last, by the clock of now."""
    now_us: int

    def is_before(self, moment_us: float) -> bool:
        """Say whether a moment that has passed is one of the clock as it was before."""
        return not self.began_us <= moment_us <= self.now_us


class ClockSteps:
    """Compares the clock with one that only goes on; both in microseconds."""

    def __init__(self, now_us: int, steady_us: int) -> None:
        self._now_us = now_us
        self._steady_us = steady_us

    def found(self, now_us: int, steady_us: int) -> Step | None:
        """Return how far the clock was set since the last look, None where it was not."""
        passed_us = steady_us - self._steady_us
        by_us = now_us - self._now_us - passed_us
        self._now_us, self._steady_us = now_us, steady_us
        return Step(by_us, now_us - passed_us, now_us) if abs(by_us) >= LEAST_US else None

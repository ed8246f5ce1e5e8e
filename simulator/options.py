"""What the command line says of a run."""

from dataclasses import dataclass
from pathlib import Path

import click

from edge.outboxes import Via
from simulator.scenarios import Scenario
from simulator.sending import Pace
from telemetry.durations import parse_duration
from telemetry.errors import HeadwaterError

NOMINAL_RATE = 50_000.0
"""Messages in a second of simulated time where they are sent as fast as they will go."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says of a run."""

    scenario: Scenario
    devices: int
    rate: float | None
    seconds: float
    messages: int | None
    seed: int
    ledger: Path | None
    quiet: bool
    via: Via | None = None
    over: float | None = None
    """Seconds of the past that the run tells of."""
    first: int = 0
    """Number of each model's first device."""

    @property
    def nominal_rate(self) -> float:
        """Messages in a second of simulated time."""
        return self.rate or NOMINAL_RATE

    @property
    def total(self) -> int:
        """Messages of the run, as far as that is known before."""
        if self.messages is not None:
            return self.messages
        return round(self.nominal_rate * self.seconds)

    @property
    def pace(self) -> Pace:
        """Return how fast and until when to send."""
        if self.rate or self.messages:
            return Pace(self.rate, self.total, None)
        return Pace(None, None, self.seconds)


class SecondsType(click.ParamType[float]):
    """A length of time, in seconds."""

    name = "duration"

    def __init__(self, *, may_be_zero: bool = False) -> None:
        self._may_be_zero = may_be_zero

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read `30s`, `5 min`."""
        try:
            duration = parse_duration(str(value))
        except HeadwaterError as error:
            self.fail(str(error), param, ctx)
        if duration is None or not (duration or self._may_be_zero):
            self.fail("it must be a time with an end: write 30s or 5min", param, ctx)
        return duration.total_seconds()


class RateType(click.ParamType[float | None]):
    """Messages a second, or as many as will go."""

    name = "number|max"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Read a number above 0, or `max`, which is None."""
        if value == "max":
            return None
        try:
            rate = float(str(value))
        except ValueError:
            rate = 0.0
        if not 0 < rate <= 10_000_000:
            self.fail(f"{value!r} is neither a number above 0 nor max", param, ctx)
        return rate

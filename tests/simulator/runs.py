"""Builders of runs for the simulator's tests: a fixed clock, an outbox that keeps what it gets."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.outbox import OnAck, OutRecord
from edge.registry_files import RegistryFiles
from simulator.fleet import build_fleet, enrol
from simulator.groups import Group, Groups
from simulator.measurements import Clock, Run
from simulator.scenarios import Scenario
from telemetry.judge import Judged, judge
from telemetry.records import Record
from telemetry.registry import Registry

START = 1_795_000_000_000_000
TOLERANCE = 60_000_000
RATE = 500.0


@dataclass(frozen=True, slots=True)
class RunParts:
    """A run, and the registry in which its fleet is enrolled."""

    run: Run
    registry: RegistryFiles


def run_of(
    root: Path,
    scenario: Scenario,
    *,
    seed: int = 1,
    devices: int = 40,
    total: int = 1_500,
) -> RunParts:
    """Return a run whose fleet is enrolled below `root`."""
    fleet = build_fleet(scenario, devices, seed)
    registry = RegistryFiles(root)
    products = enrol(fleet, registry, upgraded=True)
    return RunParts(Run(scenario, fleet, products, "b1", seed, RATE, total, TOLERANCE), registry)


def built(run: Run, *, step: int = 100, start: int = START) -> Iterator[tuple[int, Group]]:
    """Yield the run's groups with the time at which each was built."""
    groups = Groups(run)
    now = start
    for first in range(0, run.total, step):
        now = start + round(1_000_000 * (first + step) / run.rate)
        yield now, groups.build(first, min(first + step, run.total), Clock(now, start))
    yield now, groups.rest(Clock(now, start))


def records(group: Group, now: int, offset: int) -> list[Record]:
    """Return a group as the records that landing would read, from one partition."""
    return [
        Record(
            topic="telemetry",
            partition=0,
            offset=offset + place,
            kafka_time=now + 3_000,
            key=record.key,
            value=record.value,
            headers=dict(record.headers),
        )
        for place, record in enumerate(group.records)
    ]


def judged(parts: RunParts) -> Iterator[tuple[Record, Judged]]:
    """Yield every message of a run with the verdict of `telemetry.judge`."""
    registry = Registry(parts.registry.products().values(), parts.registry.devices())
    offset = 0
    for now, group in built(parts.run):
        for record in records(group, now, offset):
            offset += 1
            for found in judge(record, registry, tolerance_us=parts.run.tolerance):
                yield record, found


class KeptOutbox:
    """An outbox in memory; acknowledges when polled."""

    def __init__(self) -> None:
        self.records: list[OutRecord] = []
        self.waiting: list[OnAck] = []

    def send(self, record: OutRecord, on_ack: OnAck | None = None) -> None:
        """Keep the record."""
        self.records.append(record)
        if on_ack is not None:
            self.waiting.append(on_ack)

    def poll(self, timeout_s: float = 0.0) -> int:
        """Acknowledge all."""
        waiting, self.waiting = self.waiting, []
        for on_ack in waiting:
            on_ack(START)
        return 0

    def flush(self, timeout_s: float) -> int:
        """Acknowledge all."""
        return self.poll()

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

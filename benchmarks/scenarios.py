"""The shipped rules on the scenarios with truth: precision, recall, delay, false alarms.

`make bench BENCH=scenarios OUT=build/scenarios.json`; `--seed` draws another truth.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import yaml

from benchmarks.report import Figures, parser, report
from detection.rules.evaluator import Evaluator
from detection.rules.readings import Readings, Series, Source
from edge.registry_files import RegistryFiles
from simulator.fleet import build_fleet, enrol
from simulator.groups import Group, Groups
from simulator.measurements import Clock, Past, Run
from simulator.scenarios import load_scenario
from simulator.scoring.alarms import figures, match
from simulator.truth import draw_episodes
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule

RULES = Path(__file__).parents[1] / "simulator" / "rules"
MONDAY_US = 1_767_571_200_000_000
GRACE_US = 3_600_000_000
AT_ONCE = 20_000
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Size:
    """How many devices tell of how many days, a reading each so many minutes."""

    devices: int
    days: int
    every_min: int

    @property
    def messages(self) -> int:
        """Messages of the run."""
        return self.devices * self.days * 1440 // self.every_min


SIZES = {
    "theft": Size(100, 42, 30),
    "wear": Size(60, 28, 10),
    "traffic": Size(80, 28, 10),
    "quality": Size(40, 14, 5),
}


def run_of(name: str, size: Size, seed: int, registry: Path) -> Run:
    """Return a run that tells of a past."""
    scenario = load_scenario(name)
    fleet = build_fleet(scenario, size.devices, seed)
    products = enrol(fleet, RegistryFiles(registry), upgraded=True)
    past = Past(MONDAY_US, size.days * DAY_S)
    return Run(scenario, fleet, products, "b", seed, 1.0, size.messages, 0, past)


def shipped(name: str) -> list[VersionedRule]:
    """Return a scenario's rules, switched on."""
    declared = yaml.safe_load_all((RULES / f"{name}.yaml").read_text())
    return [VersionedRule(rule_from_dict(each), is_on=True) for each in declared]


def groups(run: Run) -> Iterator[Group]:
    """Yield the run's messages, some at a time."""
    assert run.past is not None
    # What a device says of later than now counts as of now.
    made, over = Groups(run), Clock(MONDAY_US + round(run.past.seconds * 1e6))
    for first in range(0, run.total, AT_ONCE):
        yield made.build(first, min(first + AT_ONCE, run.total), over)


def readings_of(group: Group) -> Readings:
    """Return a group's messages as readings that came at once."""
    sources: dict[Source, int] = {}
    rows = []
    for number, (record, text) in enumerate(zip(group.records, group.sent, strict=True)):
        device, at = record.key.decode(), orjson.loads(text)["event_time"]
        for metric, value in orjson.loads(record.value)["metrics"].items():
            source = Source(Series("default", device, metric), device.partition(".")[0])
            rows.append((sources.setdefault(source, len(sources)), at, value, number))
    of, times, values, messages = zip(*rows, strict=True)
    return Readings(
        list(sources),
        np.array(of, np.intp),
        np.array(times, np.int64),
        np.zeros(len(rows), np.int64),
        np.array(values, np.float64),
        np.array(messages, np.int64),
    )


def measured(run: Run, rules: list[VersionedRule]) -> dict[str, object]:
    """Return what the rules made of a run, as `verify` says it."""
    judging = Evaluator()
    judging.put(rules, 0)
    labels: list[dict[str, object]] = []
    alarms: list[tuple[str, int]] = []
    for group in groups(run):
        labels += map(orjson.loads, group.labels)
        outcomes = judging.take(readings_of(group), 0)
        alarms += [
            (str(alert.device), alert.event_time)
            for _, alert in outcomes
            if alert.state == "firing"
        ]
    assert run.past is not None
    matched = match(
        pl.DataFrame(labels).rename({"device": "who"}).select("who", "kind", "from", "to"),
        pl.DataFrame(alarms, schema={"who": pl.String, "at": pl.Int64}, orient="row"),
        GRACE_US,
    )
    false = matched.alarms.filter(~pl.col("is_true")).select("who", "at")
    alike = match(lookalikes(run), false, GRACE_US).alarms["is_true"].sum()
    found = figures(matched, round(len(run.fleet) * run.past.seconds * 1e6))
    return {**found, "false_alarms_of_lookalikes": int(alike)}


def lookalikes(run: Run) -> pl.DataFrame:
    """Return what only looks like truth, in the form of labels."""
    assert run.scenario.truth is not None
    assert run.past is not None
    zones = [device.zone or "" for device in run.fleet.devices]
    _, honest = draw_episodes(run.scenario.truth, zones, run.past.seconds, run.seed)
    rows = [
        (
            run.fleet.devices[one.device].device_full,
            one.kind,
            *(run.past.begins_at + round(each * 1e6) for each in (one.begin_s, one.end_s)),
        )
        for one in honest.labels()
    ]
    schema = {"who": pl.String, "kind": pl.String, "from": pl.Int64, "to": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def flat(name: str, found: dict[str, object]) -> Figures:
    """Return figures as a table's lines."""
    lines: dict[str, object] = {}
    for figure, value in found.items():
        if figure == "by_kind" and isinstance(value, dict):
            lines |= {f"{name} recall {kind}": each["recall"] for kind, each in value.items()}
        elif isinstance(value, dict):
            lines |= {f"{name} {figure} {part}": each for part, each in value.items()}
        else:
            lines[f"{name} {figure}"] = value
    return lines


def main() -> None:
    """Tell every scenario's past to its rules."""
    options = parser(__doc__ or "")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", choices=sorted(SIZES))
    asked = options.parse_args()
    names = [asked.only] if asked.only else list(SIZES)
    with tempfile.TemporaryDirectory() as folder:
        told = [
            flat(name, measured(run_of(name, SIZES[name], asked.seed, Path(folder)), shipped(name)))
            for name in names
        ]
    report("scenarios", dict(chain.from_iterable(each.items() for each in told)), asked.out)


if __name__ == "__main__":
    main()

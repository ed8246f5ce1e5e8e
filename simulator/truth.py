"""The truth of a run: which device has what, from when to when, drawn before the first message."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from simulator.chance import uniform
from simulator.effects import EFFECTS, Course
from simulator.physics import Columns, Floats, Indexes
from telemetry.durations import parse_duration
from telemetry.errors import HeadwaterError

LONGEST = 0.6
"""No episode takes more of its section of the run."""
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What may go wrong in a scenario.

    The first `quiet` share of a run is free of it. The rest is cut into `episodes` sections; in
    each, a `share` of the subjects (devices, or whole zones) has one episode of a kind. Episodes
    of the `honest` kinds are drawn likewise, by device, and have no label.
    """

    kinds: tuple[str, ...]
    honest: tuple[str, ...] = ()
    by: Literal["device", "zone"] = "device"
    share: float = 0.3
    episodes: int = 1
    lasts_s: tuple[float, float] = (HOUR_S, 24 * HOUR_S)
    quiet: float = 0.5


def truth_from_dict(name: str, data: Mapping[str, object]) -> Truth:
    """Read a scenario's truth; raise `HeadwaterError` that names what is wrong."""
    lasts = data.get("lasts")
    fields = {key: value for key, value in data.items() if key != "lasts"}
    lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    if not isinstance(lasts, list) or len(lasts) != 2:
        raise HeadwaterError(f"scenario {name}: lasts must be two spans, the least and the most")
    spans = [parse_duration(str(span)) for span in lasts]
    least, most = (span.total_seconds() if span else 0.0 for span in spans)
    truth = Truth(**{**fields, **lists}, lasts_s=(least, most))  # type: ignore[arg-type]
    unknown = sorted({*truth.kinds, *truth.honest} - set(EFFECTS))
    if unknown or not truth.kinds:
        raise HeadwaterError(f"scenario {name}: no truth {', '.join(unknown) or 'at all'}")
    if truth.by not in ("device", "zone") or not 0 < least <= most or truth.episodes < 1:
        raise HeadwaterError(f"scenario {name}: by must be device or zone, lasts and episodes > 0")
    if not (0 <= truth.share <= 1 and 0 <= truth.quiet < 1):
        raise HeadwaterError(f"scenario {name}: share and quiet must be from 0 to 1")
    return truth


class Labelled(NamedTuple):
    """One episode of one device, in seconds of the run."""

    device: int
    kind: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Episodes:
    """Episodes by device and section, a row a device; begin and end are infinite for none."""

    kinds: tuple[str, ...]
    kind: Indexes
    begin_s: Floats
    end_s: Floats
    one: Floats
    two: Floats

    def labels(self) -> list[Labelled]:
        """Return them all by their beginning."""
        some = [(int(device), int(section)) for device, section in
                np.argwhere(np.isfinite(self.begin_s))]  # fmt: skip
        found = [
            Labelled(place[0], self.kinds[self.kind[place]],
                     float(self.begin_s[place]), float(self.end_s[place]))
            for place in some
        ]  # fmt: skip
        return sorted(found, key=lambda label: (label.begin_s, label.device))


def draw_episodes(
    truth: Truth, zones: list[str], run_s: float, seed: int
) -> tuple[Episodes, Episodes]:
    """Draw what goes wrong and what only looks like it; `zones` has the zone of each device."""
    places = {zone: number for number, zone in enumerate(dict.fromkeys(zones))}
    devices = np.arange(len(zones))
    subjects = np.array([places[zone] for zone in zones]) if truth.by == "zone" else devices
    rng, other = (np.random.default_rng([seed, number]) for number in (4, 5))
    return (
        _drawn(truth, truth.kinds, subjects, run_s, rng),
        _drawn(truth, truth.honest, devices, run_s, other),
    )


def _drawn(
    truth: Truth, kinds: tuple[str, ...], subjects: Indexes, run_s: float, rng: np.random.Generator
) -> Episodes:
    size = (int(subjects.max(initial=-1)) + 1, truth.episodes if kinds else 0)
    section_s = run_s * (1.0 - truth.quiet) / truth.episodes
    lasts = np.minimum(rng.uniform(*truth.lasts_s, size), LONGEST * section_s)
    starts = run_s * truth.quiet + section_s * np.arange(size[1])
    begin = starts + rng.uniform(size=size) * (section_s - lasts)
    has_one = rng.uniform(size=size) < truth.share
    begin = np.where(has_one, begin, np.inf)
    kind = rng.integers(0, max(len(kinds), 1), size)
    one, two = rng.uniform(size=size)[subjects], rng.uniform(size=size)[subjects]
    return Episodes(kinds, kind[subjects], begin[subjects], (begin + lasts)[subjects], one, two)


class Readings(NamedTuple):
    """Whose readings are to be changed and when; seconds of the run, and since a Monday began."""

    device: Indexes
    seconds: Floats
    week_s: Floats
    means: Columns


def changed(numbers: Columns, episodes: Episodes, readings: Readings, seed: int) -> Columns:
    """Return the readings as they are while episodes last."""
    begin, end = episodes.begin_s[readings.device], episodes.end_s[readings.device]
    seconds = readings.seconds[:, None]
    lasting = (begin <= seconds) & (seconds < end)
    rows = np.flatnonzero(lasting.any(axis=1))
    if not len(rows):
        return numbers
    section = lasting[rows].argmax(axis=1)
    place = (readings.device[rows], section)
    course = _course(episodes, readings, rows, place, seed)
    found = {name: column.copy() for name, column in numbers.items()}
    for number, name in enumerate(episodes.kinds):
        mine = episodes.kind[place] == number
        if mine.any():
            here = {metric: column[rows[mine]] for metric, column in numbers.items()}
            for metric, column in EFFECTS[name].change(here, course.where(mine)).items():
                found[metric][rows[mine]] = column
    return found


def _course(
    episodes: Episodes,
    readings: Readings,
    rows: Indexes,
    place: tuple[Indexes, Indexes],
    seed: int,
) -> Course:
    device, seconds, week_s = readings.device[rows], readings.seconds[rows], readings.week_s[rows]
    begin, end = episodes.begin_s[place], episodes.end_s[place]
    return Course(
        progress=(seconds - begin) / (end - begin),
        hours=week_s / HOUR_S % 24.0,
        one=episodes.one[place],
        two=episodes.two[place],
        hourly=uniform(seed, device, (week_s // HOUR_S).astype(np.int64)),
        own=uniform(seed + 1, device, (week_s * 1000).astype(np.int64)),
        means={name: mean[rows] for name, mean in readings.means.items()},
    )

"""Series as the query service answers them: as many points as a picture can show, extremes kept."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast
from urllib.parse import quote

from infra.close_names import unknown
from infra.plotting.chart import Line, gaps
from infra.plotting.series import METRICS_ARE_IN, Asked, Extent, as_typed
from infra.service_client import ServiceClient
from telemetry.errors import HeadwaterError

SERVED = "served"
POINTS = 1000
_EVER = datetime(1900, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
NARROWINGS = 4
"""From buckets of 300 years to five milliseconds: each is 250 times narrower than the last."""
Point = tuple[datetime, float | bool | str | None]
Points = list[Point]


class Told(NamedTuple):
    """A series' type, its points, and whether the service has left out a part of them.

    `bucket` is how wide what each pair of points stands for is; None: each is a reading.
    """

    kind: str
    points: Points
    is_part: bool
    bucket: timedelta | None


class Found(NamedTuple):
    """A series from its first reading to its last, thinned to what a picture shows."""

    points: Points
    is_part: bool


class Answers:
    """Asks one query service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self._found: dict[Asked, Found] = {}

    def extent(self, asked: Asked) -> Extent:
        """Return the span that has numbers; raise for what has none, naming what there is."""
        if asked not in self._found:
            self._found[asked] = self._find(asked)
        points, is_part = self._found[asked]
        times = [at for at, value in points if value is not None]
        return Extent(times[0], times[-1], None, is_part)

    def window_for(self, _extents: Mapping[Asked, Extent]) -> str:
        """Return what says that the service chooses."""
        return SERVED

    def line(self, asked: Asked, window: str, label: str) -> Line:
        """Return the series thinned to what a picture shows; `window` is the service's choice."""
        self.extent(asked)
        points = self._found[asked].points
        kept = [(at, float(value)) for at, value in points if value is not None]
        missing = {at for at, value in points if value is None}
        times = tuple(at for at, _ in kept)
        breaks = gaps(times) if len(times) < POINTS // 2 else frozenset[int]()
        breaks |= {
            place
            for place in range(1, len(times))
            if any(times[place - 1] < at < times[place] for at in missing)
        }
        return Line(label, times, tuple(value for _, value in kept), breaks)

    def _find(self, asked: Asked) -> Found:
        told = self._told(asked, *_span(asked))
        name = f"{asked.metric} of {asked.device}"
        if told.kind == "text":
            raise HeadwaterError(f"{name} is text: there is no line in it")
        if not told.points and told.is_part:
            raise HeadwaterError(
                f"{name} has too much for one answer: ask for a part of it with --from and --to"
            )
        if not told.points:
            raise HeadwaterError(self._why_nothing(asked))
        first, last = self._first(asked, told), self._last(asked, told)
        drawn = self._between(asked, first[0], last[0] + _MICROSECOND)
        return Found(_with_ends(first, drawn.points, last), told.is_part or drawn.is_part)

    def _first(self, asked: Asked, told: Told) -> Point:
        """Return the first reading.

        Of many readings the extremes are told, not the first; but each bucket that has any is told
        of, so it is in the bucket of the first point: that is asked for, and so on.
        """
        found = told.points[0]
        for _ in range(NARROWINGS):
            told = self._around(asked, found[0], told.bucket)
            # Of what only wide windows tell any more, a narrower span has nothing whole.
            if not told.points:
                break
            found = min(found, told.points[0], key=_time)
        return found

    def _last(self, asked: Asked, told: Told) -> Point:
        """Return the last reading, likewise."""
        found = told.points[-1]
        for _ in range(NARROWINGS):
            told = self._around(asked, found[0], told.bucket)
            if not told.points:
                break
            found = max(found, told.points[-1], key=_time)
        return found

    def _around(self, asked: Asked, at: datetime, bucket: timedelta | None) -> Told:
        """Return what is told of a bucket's width before and after a time."""
        if bucket is None:
            return Told("number", [], is_part=False, bucket=None)
        first, last = _span(asked)
        return self._told(asked, max(first, at - bucket), min(last, at + bucket + _MICROSECOND))

    def _between(self, asked: Asked, first: datetime, last: datetime) -> Told:
        """Return the series in [first, last), gaps marked."""
        told = self._told(asked, first, last, "null")
        if not told.is_part:
            return told
        # Where only days are left, those at the ends are told of if they are asked for whole.
        since, until = _span(asked)
        midnight, next_midnight = _midnight(first), _midnight(last - _MICROSECOND) + _DAY
        return self._told(asked, max(since, midnight), min(until, next_midnight), "null")

    def _told(self, asked: Asked, first: datetime, last: datetime, fill: str = "none") -> Told:
        """Return what the service tells of a series in [first, last)."""
        given: dict[str, str | int | bool | None] = {
            "device_id": asked.device,
            "metric": asked.metric,
            "tenant": asked.tenant,
            "start": first.isoformat(),
            "end": last.isoformat(),
            "points": POINTS,
            "fill": fill,
        }
        said = cast(Mapping[str, object], self._client.ask("GET", "/v1/query", None, given))
        points = cast(list[Mapping[str, float | bool | str | None]], said["points"])
        found = [(datetime.fromisoformat(str(point["time"])), point["value"]) for point in points]
        width_s = cast(float | None, said["bucket_s"])
        bucket = None if width_s is None else timedelta(seconds=width_s)
        return Told(str(said["type"]), found, bool(said["truncated"]), bucket)

    def _why_nothing(self, asked: Asked) -> str:
        path = f"/v1/devices/{quote(asked.device, safe='')}/metrics"
        said = self._client.ask("GET", path, None, {"tenant": asked.tenant})
        rows = cast(list[Mapping[str, object]], cast(Mapping[str, object], said)["points"])
        newest = {str(row["metric"]): str(row["time"]) for row in rows}
        if asked.metric in newest:
            return (
                f"{asked.metric} of {asked.device} has nothing in that time:"
                f" its newest is of {newest[asked.metric]}"
            )
        if not newest:
            return f"there is no device {asked.device!r} with values: see /v1/devices"
        known = map(as_typed, sorted(newest))
        return unknown(f"metric of {asked.device}", asked.metric, known, METRICS_ARE_IN)


def _span(asked: Asked) -> tuple[datetime, datetime]:
    return asked.since or _EVER[0], asked.until or _EVER[1]


def _time(point: Point) -> datetime:
    return point[0]


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _with_ends(first: Point, points: Points, last: Point) -> Points:
    """Return the points between the first reading and the last, which need not be extremes."""
    known = [at for at, value in points if value is not None]
    before = [first] if not known or first[0] < known[0] else []
    after = [last] if last[0] > (known or [first[0]])[-1] else []
    return [*before, *points, *after]

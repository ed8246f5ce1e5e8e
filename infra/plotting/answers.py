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
Points = list[tuple[datetime, float | bool | str | None]]


class Told(NamedTuple):
    """A series' type, its points, and whether the service has left out a part of them."""

    kind: str
    points: Points
    is_part: bool


class Answers:
    """Asks one query service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def extent(self, asked: Asked) -> Extent:
        """Return the span that has numbers; raise for what has none, naming what there is."""
        told = self._told(asked, *_span(asked), 2)
        name = f"{asked.metric} of {asked.device}"
        if told.kind == "text":
            raise HeadwaterError(f"{name} is text: there is no line in it")
        if not told.points and told.is_part:
            raise HeadwaterError(
                f"{name} has too much for one answer: ask for a part of it with --from and --to"
            )
        if not told.points:
            raise HeadwaterError(self._why_nothing(asked))
        points, is_part = told.points, told.is_part
        first, last = _span(asked)
        # Few points of a long span say about when; those of the span that they name say exactly.
        for _ in range(3):
            told = self._told(asked, first, last, POINTS)
            # Of what only wide windows tell any more, a narrower span has nothing whole.
            if not told.points:
                break
            points, is_part = told.points, is_part or told.is_part
            first = max(first, points[0][0] - (last - first) / POINTS)
            last = min(last, points[-1][0] + (last - first) / POINTS + _MICROSECOND)
        return Extent(points[0][0], points[-1][0], None, is_part)

    def window_for(self, _extents: Mapping[Asked, Extent]) -> str:
        """Return what says that the service chooses."""
        return SERVED

    def line(self, asked: Asked, window: str, label: str) -> Line:
        """Return the series thinned to what a picture shows; `window` is the service's choice."""
        extent = self.extent(asked)
        end = extent.last + _MICROSECOND
        points = self._told(asked, extent.first, end, POINTS, "null").points
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

    def _told(
        self, asked: Asked, first: datetime, last: datetime, most: int, fill: str = "none"
    ) -> Told:
        """Return what the service tells of a series in [first, last)."""
        given: dict[str, str | int | bool | None] = {
            "device_id": asked.device,
            "metric": asked.metric,
            "tenant": asked.tenant,
            "start": first.isoformat(),
            "end": last.isoformat(),
            "points": most,
            "fill": fill,
        }
        said = cast(Mapping[str, object], self._client.ask("GET", "/v1/query", None, given))
        points = cast(list[Mapping[str, float | bool | str | None]], said["points"])
        found = [(datetime.fromisoformat(str(point["time"])), point["value"]) for point in points]
        return Told(str(said["type"]), found, bool(said["truncated"]))

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

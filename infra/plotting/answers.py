"""Series as the query service answers them: as many points as a picture can show, extremes kept."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import quote

from infra.close_names import unknown
from infra.plotting.chart import Line, gaps
from infra.plotting.series import Asked, Extent
from infra.service_client import ServiceClient
from telemetry.errors import HeadwaterError

SERVED = "served"
POINTS = 1000
_EVER = datetime(1900, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Points = list[tuple[datetime, float | bool | str | None]]


class Answers:
    """Asks one query service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def extent(self, asked: Asked) -> Extent:
        """Return the span that has numbers; raise for what has none, naming what there is."""
        kind, points = self._points(asked, *_span(asked), 2)
        name = f"{asked.metric} of {asked.device}"
        if kind == "text":
            raise HeadwaterError(f"{name} is text: there is no line in it")
        if not points:
            raise HeadwaterError(self._why_nothing(asked))
        first, last = _span(asked)
        # Few points of a long span say about when; those of the span that they name say exactly.
        for _ in range(3):
            _, found = self._points(asked, first, last, POINTS)
            # Of what only wide windows tell any more, a narrower span has nothing whole.
            if not found:
                break
            points = found
            first = max(first, points[0][0] - (last - first) / POINTS)
            last = min(last, points[-1][0] + (last - first) / POINTS + _MICROSECOND)
        return Extent(points[0][0], points[-1][0], None)

    def line(self, asked: Asked, window: str, label: str) -> Line:
        """Return the series thinned to what a picture shows; `window` is the service's choice."""
        extent = self.extent(asked)
        _, points = self._points(asked, extent.first, extent.last + _MICROSECOND, POINTS, "null")
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

    def _points(
        self, asked: Asked, first: datetime, last: datetime, most: int, fill: str = "none"
    ) -> tuple[str, Points]:
        """Return a series' type and its points in [first, last)."""
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
        return str(said["type"]), found

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
        return unknown(f"metric of {asked.device}", asked.metric, sorted(newest), "see dim.devices")


def _span(asked: Asked) -> tuple[datetime, datetime]:
    return asked.since or _EVER[0], asked.until or _EVER[1]

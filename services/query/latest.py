"""The latest value of every series, in memory: built from gold's days, kept up from silver.

Taking the later of two is idempotent, so it does not matter that gold's days and silver's newest
files say some readings twice. What a commit takes out of these tables is no answer any more.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from http import HTTPStatus
from typing import NamedTuple

import polars as pl

from services.problems import wait
from services.query.deletions import Deletions
from services.query.hot.newest import NAMES
from services.query.hot.tier import Hot
from services.query.latest_rows import (
    DEVICE,
    PLACED,
    PLACES,
    SCHEMA,
    encoded,
    later,
    newest_places,
    newest_rows,
    places_of,
    reduced,
    taken_over,
)
from services.query.listing import NOTHING, Listing, TableFiles
from services.query.scanning import read, tried
from telemetry.tables import DEVICE_DAY, DEVICES, LATE, READINGS

MARGIN_S = 3600
"""Silver's files that are up to this much older than what gold has are read as well."""
MOST_NEWS = 16
_DAY = dict(zip(SCHEMA, ("tenant", "device_full", "metric", "product", "last_at", "last_seq",
                         "last", "last_text", "last_bool"), strict=True))  # fmt: skip
_REGISTERED = ["tenant", "device_full", "zone", "lat", "lng"]
_STANDS = {name: PLACED.get(name, pl.String()) for name in _REGISTERED}


class News(NamedTuple):
    """The rows that an edition has anew, and new places; None: all may be other ones."""

    edition: int
    rows: pl.DataFrame | None
    places: pl.DataFrame


class State(NamedTuple):
    """The latest value of each series with its zone and its JSON, and what it was made of."""

    rows: pl.DataFrame
    places: pl.DataFrame
    """Where each device is, as far as it is known."""
    seen: frozenset[str]
    devices_version: int
    edition: int
    news: tuple[News, ...] = ()
    """What the last editions brought, the oldest first."""

    def since(self, edition: int) -> News | None:
        """Return what came after an edition; None if nothing did."""
        if edition == self.edition:
            return None
        fresh = [each for each in self.news if each.edition > edition]
        rows = [each.rows for each in fresh if each.rows is not None]
        if edition > self.edition or len(rows) < self.edition - edition:
            return News(self.edition, None, self.places)
        places = newest_places(*(each.places for each in fresh))
        return News(self.edition, later(*rows), places)


class Latest:
    """Kept up by a thread and by whoever asks; safe for several threads."""

    def __init__(
        self,
        tables: Mapping[str, TableFiles],
        hot: Hot,
        taken_ms: Callable[[], float | None] = lambda: None,
    ) -> None:
        """`hot` holds the newest readings: each of their files is read once for both.

        `taken_ms`: until when messages were received that gold has counted, in milliseconds since
        1970. A gold that is behind writes new files, too.
        """
        self._days, self._devices = tables[DEVICE_DAY.name], tables[DEVICES.name]
        self._sources = (tables[READINGS.name], tables[LATE.name])
        self._hot, self._taken_ms = hot, taken_ms
        self._deletions = [Deletions(files) for files in (self._days, *self._sources)]
        self._stood = NOTHING, pl.DataFrame(schema=_STANDS)
        """A version of the devices, and where each stands in it."""
        self._state: State | None = None
        self._lock = threading.Lock()
        self._losses = 0
        self.reads = 0
        """How often files were read."""

    def state(self) -> State:
        """Return the state with all that silver has; answer when to come again while it is made."""
        if not self._lock.acquire(blocking=self._state is not None):
            raise wait(HTTPStatus.SERVICE_UNAVAILABLE, "the latest values are being read", 2.0)
        try:
            # Each is looked at, and before any is read: what is deleted later is seen next time.
            is_loss = [each.happened() for each in self._deletions]
            self._losses += any(is_loss)
            if self._state is None or any(is_loss):
                self._state = self._renewed(tried(self._built))
            self._state = tried(self._kept_up)
            return self._state
        finally:
            self._lock.release()

    def rebuild(self) -> None:
        """Make it anew, whatever was seen of the tables."""
        losses = self._losses
        built = tried(self._built)
        with self._lock:
            if losses == self._losses:
                self._state = self._renewed(built)

    def _renewed(self, built: State) -> State:
        """Follow the state before; places outlive it, but not their devices."""
        before = self._state
        if before is None:
            return built
        edition = before.edition + 1
        moved = before.places.filter(pl.col("at").is_not_null())
        places = newest_places(built.places, moved.join(built.rows, on=DEVICE, how="semi"))
        news = _kept(before, News(edition, None, places))
        return built._replace(edition=edition, places=places, news=news)

    def _built(self) -> State:
        self.reads += 1
        taken_ms = self._taken_ms()
        days = self._days.listing()
        rows = newest_rows(self._days, days.paths, _DAY)
        written_ms = max(days.modified, default=0)
        newest = written_ms if taken_ms is None else min(written_ms, taken_ms)
        old = frozenset(
            path
            for source in self._sources
            for path in _modified_before(source.listing(), newest - MARGIN_S * 1000)
        )
        version = self._devices.listing().version
        registered = self._registered()
        return State(_with_zones(rows, registered), _places(registered), old, version, 0)

    def _kept_up(self) -> State:
        state = self._state
        assert state is not None
        seen = set(state.seen)
        fresh: list[pl.DataFrame] = []
        for source in self._sources:
            new = [path for path in source.listing().paths if path not in seen]
            if new:
                self.reads += 1
                fresh.append(self._newest(source, new))
            seen.update(new)
        version = self._devices.listing().version
        if not fresh and version == state.devices_version:
            return state
        return self._grown(state._replace(seen=frozenset(seen)), fresh, version)

    def _newest(self, source: TableFiles, paths: Collection[str]) -> pl.DataFrame:
        """Return the latest rows of some files; what the hot tier does not tell is read here."""
        left = dict.fromkeys(paths)

        def told() -> Iterator[pl.DataFrame]:
            for path, rows in self._hot.newest(source.table.name, paths):
                del left[path]
                yield rows
            yield newest_rows(source, list(left), NAMES)

        return reduced(told())

    def _grown(self, state: State, fresh: list[pl.DataFrame], version: int) -> State:
        """Take fresh rows in, and stand each device where the registry says by now."""
        edition, rows, registered = state.edition + 1, state.rows, self._registered()
        is_moved = version != state.devices_version
        if is_moved:
            rows = _with_zones(rows.select(*SCHEMA), registered)
        newest = later(pl.DataFrame(schema=PLACED), *fresh)
        rows, changed = taken_over(rows, _with_zones(newest.select(*SCHEMA), registered))
        places = places_of(newest)
        news = News(edition, None if is_moved else changed, places)
        known = state.places.filter(pl.col("at").is_not_null()) if is_moved else state.places
        return State(
            rows,
            newest_places(*([_places(registered)] if is_moved else []), known, places),
            state.seen,
            version,
            edition,
            _kept(state, news),
        )

    def _registered(self) -> pl.DataFrame:
        """Return where each device stands now; it is read once a version."""
        listing = self._devices.listing()
        known, registered = self._stood
        if known is not listing:
            registered = self._read_devices(listing.paths)
            self._stood = listing, registered
        return registered

    def _read_devices(self, paths: list[str]) -> pl.DataFrame:
        if not paths:
            return pl.DataFrame(schema=_STANDS)
        current = read(self._devices, paths, _REGISTERED, pl.col("valid_to").is_null(), {})
        columns = [pl.col(name).cast(kind) for name, kind in _STANDS.items()]
        zone = pl.when(pl.col("zone") != "").then("zone")
        return current.select(columns).with_columns(zone=zone).unique(DEVICE, keep="last")


def _kept(state: State, news: News) -> tuple[News, ...]:
    return (*state.news, news)[-MOST_NEWS:]


def _with_zones(rows: pl.DataFrame, registered: pl.DataFrame) -> pl.DataFrame:
    zones = registered.select(*DEVICE, "zone")
    return encoded(rows.join(zones, on=DEVICE, how="left"))


def _places(registered: pl.DataFrame) -> pl.DataFrame:
    known = registered.filter(pl.col("lat").is_not_null(), pl.col("lng").is_not_null())
    return known.with_columns(at=pl.lit(None, PLACES["at"])).select(*PLACES)


def _modified_before(listing: Listing, moment_ms: float) -> list[str]:
    files = zip(listing.paths, listing.modified, strict=True)
    return [path for path, modified in files if modified < moment_ms]

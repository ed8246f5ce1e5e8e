"""A client of the query service on one page: copy it, or import it.

from services.query.client import Queries
queries = Queries("http://127.0.0.1:18009", key="hw_…")
frame = queries.polars("meter.m1", "kwh", start="2026-11-21T00:00:00Z", end="2026-11-22T00:00:00Z")
"""

import json
import warnings
from collections.abc import Hashable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow as pa

if TYPE_CHECKING:
    import pandas
    import polars

ARROW = "application/vnd.apache.arrow.stream"


class QueryError(Exception):
    """The service refused: the problem's status, its words, and when to try again, in seconds."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            detail = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):  # a proxy's words, not the service's
            detail = answer.text
        super().__init__(detail)
        self.status = answer.status_code
        seconds = answer.headers.get("Retry-After", "")  # a proxy may give a date
        self.retry_after_s = float(seconds) if seconds.isascii() and seconds.isdigit() else 0.0


class Truncated(UserWarning):
    """An answer lacks a part of what was asked for."""


class Cut(Exception):
    """An answer ends before its end: a proxy, say, was stopped while it handed it on."""


class Queries:
    """Questions to one service with one key; times are ISO 8601, aware datetimes or epoch us."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        tenant: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._tenant = tenant
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=30, transport=transport)

    def table(self, path: str, **asked: object) -> pa.Table:
        """Return any answer as an Arrow table; its schema's metadata `headwater` declares it.

        Raise `Cut` for one of which a part was lost on its way.
        """
        content = self._get(path, asked, {"Accept": ARROW}).content
        try:
            found = pa.ipc.open_stream(content).read_all()
        except (pa.ArrowInvalid, OSError) as error:
            raise Cut(f"this is no whole answer: ask again ({error})") from error
        if found.num_rows != (rows := _said(found)["points_out"]):
            raise Cut(f"the answer ends after {found.num_rows} of {rows} rows: ask again")
        return found

    def json(self, path: str, **asked: object) -> dict[str, Any]:
        """Return any answer as JSON."""
        found: dict[str, Any] = self._get(path, asked, {}).json()
        return found

    def series(self, device_id: str, metric: str, **asked: object) -> pa.Table:
        """Return a series: `start`, `end`, and, if wanted, `points`, `agg`, `fill`."""
        return self.table("/v1/query", device_id=device_id, metric=metric, **asked)

    def polars(self, device_id: str, metric: str, **asked: object) -> "polars.DataFrame":
        """Return a series as a frame of polars with columns time and value; warn if it lacks some.

        What the answer declares is in the metadata of `series`.
        """
        import polars

        table = self.series(device_id, metric, **asked)
        _declared(table)
        found = polars.from_arrow(table)
        assert isinstance(found, polars.DataFrame)
        return found

    def pandas(self, device_id: str, metric: str, **asked: object) -> "pandas.DataFrame":
        """Return a series as a frame of pandas by time; warn if it lacks some.

        `attrs` has what the answer declares.
        """
        table = self.series(device_id, metric, **asked)
        frame: pandas.DataFrame = table.to_pandas().set_index("time")
        frame.attrs = _declared(table)
        return frame

    def _get(
        self, path: str, asked: Mapping[str, object], headers: Mapping[str, str]
    ) -> httpx.Response:
        given = {"tenant": self._tenant, **asked}
        query = {name: _text(value) for name, value in given.items() if value is not None}
        answer = self._http.get(path, params=query, headers=dict(headers))
        if not answer.is_success:
            raise QueryError(answer)
        return answer

    def __enter__(self) -> "Queries":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()


def _declared(table: pa.Table) -> dict[Hashable | None, Any]:
    """Return what an answer says of itself; a frame does not show what was left out."""
    said = _said(table)
    if said["truncated"]:
        lacks = "a part of the range or of its readings was left out: ask for less of it"
        warnings.warn(f"{said['metric']} of {said['device_id']}: {lacks}", Truncated, stacklevel=3)
    return said


def _said(table: pa.Table) -> dict[Hashable | None, Any]:
    found: dict[Hashable | None, Any] = json.loads(table.schema.metadata[b"headwater"])
    return found


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

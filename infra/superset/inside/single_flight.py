"""A cache of answers in which one asks and all others wait for what it finds."""

import threading
from typing import Any

from flask import Response, after_this_request, has_request_context
from flask_caching.backends import FileSystemCache

from infra.superset.inside.flights import Flights

LONGEST_WAIT_S = 60.0
"""How long a reader waits for others' answers at most: as long as a browser waits for one."""


class SingleFlightCache(FileSystemCache):  # type: ignore[misc] # it ships no types
    """Files, and the promise that a key which many miss at once is computed by the first.

    Without it every viewer whose refresh falls into the second that a query takes would ask the
    lake again. Superset is one process of threads, so an event a key is enough. A query that fails
    sets no key: what a request began ends with it.
    """

    def __init__(self, *arguments: Any, flights: Flights | None = None, **options: Any) -> None:
        self.flights = Flights(LONGEST_WAIT_S) if flights is None else flights
        super().__init__(*arguments, **options)

    def get(self, key: str) -> Any:
        """Return the value, after whoever asks for it just now; None makes the caller ask."""
        value = super().get(key)
        if value is not None or not has_request_context():
            return value
        value = self.flights.wait(key, threading.get_ident(), lambda: self._kept(key))
        if value is not None:
            return value
        after_this_request(self._ended)
        # Whoever asked before may have set it since we looked.
        if (value := super().get(key)) is not None:
            self.flights.landed(key)
        return value

    def _kept(self, key: str) -> Any:
        return super().get(key)

    def set(self, key: str, value: Any, timeout: int | None = None, **options: Any) -> Any:
        """Keep the value, and let those go who wait for it."""
        kept = super().set(key, value, timeout, **options)
        self.flights.landed(key)
        return kept

    def _ended(self, response: Response) -> Response:
        self.flights.given_up(threading.get_ident())
        return response

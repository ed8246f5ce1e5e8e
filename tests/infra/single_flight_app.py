"""A server as Superset is one, whose first query fails: run by Superset's own Python.

It prints how long those waited who asked at the same time, and what the cache remembers.
"""

import json
import sys
import threading
import time
from collections.abc import Hashable

from flask import Flask

from infra.superset.inside.flights import Flights
from infra.superset.inside.single_flight import SingleFlightCache

VIEWERS = 4
app = Flask(__name__)


class JustLanded(Flights):
    """Another's flight lands between the look into the cache and the question who asks."""

    def begun(self, key: str, who: Hashable) -> threading.Event | None:
        """Set the key as whoever asked before does."""
        soon.set(key, f"{key} found before")
        return super().begun(key, who)


cache = SingleFlightCache(sys.argv[1])
soon = SingleFlightCache(f"{sys.argv[1]}-soon", flights=JustLanded(15.0))
asked, go_on, lock = threading.Semaphore(0), threading.Event(), threading.Lock()
calls: list[str] = []


@app.get("/<name>")  # type: ignore[untyped-decorator] # it is not in this environment
def answer(name: str) -> str:
    """Answer from the cache, or ask; whatever is called bad fails."""
    if (known := cache.get(name)) is not None:
        return str(known)
    with lock:
        calls.append(name)
        is_first = calls.count(name) == 1
    if is_first:
        asked.release()
        go_on.wait(10)
        if name.startswith("bad"):
            raise ValueError(name)
    cache.set(name, f"{name} found")
    return f"{name} found"


@app.get("/soon/<name>")  # type: ignore[untyped-decorator] # it is not in this environment
def answer_soon(name: str) -> str:
    """Answer what another has found meanwhile."""
    return str(soon.get(name))


def ask(name: str, found: list[tuple[int, float]]) -> None:
    """Ask as one viewer."""
    began = time.monotonic()
    status = app.test_client().get(f"/{name}").status_code
    found.append((status, time.monotonic() - began))


def crowd(name: str) -> dict[str, object]:
    """Let some ask for the same while the first query is under way."""
    go_on.clear()
    found: list[tuple[int, float]] = []
    viewers = [threading.Thread(target=ask, args=(name, found)) for _ in range(VIEWERS)]
    viewers[0].start()
    asked.acquire()
    for viewer in viewers[1:]:
        viewer.start()
    time.sleep(0.3)
    go_on.set()
    for viewer in viewers:
        viewer.join()
    return {
        "statuses": sorted(status for status, _ in found),
        "longest_s": max(waited for _, waited in found),
        "calls": calls.count(name),
        "remembered": len(cache.flights),
    }


told = {name: crowd(name) for name in ("good", "bad")}
told["soon"] = {
    "answer": app.test_client().get("/soon/k").text,
    "remembered": len(soon.flights),
}
print(json.dumps(told))  # noqa: T201

"""The follower: takes up what the home's files say, and tells every sink what was committed."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol, cast

from sqlalchemy.exc import SQLAlchemyError

from services.registry.store import Store
from telemetry.changes import ChangeKey, ChangeRecord, Kind
from telemetry.errors import HeadwaterError

log = logging.getLogger(__name__)
AT_ONCE = 2_000
LOOK_EVERY_S = 1.0
TAKING_UP, SETTLING = "taking up files", "dropping what was taken up"


class Sink(Protocol):
    """Who must hear of every change, in the order of their commits, at least once."""

    name: str

    def has_lost_all(self) -> bool:
        """Say whether it has nothing of what it once took."""

    def edition(self) -> int:
        """Return the newest edition that it was ever told of, 0 where it does not know."""

    def take(self, records: Sequence[ChangeRecord]) -> None:
        """Have the records durably, or raise."""


class Source(Protocol):
    """Where changes come from that nobody asked the registry for."""

    def take_up(self) -> int:
        """Take what is new, and count it."""

    def settle(self) -> None:
        """Let go of what was taken and told."""


class Follower:
    """A thread of its own; a sink that fails is tried again and holds up no other."""

    def __init__(self, store: Store, sinks: Sequence[Sink], source: Source) -> None:
        self._store = store
        self._sinks = {sink.name: sink for sink in sinks}
        self._unasked = set(self._sinks)
        self._source = source
        self._complaints: dict[str, str] = {}
        self._woken, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Take up the files before anybody is answered, then begin to follow."""
        for name in self._sinks:
            self._guarded(name, partial(self._ask, name))
        self._guarded(TAKING_UP, self._source.take_up)
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something new."""
        self._woken.set()

    def stop(self) -> None:
        """Tell the sinks what they have not heard yet, and end."""
        self._ending.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self.follow()
                self._woken.wait(LOOK_EVERY_S)
                self._woken.clear()
            self.follow()
        except Exception:
            # A registry that tells nobody of its changes must not go on as if it did.
            log.exception("the follower fails: the registry ends, to be started again")
            os.kill(os.getpid(), signal.SIGTERM)

    def follow(self) -> None:
        """Take up the files once, and bring every sink up to date."""
        self._guarded(TAKING_UP, self._source.take_up)
        for name in self._sinks:
            self._guarded(name, partial(self._publish, name))
        self._guarded(SETTLING, self._source.settle)

    def _guarded(self, name: str, act: Callable[[], object]) -> None:
        """Act, and say of a failure once what it is."""
        try:
            act()
        except (HeadwaterError, OSError, SQLAlchemyError) as error:
            complaint = str(error).partition("\n")[0]
            if self._complaints.get(name) != complaint:
                log.error("%s: %s", name, complaint)
            self._complaints[name] = complaint
        else:
            if self._complaints.pop(name, None):
                log.info("%s: as it should be again", name)

    def _publish(self, name: str) -> None:
        if name in self._unasked:
            self._ask(name)
        sink, position = self._sinks[name], self._store.position(name)
        while rows := self._store.changes(position, AT_ONCE):
            sink.take([_record(row) for row in rows])
            position = cast(int, rows[-1]["edition"])
            self._store.move(name, position)

    def _ask(self, name: str) -> None:
        """See once what a sink has, before it is told anything."""
        sink = self._sinks[name]
        self._go_behind(sink.edition())
        if self._store.position(name) and sink.has_lost_all():
            self._store.move(name, 0)
        self._unasked.discard(name)

    def _go_behind(self, told: int) -> None:
        """Count on from what a sink was told, if that is more than the database knows of.

        So it is once an older copy of the database was put back. Whoever heard of an edition leaves
        out those before it: a revocation of now, say.
        """
        known = self._store.go_behind(told)
        if known < told:
            log.warning(
                "this database knows of %d changes, and %d were told: an older copy was put back?"
                " What was changed since is told no more, and may hold still",
                known,
                told,
            )


def _record(row: Mapping[str, object]) -> ChangeRecord:
    key = ChangeKey(cast(Kind, row["kind"]), cast(str, row["tenant"]), cast(str, row["name"]))
    changed_at = cast(datetime, row["at"]).isoformat()
    headers = [("edition", b"%d" % cast(int, row["edition"])), ("changed_at", changed_at.encode())]
    return ChangeRecord(key.encoded(), cast(bytes | None, row["value"]), headers)

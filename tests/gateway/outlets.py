"""An outlet in memory, settled when a test says so."""

from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.outlet import Headers, OutletError, Settle


class Taken(NamedTuple):
    """A record as the outlet got it."""

    topic: str
    key: bytes
    value: bytes
    headers: dict[str, bytes]


@dataclass
class MemoryOutlet:
    """Keeps records; `poll` settles them unless they are held back."""

    taken: list[Taken] = field(default_factory=list)
    waiting: list[Settle] = field(default_factory=list)
    is_held: bool = False
    is_away: bool = False
    error: object = None
    most_waiting: int = 100_000
    falls_after: int | None = None
    """Goes away once it has taken so many."""

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        if self.is_away:
            raise OutletError("away", is_away=True, retry_after_s=3.0)
        if self.falls_after is not None and len(self.taken) >= self.falls_after:
            self.is_away = True
            raise OutletError("away", is_away=True, retry_after_s=3.0)
        known = {name: text for name, text in headers.items() if isinstance(text, bytes)}
        self.taken.append(Taken(topic, key, value, known))
        self.waiting.append(settle)

    def room(self, size: int = 0, key: bytes = b"") -> int:
        if self.is_away:
            raise OutletError("away", is_away=True, retry_after_s=3.0)
        return self.most_waiting - len(self.waiting)

    def poll(self) -> int:
        if not self.is_held:
            waiting, self.waiting = self.waiting, []
            for settle in waiting:
                settle(self.error, None)
        return len(self.waiting)

    def close(self, timeout_s: float) -> int:
        return self.poll()

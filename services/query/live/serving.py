"""The live part of the service: who follows, who watches, and what was told."""

from collections.abc import Callable
from dataclasses import dataclass, field

from services.query.live.follower import Follower
from services.query.live.seats import Seats


@dataclass(slots=True)
class Live:
    """The follower, the places of those who watch, and what they were told."""

    follower: Follower
    seats: Seats
    is_over: Callable[[], bool] = lambda: False
    """Says that the service ends."""
    counts: dict[str, int] = field(default_factory=lambda: {"messages": 0, "skipped": 0})

    def counted(self) -> dict[str, int]:
        """Return every count."""
        follower, seats = self.follower, self.seats
        return self.counts | {
            "viewers": seats.taken,
            "refused": seats.refused,
            "watched": len(follower.channels),
            "reads": follower.reads,
            "windows": follower.windows,
        }

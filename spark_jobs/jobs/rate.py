"""Rows a second, from a count that is looked at again and again."""

from collections import deque

OVER_S = 10.0


class Rate:
    """The rate over the last ten seconds; a batch a second would else make it jump."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, rows: int, now: float) -> float:
        """Take note of the rows counted until now (in seconds), and return the rate."""
        self._seen.append((now, rows))
        while len(self._seen) > 2 and self._seen[1][0] <= now - OVER_S:
            self._seen.popleft()
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0

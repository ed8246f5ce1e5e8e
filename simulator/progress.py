"""What a run tells while it goes on (stderr) and when it ends (one JSON object on stdout)."""

import sys
import time
from collections.abc import Callable

from edge.device_outbox import Connections
from simulator.sending import Totals

SHOWN_EVERY_S = 1.0
LOGGED_EVERY_S = 10.0
BAR_CELLS = 30


class Progress:
    """Shows a line that renews itself on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, scenario: str, *, quiet: bool) -> None:
        self._scenario = scenario
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._every_s = SHOWN_EVERY_S if self._is_terminal else LOGGED_EVERY_S
        self._started = self._shown = time.monotonic()
        self._acked = 0
        self._cpu_started = time.process_time()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def cpu_s(self) -> float:
        """CPU time of this process since the start, that of all its threads."""
        return time.process_time() - self._cpu_started

    def show(self, totals: Totals) -> None:
        """Show the totals if it is time to."""
        since = time.monotonic() - self._shown
        if self._quiet or since < self._every_s:
            return
        acked = totals.acked + totals.underway
        rate = (acked - self._acked) / since
        self._write(
            f"{self._scenario}: {self.elapsed_s:,.0f} s  sent {totals.sent:,}"
            f"  acknowledged {acked:,}  {rate:,.0f} messages/s"
        )
        self._shown, self._acked = time.monotonic(), acked

    def connecting(self, total: int) -> Callable[[int], None]:
        """Return what shows how many of `total` devices are connected, if it is time to."""

        def show(connected: int) -> None:
            is_all = connected >= total
            since = time.monotonic() - self._shown
            if self._quiet or (since < self._every_s and not is_all):
                return
            full = BAR_CELLS * max(connected, 0) // total
            bar = "#" * full + "." * (BAR_CELLS - full)
            self._write(f"connecting [{bar}] {max(connected, 0):,} of {total:,} devices")
            self._shown = time.monotonic()

        return show

    def end(self) -> None:
        """Leave the renewed line."""
        if self._is_terminal and not self._quiet:
            sys.stderr.write("\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text}\x1b[K" if self._is_terminal else f"{text}\n")
        sys.stderr.flush()


def summary(totals: Totals, progress: Progress) -> dict[str, object]:
    """Return the figures of a run."""
    seconds = progress.elapsed_s
    expected: dict[str, int] = {}
    rejected: dict[str, int] = {}
    for (expect, reason), count in sorted(totals.expected.items(), key=str):
        expected[expect] = expected.get(expect, 0) + count
        if expect == "rejected":
            rejected[str(reason)] = count
    return {
        "sent": totals.sent,
        "acked": totals.acked,
        "refused": totals.refused,
        "refusals": dict(sorted(totals.refusals.items())),
        "timed_out": totals.timed_out,
        "sent_again": totals.sent_again,
        "records": totals.records,
        "bytes": totals.bytes,
        "seconds": round(seconds, 3),
        "cpu_s": round(progress.cpu_s, 3),
        "messages_per_s": round(totals.acked / seconds, 1) if seconds else None,
        "expected": expected,
        "rejected": rejected,
        "faults": dict(sorted(totals.faults.items())),
        "labels": totals.labels,
        "connections": None if totals.connections is None else _connections(totals.connections),
    }


def _connections(found: Connections) -> dict[str, object]:
    refusals = dict(sorted(found.refusals.items()))
    return {"open": found.open, "lost": found.lost, "refusals": refusals}

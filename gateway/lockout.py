"""Lock-out: who fails to log in too often waits, by device and address together and by address."""

from collections import OrderedDict
from dataclasses import dataclass

from telemetry.changes import TenantBody

MOST_REMEMBERED = 100_000
ADDRESS_FACTOR = 20
"""An address may hide many devices, so it is locked only after so many times as many failures."""


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0
    until: float = 0.0


class Lockout:
    """Counts failures; memory is bounded, the oldest are forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def wait_s(self, who: tuple[str, str], rule: TenantBody, *, now: float) -> float:
        """Return for how long this device from this address, or all of the address, is locked."""
        found = (self._failures.get(key) for key in (who, ("", who[1])))
        return max((each.until - now for each in found if each and each.until > now), default=0.0)

    def fail(self, who: tuple[str, str], rule: TenantBody, *, now: float) -> None:
        """Count a failure."""
        for key, most in (
            (who, rule.lockout_failures),
            (("", who[1]), rule.lockout_failures * ADDRESS_FACTOR),
        ):
            failures = self._failures.setdefault(key, _Failures(now))
            self._failures.move_to_end(key)
            if now - failures.since > rule.lockout_within_s:
                failures.since, failures.count = now, 0
            failures.count += 1
            if failures.count >= most:
                failures.until, failures.count = now + rule.lockout_for_s, 0
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)

    def forgive(self, who: tuple[str, str]) -> None:
        """Forget a device's failures from this address after it came in."""
        self._failures.pop(who, None)

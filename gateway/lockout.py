"""Lock-out: who fails to log in too often waits, and so does an address that many fail from."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NamedTuple

from gateway.identity import Presented
from gateway.tokens import is_token, said_by
from telemetry.changes import TenantBody

MOST_REMEMBERED = 100_000
LONGEST_NAME = 256
ADDRESS_FACTOR = 20
"""An address may hide many devices, so it is locked only after so many times as many failures."""


class Suspect(NamedTuple):
    """Who tries to log in, and from where."""

    kind: Literal["name", "token", "certificate", "address"]
    name: str
    address: str


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0
    until: float = 0.0
    locked_s: float = 0.0

    def wait_s(self, now: float) -> float:
        """Return for how long it is locked, by a clock that may have been set back meanwhile."""
        self.until = min(self.until, now + self.locked_s)
        return max(self.until - now, 0.0)


def suspect(presented: Presented) -> Suspect:
    """Return whose failures a login counts among; nothing of what it says is proven yet."""
    password, address = presented.password or "", presented.address
    if presented.is_datagram:
        # Or strangers could lock a device out of MQTT and HTTP, where its address is its own.
        address = f"udp {address}"
    if is_token(password):
        return Suspect("token", "/".join(said_by(password))[:LONGEST_NAME], address)
    if presented.certificate is not None and not presented.username:
        return Suspect("certificate", sha256(presented.certificate).hexdigest(), address)
    name = presented.username or presented.client_id
    return Suspect("name", name[:LONGEST_NAME], address)


class Lockout:
    """Counts failures; memory is bounded, the oldest are forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Suspect, _Failures] = OrderedDict()

    def wait_s(self, who: Suspect, *, now: float) -> float:
        """Return for how long this device from this address, or all of the address, is locked."""
        found = (self._failures.get(key) for key in (who, _everybody(who)))
        return max((each.wait_s(now) for each in found if each), default=0.0)

    def fail(self, who: Suspect, rule: TenantBody, common: TenantBody, *, now: float) -> None:
        """Count a failure by the rule of its tenant, and by the common one for its address."""
        self._count(who, rule, rule.lockout_failures, now)
        self._count(_everybody(who), common, common.lockout_failures * ADDRESS_FACTOR, now)
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)

    def _count(self, who: Suspect, rule: TenantBody, most: int, now: float) -> None:
        failures = self._failures.setdefault(who, _Failures(now))
        self._failures.move_to_end(who)
        if not 0 <= now - failures.since <= rule.lockout_within_s:
            failures.since, failures.count = now, 0
        failures.count += 1
        if failures.count >= most:
            failures.until, failures.count = now + rule.lockout_for_s, 0
            failures.locked_s = rule.lockout_for_s

    def forgive(self, who: Suspect) -> None:
        """Forget a device's failures after it came in; its address's end by time alone."""
        self._failures.pop(who, None)


def _everybody(who: Suspect) -> Suspect:
    return Suspect("address", "", who.address)

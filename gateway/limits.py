"""Token buckets: how many messages a second a device, a tenant and the gateway may take."""

from collections import OrderedDict
from math import ceil
from typing import NamedTuple

from gateway.outcome import Rejected

MOST_BUCKETS = 200_000
SET_BACK_US = 1_000_000
"""A clock that says so much less than before was set; less is only another reading of it."""


class Rate(NamedTuple):
    """Messages a second in the long run, and how many may come at once; 0 is no limit."""

    per_s: float = 0.0
    burst: float = 0.0


class Bucket:
    """One bucket, kept as the time at which it is full again (the leaky bucket as a meter)."""

    __slots__ = ("_allowance_us", "_full_at", "_interval_us", "_seen_at", "limit")

    def __init__(self, limit: str, rate: Rate) -> None:
        self.limit = limit
        self._interval_us = 1_000_000 / rate.per_s
        self._allowance_us = max(rate.burst, 1.0) * self._interval_us
        self._full_at = self._seen_at = 0.0

    def wait_us(self, now: float, count: int = 1) -> float:
        """Return how long so many messages must wait; 0 if they may pass."""
        if now < self._seen_at - SET_BACK_US:
            # Else a clock that was set back by an hour would have all wait for an hour.
            self._full_at -= self._seen_at - now
        self._seen_at = now
        begin = self._full_at if self._full_at > now else now
        over = begin + count * self._interval_us - now - self._allowance_us
        # More at once than the bucket holds pass through a full one, or they never would.
        return over if over > 0 and begin > now else 0.0

    def take(self, now: float, count: int = 1) -> None:
        """Let so many messages pass."""
        begin = self._full_at if self._full_at > now else now
        self._full_at = begin + count * self._interval_us


class Limits:
    """The buckets of all devices and tenants, made as they are needed."""

    def __init__(self, device: Rate, tenant: Rate, gateway: Rate) -> None:
        self._rates = {"device": device, "tenant": tenant}
        self._buckets: OrderedDict[tuple[str, str, str], Bucket] = OrderedDict()
        self._gateway = Bucket("gateway", gateway) if gateway.per_s else None

    def of(self, tenant: str, device_full: str) -> tuple[Bucket, ...]:
        """Return the buckets that a device's messages must pass, none where there is no limit."""
        found = [
            self._bucket("device", tenant, device_full),
            self._bucket("tenant", tenant, ""),
            self._gateway,
        ]
        return tuple(bucket for bucket in found if bucket)

    def _bucket(self, kind: str, tenant: str, device_full: str) -> Bucket | None:
        rate = self._rates[kind]
        if not rate.per_s:
            return None
        key = (kind, tenant, device_full)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(kind, rate)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket


def refused_by(buckets: tuple[Bucket, ...], now: float, count: int = 1) -> Rejected | None:
    """Take from all buckets, or from none and say which one is empty and for how long."""
    empty = short_of(buckets, now, count)
    if empty is None:
        for bucket in buckets:
            bucket.take(now, count)
    return empty


def short_of(buckets: tuple[Bucket, ...], now: float, count: int = 1) -> Rejected | None:
    """Say which bucket has not so many, and for how long; take from none."""
    for bucket in buckets:
        wait_us = bucket.wait_us(now, count)
        if wait_us:
            return Rejected(
                "rate",
                f"more messages than the {bucket.limit} may send",
                limit=bucket.limit,
                # Rounded up as it is told: whoever comes after 0.000 s comes too soon.
                retry_after_s=ceil(wait_us / 1_000) / 1_000,
            )
    return None

"""The one path of every protocol: authenticated and authorised arrivals become durable records."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError

from gateway.account import Account, OpenPage
from gateway.channels import Channel
from gateway.counters import Counters
from gateway.decoding import counted, refused
from gateway.limits import refused_by, short_of
from gateway.outcome import Rejected
from gateway.outlet import Headers, Outlet, OutletError, Settle
from telemetry.accounts import PAGE_HEADER
from telemetry.devices import Durability
from telemetry.records import JSON
from telemetry.topics import TELEMETRY_DEAD

MOST_BYTES = 256 * 1024
"""Of one message; Kafka takes more, so that a batch over HTTP may hold many."""
MOST_RETRY_S = 60.0
DECIDED_WITHIN_S = 20.0
"""A store that takes longer is told of as one that does not acknowledge, where an answer waits for
it: Kafka's client may need ten seconds twice, and who waits must not wait for ever."""


class Arrival(NamedTuple):
    """What came in on a channel that its session is authorised for."""

    channel: Channel
    payload: bytes
    content_type: str = JSON


def _asleep() -> None:
    return None


def _unheard(_error: object, _message: object) -> None:
    return None


class Ingest:
    """Decodes, stamps and publishes; each arrival is settled exactly once."""

    def __init__(
        self,
        outlets: dict[Durability, Outlet],
        counters: Counters,
        *,
        account: Account | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Publish by the outlet of each durability class."""
        self._outlets = outlets
        self._counters = counters
        self.account = account or Account()
        self._wake = _asleep
        self.most_bytes = most_bytes
        self.decided_within_s = DECIDED_WITHIN_S
        self.is_polled = False
        """Whether somebody polls the outlets already."""

    def polled_by(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever records begin to wait."""
        self._wake = wake

    def ingest(self, arrival: Arrival, *, now: int, settle: Settle) -> Rejected | None:
        """Publish an arrival; None: it is settled later. `now` is in epoch microseconds.

        A refusal is returned where nothing was sent, and given to `settle` where the bytes had to
        be kept in `telemetry.dead` first.
        """
        channel, payload, content_type = arrival
        if len(payload) > self.most_bytes:
            return self.too_large(len(payload))
        # None of an empty bucket is decoded; how many it holds is known only then.
        if channel.buckets and (empty := short_of(channel.buckets, now)) is not None:
            return self.counted(empty)
        found = counted(payload, content_type, channel.names) if channel.is_telemetry else 1
        if channel.buckets:
            empty = self.over_limit(channel, now, 1 if isinstance(found, Rejected) else found)
            if empty is not None:
                return empty
        if isinstance(found, Rejected):
            return self.bury(arrival, found, now, settle)
        headers = channel.stamped(now, self.account.page.name)
        if channel.is_elsewhere:
            del headers[PAGE_HEADER]
            settle = self.account.uncounted(settle)
        return self._send(channel, channel.kafka_topic, payload, headers, settle)

    def take(
        self, channel: Channel, payloads: Sequence[bytes], now: int, settles: Sequence[Settle]
    ) -> int:
        """Publish the JSON messages at the head that nothing speaks against; return their number.

        The first one left is for `ingest`, which says what is wrong with it. One that the outlet
        does not take is settled with the refusal, and is the last.
        """
        page = self.account.page
        headers = channel.stamped(now, page.name)
        send = self._outlets[channel.identity.durability].send
        topic, key, names, buckets = (
            channel.kafka_topic,
            channel.key,
            channel.names,
            channel.buckets,
        )
        is_telemetry, most_bytes, taken = channel.is_telemetry, self.most_bytes, 0
        for payload, settle in zip(payloads, settles, strict=True):
            if len(payload) > most_bytes or (is_telemetry and refused(payload, JSON, names)):
                break
            if buckets and refused_by(buckets, now):
                break
            taken += 1
            try:
                send(topic, key, payload, headers, settle)
            except OutletError as error:
                settle(self.unavailable(error), None)
                break
            page.taken += 1
        if taken and not self.is_polled:
            self.is_polled = True
            self._wake()
        return taken

    def take_one(self, channel: Channel, payload: bytes, now: int, settle: Settle) -> bool:
        """Publish a JSON message unless anything speaks against it; then it is for `ingest`."""
        if len(payload) > self.most_bytes:
            return False
        if channel.is_telemetry and refused(payload, JSON, channel.names):
            return False
        if channel.buckets and refused_by(channel.buckets, now):
            return False
        page = self.account.page
        headers = channel.stamped(now, page.name)
        try:
            self._outlets[channel.identity.durability].send(
                channel.kafka_topic, channel.key, payload, headers, settle
            )
        except OutletError as error:
            settle(self.unavailable(error), None)
            return True
        page.taken += 1
        if not self.is_polled:
            self.is_polled = True
            self._wake()
        return True

    def publish(
        self,
        channel: Channel,
        payloads: Sequence[bytes],
        page: OpenPage,
        *,
        now: int,
        settle: Settle,
    ) -> None:
        """Publish records that were examined and let through by the limits before, on a page.

        Each one is settled later, or at once with the error where the outlet does not take it.
        """
        headers = channel.stamped(now, page.name)
        send = self._outlets[channel.identity.durability].send
        topic, key = channel.kafka_topic, channel.key
        for payload in payloads:
            try:
                send(topic, key, payload, headers, settle)
            except OutletError as error:
                settle(error, None)
            else:
                page.taken += 1
        if not self.is_polled:
            self.is_polled = True
            self._wake()

    @property
    def taken(self) -> int:
        """How many records were handed to a store."""
        return self.account.taken

    def tell(self, topic: str, key: bytes, value: bytes) -> None:
        """Publish a word of the gateway's own; one that is not taken is followed by others."""
        with suppress(OutletError):
            self._outlets["industrial"].send(topic, key, value, {}, _unheard)
            if not self.is_polled:
                self.is_polled = True
                self._wake()

    def room(self, channel: Channel, size: int = 0) -> int:
        """Return how many of a device's records are taken now; raise `OutletError` if none are."""
        return self._outlets[channel.identity.durability].room(size, channel.key)

    def over_limit(self, channel: Channel, now: int, count: int) -> Rejected | None:
        """Take tokens for so many messages, or return the refusal and count it."""
        empty = refused_by(channel.buckets, now, count)
        return None if empty is None else self.counted(empty)

    def _send(
        self,
        channel: Channel,
        topic: str,
        payload: bytes,
        headers: Headers,
        settle: Settle,
    ) -> Rejected | None:
        try:
            self._outlets[channel.identity.durability].send(
                topic, channel.key, payload, headers, settle
            )
        except OutletError as error:
            return self.unavailable(error)
        self.account.page.taken += PAGE_HEADER in headers
        if not self.is_polled:
            self.is_polled = True
            self._wake()
        return None

    def bury(
        self,
        arrival: Arrival,
        unreadable: Rejected,
        now: int,
        settle: Settle,
        *,
        topic: str | None = None,
    ) -> Rejected | None:
        """Keep what cannot be read in `telemetry.dead`, then refuse it.

        `topic` is where it was said; None: below its device, as its channel is.
        """
        channel = arrival.channel
        said_at = topic or f"devices/{channel.identity.device_full}/{channel.name}"
        page = self.account.page
        headers = channel.stamped(now, page.name) | {
            "reason": unreadable.reason.encode(),
            "text": unreadable.text.encode("utf-8", "replace"),
            "topic": said_at.encode(),
        }
        buried = partial(self._buried, page, unreadable, settle)
        return self._send(channel, TELEMETRY_DEAD.name, arrival.payload, headers, buried)

    def _buried(
        self,
        page: OpenPage,
        unreadable: Rejected,
        settle: Settle,
        error: object,
        message: object,
    ) -> None:
        if error is None:
            page.acknowledged += 1
            settle(self.counted(unreadable._replace(is_kept=True)), message)
        else:
            settle(error, message)

    def accepted(self, channel: Channel, records: int, page: OpenPage) -> None:
        """Count records that are acknowledged together."""
        page.acknowledged += records
        self._counters.tally("accepted", protocol=channel.protocol).count += records

    def unavailable(self, error: object, records: int = 1) -> Rejected:
        """Return the refusal for records that could not be made durable, and count them."""
        if isinstance(error, Rejected):
            return error
        is_full = isinstance(error, OutletError) and not error.is_away
        retry_after_s = error.retry_after_s if isinstance(error, OutletError) else 5.0
        said = error.str() if isinstance(error, KafkaError) else str(error or "")
        why = f" ({said})" if isinstance(error, KafkaError | OutletError) else ""
        text = f"the store does not acknowledge{why}; send it again"
        return self.counted(
            Rejected(
                "busy" if is_full else "unavailable",
                text,
                limit="queue" if is_full else "store",
                retry_after_s=min(max(retry_after_s, 1.0), MOST_RETRY_S),
            ),
            records,
        )

    def too_large(self, size: int) -> Rejected:
        """Return the refusal of a record that is too large, and count it."""
        text = f"{size:,} bytes; a message has at most {self.most_bytes:,}"
        return self.counted(Rejected("too_large", text, limit=f"{self.most_bytes} bytes"))

    def counted(self, rejected: Rejected, records: int = 1) -> Rejected:
        """Count a refusal, and return it."""
        self._counters.add("rejected", records, reason=rejected.reason)
        return rejected

"""Kafka as an outlet: idempotent and acknowledged by all replicas, or by one for class consumer."""

import time

from confluent_kafka import KafkaError, KafkaException, Producer

from edge.kafka import PRODUCER_CONFIG
from gateway.crowd import Crowd, Record, closed
from gateway.outlet import Headers, OutletError, Settle, lacks_topic

MOST_WAITING = 100_000
BATCH = 64
"""Records of a partition that are sent without waiting for more."""
CROWDED = 2_048
"""So many that wait are a crowd: what comes then goes in large batches."""
PROBE_S = 1.0
PARTITIONED = -1
"""The partition that the key gives."""
NOW = 0
"""The client's own time of creation."""
Config = dict[str, str | int | float | bool]


class KafkaOutlet:
    """Sends to Kafka; while the broker is away it refuses all but a probe a second."""

    def __init__(
        self,
        bootstrap: str,
        *,
        is_durable: bool = True,
        delivery_timeout_s: float = 10.0,
        linger_ms: float = 5.0,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        config: Config = {
            **PRODUCER_CONFIG,
            "bootstrap.servers": bootstrap,
            "linger.ms": linger_ms,
            "delivery.timeout.ms": round(delivery_timeout_s * 1000),
            "queue.buffering.max.messages": most_waiting,
            "reconnect.backoff.max.ms": 1000,
            "topic.metadata.propagation.max.ms": 2000,
            "allow.auto.create.topics": False,
        }
        if not is_durable:
            config |= {"enable.idempotence": False, "acks": 1}
        self._bootstrap = bootstrap
        self._most_waiting = most_waiting
        heard = {**config, "error_cb": self._note}
        self._producer = Producer({**heard, "batch.num.messages": BATCH})
        self._produce = self._producer.produce
        self._poll = self._producer.poll
        self._waiting = self._producer.__len__
        self._crowd = Crowd(lambda: Producer(heard), _handed)
        self.is_away = False
        self._probe_at = 0.0

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        """Take a record, or raise `OutletError`."""
        if self.is_away:
            self._probe(topic, key, value, headers, settle)
            return
        waiting = self._waiting()
        if waiting >= CROWDED or self._crowd.is_there:
            self._crowd.send(Record(topic, key, value, headers, settle), waiting)
            return
        try:
            # By place: the client takes a third longer to find arguments by their names.
            self._produce(topic, value, key, PARTITIONED, settle, None, NOW, headers)
        except (BufferError, KafkaException) as error:
            if not _is_settled(error, settle):
                raise _not_taken(error, is_away=False) from error

    def room(self, size: int = 0, key: bytes = b"") -> int:
        """Return how many records it takes now, a probe alone while Kafka is away."""
        left = max(self._most_waiting - len(self._producer) - len(self._crowd), 0)
        if not self.is_away:
            return left
        wait_s = self._probe_at - time.monotonic()
        if wait_s > 0:
            raise OutletError("Kafka is away", is_away=True, retry_after_s=wait_s)
        return min(left, 1)

    def _probe(
        self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle
    ) -> None:
        now = time.monotonic()
        if now < self._probe_at:
            raise OutletError("Kafka is away", is_away=True, retry_after_s=self._probe_at - now)
        self._probe_at = now + PROBE_S

        def settled(error: object, message: object) -> None:
            # That a topic is not there is said by a broker that is.
            self.is_away = error is not None and not lacks_topic(error)
            settle(error, message)

        try:
            self._produce(topic, value, key, PARTITIONED, settled, None, NOW, headers)
        except (BufferError, KafkaException) as error:
            if _is_settled(error, settle):
                # The client knew by itself, so that the next one is the probe.
                self._probe_at = now
                return
            # What fills the queue is not on its way, so that no probe can be either.
            raise _not_taken(error, is_away=True) from error

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.is_away = True

    def poll(self) -> int:
        """Settle what is decided, and return how many records still wait."""
        self._poll(0)
        waiting = self._waiting()
        if self._crowd.is_there:
            if self.is_away:
                # Told now: a probe a second is ahead of them, so that none of them had its turn.
                self._crowd.give_up(_away())
            waiting += self._crowd.poll(waiting)
        return waiting

    def purge(self) -> None:
        """Give up what is queued and not on its way: it is settled as an error."""
        self._producer.purge(in_queue=True, in_flight=False, blocking=False)
        self._poll(0)
        self._crowd.purge()
        self._crowd.give_up(_away())

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
        begun = time.monotonic()
        left = closed(self._producer, timeout_s)
        return left + self._crowd.close(max(timeout_s - (time.monotonic() - begun), 0.0))


def _handed(client: Producer, record: Record) -> None:
    topic, key, value, headers, settle = record
    try:
        client.produce(topic, value, key, PARTITIONED, settle, None, NOW, headers)
    except (BufferError, KafkaException) as error:
        if not _is_settled(error, settle):
            raise _not_taken(error, is_away=False) from error


def _is_settled(error: BufferError | KafkaException, settle: Settle) -> bool:
    """Settle a record of which the client knows that its topic is not there; say whether it is so.

    The first one hears it from the broker, after it was taken: so all are told the same.
    """
    if isinstance(error, BufferError) or not lacks_topic(error.args[0]):
        return False
    settle(error.args[0], None)
    return True


def _away() -> OutletError:
    return OutletError("Kafka is away", is_away=True, retry_after_s=PROBE_S)


def _not_taken(error: BufferError | KafkaException, *, is_away: bool) -> OutletError:
    if isinstance(error, BufferError):
        return OutletError("Kafka is slow", is_away=is_away, retry_after_s=PROBE_S)
    return OutletError(str(error.args[0].str()), is_away=is_away, retry_after_s=5.0)

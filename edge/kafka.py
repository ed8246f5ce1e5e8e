"""Kafka as an outbox: idempotent, acknowledged by all replicas, partitioned as every producer."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from edge.outbox import OnAck, OutboxError, OutRecord
from telemetry.records import PARTITIONER
from telemetry.topics import TELEMETRY

PRODUCER_CONFIG: dict[str, str | int | float | bool] = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": PARTITIONER,
    "compression.type": "lz4",
    "linger.ms": 5,
    "batch.size": 512 * 1024,
    "message.max.bytes": 2 * 1024 * 1024,
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 128 * 1024,
    "log_level": 0,
}
OnDelivery = Callable[[KafkaError | None, Message], None]
CLOSE_TIMEOUT_S = 30.0
POLL_EVERY = 64


class KafkaOutbox:
    """Sends records to one topic; a broker that stays away for `delivery_timeout_s` is an error."""

    def __init__(
        self, bootstrap: str, topic: str = TELEMETRY.name, *, delivery_timeout_s: float = 120.0
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._failure: str | None = None
        self._since_poll = 0
        self._on_ack: OnAck | None = None
        self._delivered = self._on_delivery(None)
        self._full_wait_s = delivery_timeout_s
        timeout = {"delivery.timeout.ms": round(delivery_timeout_s * 1000)}
        self._producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_CONFIG, **timeout})
        self._check_topic()

    def _check_topic(self) -> None:
        try:
            topics = self._producer.list_topics(timeout=10).topics
        except KafkaException as error:
            raise OutboxError(
                f"no Kafka broker answers at {self._bootstrap}: start the stack with"
                " `headwater up`, or name another one in HEADWATER_KAFKA"
            ) from error
        if self._topic not in topics:
            raise OutboxError(
                f"Kafka at {self._bootstrap} has no topic {self._topic}: `headwater up` creates it"
            )

    def send(self, record: OutRecord, on_ack: OnAck | None = None) -> None:
        """Take a record; block while librdkafka's queue is full."""
        self._since_poll += 1
        if self._since_poll >= POLL_EVERY:
            self._since_poll = 0
            self._producer.poll(0)
        if self._failure:
            self._raise_failure()
        if on_ack != self._on_ack:
            # A closure a record, each kept until its acknowledgement, would cost as much as all
            # the rest: who sends many records hands over the same function.
            self._on_ack, self._delivered = on_ack, self._on_delivery(on_ack)
        if not self._produced(record):
            self._wait_for_room(record)

    def _wait_for_room(self, record: OutRecord) -> None:
        give_up = time.monotonic() + self._full_wait_s
        while not self._produced(record):
            self._producer.poll(0.1)
            self._raise_failure()
            if time.monotonic() > give_up:
                raise OutboxError(self._away())

    def _produced(self, record: OutRecord) -> bool:
        try:
            self._producer.produce(
                self._topic,
                record.value,
                record.key,
                headers=record.headers,  # type: ignore[arg-type]
                on_delivery=self._delivered,
            )
        except BufferError:
            return False
        except KafkaException as error:
            raise OutboxError(
                f"Kafka refuses a record of {len(record.value):,} bytes: {_reason(error.args[0])}"
            ) from error
        return True

    def _on_delivery(self, on_ack: OnAck | None) -> OnDelivery:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                self._failure = self._failure or _reason(error)
            elif on_ack is not None:
                on_ack(time.time_ns() // 1000)

        return delivered

    def poll(self, timeout_s: float = 0.0) -> int:
        """Serve acknowledgements, and return how many records still wait."""
        self._producer.poll(timeout_s)
        self._raise_failure()
        return len(self._producer)

    def flush(self, timeout_s: float) -> int:
        """Wait for the acknowledgements and return how many are missing."""
        waiting = self._producer.flush(timeout_s)
        self._raise_failure()
        return waiting

    def close(self) -> None:
        """Flush; raise if a record stays without its acknowledgement."""
        waiting = self.flush(CLOSE_TIMEOUT_S)
        if waiting:
            self._producer.purge()
            raise OutboxError(f"{self._away()}; {waiting} records are not acknowledged")

    def _raise_failure(self) -> None:
        if self._failure:
            raise OutboxError(f"{self._away()} ({self._failure})")

    def _away(self) -> str:
        return (
            f"Kafka at {self._bootstrap} does not acknowledge: see `headwater status` and"
            " `headwater logs kafka`"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._producer.purge()
            self._producer.flush(1.0)


def _reason(error: KafkaError) -> str:
    return error.str()

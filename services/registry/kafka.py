"""Kafka as a sink of changes: the compacted topic `registry.changes`, in the order of commits."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from edge.kafka import PRODUCER_CONFIG
from telemetry.changes import ChangeRecord
from telemetry.errors import HeadwaterError
from telemetry.topics import REGISTRY_CHANGES

DELIVERY_TIMEOUT_S = 20.0
QUEUED_KIB = 8 * 1024


class KafkaSink:
    """Publishes changes; what it returns from, every replica has."""

    name = "kafka"

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: Producer | None = None
        self._failure: KafkaError | None = None

    def has_lost_all(self) -> bool:
        """Say whether the topic is there and empty: all must be told again."""
        from confluent_kafka import Consumer

        settings = {"bootstrap.servers": self._bootstrap, "group.id": "registry", "log_level": 0}
        reader = Consumer(settings)
        try:
            _, high = reader.get_watermark_offsets(TopicPartition(REGISTRY_CHANGES.name, 0), 5.0)
        except KafkaException as error:
            raise self._away(error) from error
        finally:
            reader.close()
        return bool(high == 0)

    def edition(self) -> int:
        """Return the edition of the topic's last record, 0 where there is none."""
        from confluent_kafka import Consumer

        settings = {"bootstrap.servers": self._bootstrap, "group.id": "registry", "log_level": 0}
        reader = Consumer(settings | {"enable.auto.commit": False})
        try:
            part = TopicPartition(REGISTRY_CHANGES.name, 0)
            low, high = reader.get_watermark_offsets(part, 5.0)
            if high == low:
                return 0
            part.offset = high - 1
            reader.assign([part])
            return _edition(reader.poll(5.0))
        except KafkaException as error:
            raise self._away(error) from error
        finally:
            reader.close()

    def take(self, records: Sequence[ChangeRecord]) -> None:
        """Publish records in their order; raise if one is not acknowledged."""
        producer = self._producer = self._producer or self._connected()
        self._failure = None
        for key, value, headers in records:
            producer.produce(
                REGISTRY_CHANGES.name,
                value=value,
                key=key,
                headers=[*headers],
                on_delivery=self._delivered,
            )
            producer.poll(0)
        waiting = producer.flush(DELIVERY_TIMEOUT_S + 5)
        if waiting or self._failure:
            producer.purge()
            producer.flush(1.0)
            self._producer = None
            raise self._away(self._failure or f"{waiting} changes wait")

    def _connected(self) -> Producer:
        bounded = {
            "queue.buffering.max.kbytes": QUEUED_KIB,
            "delivery.timeout.ms": round(DELIVERY_TIMEOUT_S * 1000),
        }
        return Producer({"bootstrap.servers": self._bootstrap, **PRODUCER_CONFIG, **bounded})

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._failure = self._failure or error

    def _away(self, reason: object) -> HeadwaterError:
        return HeadwaterError(f"Kafka at {self._bootstrap} does not take changes: {reason}")


def _edition(message: Message | None) -> int:
    headers = dict(message.headers() or []) if message is not None and not message.error() else {}
    said = headers.get("edition")
    return int(said) if said else 0
